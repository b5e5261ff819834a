import { BootstrapError } from '../core/errors.ts';
import type { HostReader, Resource } from '../core/types.ts';

/**
 * A kernel feature, whether it comes as a module or is built in. `present` tests the feature itself, because modprobe
 * fails on a kernel that has everything built in and no module tree (Linode's own kernels).
 */
export function kernelModule(name: string, present: (host: HostReader) => Promise<boolean>): Resource {
  return {
    id: `kernel-module:${name}`,
    async plan(host) {
      if (await present(host)) return undefined;
      return {
        summary: `load the kernel module ${name}`,
        undo: { kind: 'kernel-module', name },
        async apply(host) {
          try {
            await host.run(['modprobe', name]);
          } catch (error) {
            throw new BootstrapError('command-failed', `the kernel module ${name} cannot be loaded`, {
              hint: 'boot the kernel of the distribution (on a Linode: Configurations, Edit, Kernel: GRUB 2), or install its modules package (on Enterprise Linux 10: kernel-modules-extra)',
              detail: error instanceof BootstrapError ? error.detail : undefined,
              cause: error,
            });
          }
        },
      };
    },
  };
}

import type { Check } from '../../core/types.ts';
import type { Target } from '../../target.ts';

/** The kernel has what bridge networking needs, or a module tree to load it from. */
export const kernelFeatures: Check<Target> = {
  id: 'kernel-features',
  title: 'The kernel can do bridge networking',
  appliesTo: ({ config }) => config.node?.runsClient !== false,
  async run(_host, { facts: { kernel } }) {
    if (kernel.hasModules || (kernel.bridge && kernel.brNetfilter)) return { status: 'pass', detail: kernel.release };
    const lacking = kernel.bridge ? 'br_netfilter' : 'bridge and br_netfilter';
    return {
      status: 'warn',
      detail: `the kernel ${kernel.release} has no ${lacking}, and no modules to load`,
      hint: kernel.linodeKernel
        ? "select the kernel GRUB 2 in the Linode's configuration and reboot: jobs in bridge mode will not start otherwise"
        : 'jobs in bridge mode will not start; boot a kernel that has its modules in /lib/modules',
    };
  },
};

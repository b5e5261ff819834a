import type { HostReader } from '../core/types.ts';
import { fail, type HealthCheck, onClients, pass } from './health-check.ts';

export const kernelBridge: HealthCheck = {
  id: 'kernel-bridge',
  title: 'The kernel can bridge, and Nomad sees that',
  scope: 'node',
  appliesTo: onClients,
  async run(host, { facts }) {
    const { release } = facts.kernel;
    const sight = await bridgeAsNomadSees(host, release);
    if (sight === undefined) {
      return fail(
        `Nomad finds no bridge module for kernel ${release}`,
        'modprobe -a bridge br_netfilter && systemctl restart nomad; where modprobe fails, install the modules of the running kernel or reboot into the newest one',
      );
    }
    if ((await host.stat('/proc/sys/net/bridge')) === undefined) {
      return fail(
        'br_netfilter is not loaded: iptables does not see what crosses a bridge',
        'modprobe br_netfilter && sysctl --system; on Enterprise Linux 10 it is in the package kernel-modules-extra',
      );
    }
    return pass(sight);
  },
};

/**
 * What Nomad's bridge fingerprint finds, in its order; `undefined`: nothing, and then no job with a bridge network can be
 * placed. It does not know zstd-compressed modules unless they are loaded (nomad#23583).
 * Source: client/fingerprint/bridge_linux.go, Nomad 2.0.5.
 */
async function bridgeAsNomadSees(host: HostReader, release: string): Promise<string | undefined> {
  if ((await host.stat('/sys/module/bridge')) !== undefined) return 'bridge is loaded or built in';
  if (/bridge\s+.*$/m.test((await host.readText('/proc/modules')) ?? '')) return 'bridge is loaded';
  const modules = `/lib/modules/${release}`;
  if (/.+\/bridge.ko$/m.test((await host.readText(`${modules}/modules.builtin`)) ?? '')) return 'bridge is built in';
  if (/.+\/bridge.ko(\.xz)?:.*$/m.test((await host.readText(`${modules}/modules.dep`)) ?? '')) {
    return 'bridge is loaded when it is needed';
  }
  return undefined;
}

import type { HostReader, Step } from '../core/types.ts';
import { file } from '../resources/file.ts';
import { kernelModule } from '../resources/kernel-module.ts';
import { readSysctl, sysctl } from '../resources/sysctl.ts';
import { mayRunJobs, type Target } from '../target.ts';

const rootOwned = { mode: 0o644, owner: 'root:root' };

/** What Nomad's bridge networking needs, now and after every boot. Source: Nomad's documentation, "Post installation steps". */
export const bridgeSysctls: Readonly<Record<string, string>> = {
  'net.bridge.bridge-nf-call-arptables': '1',
  'net.bridge.bridge-nf-call-ip6tables': '1',
  'net.bridge.bridge-nf-call-iptables': '1',
  'net.ipv4.ip_forward': '1',
};

const sysctlFile = `# Made by nomad-bootstrap: traffic of bridges passes the firewall, and addresses of tasks are routed.
${Object.entries(bridgeSysctls)
  .map(([key, value]) => `${key} = ${value}\n`)
  .join('')}`;

const modulesFile = `# Made by nomad-bootstrap: before Nomad looks for them, and before the bridge settings are read.
bridge
br_netfilter
`;

export const kernel: Step<Target> = {
  id: 'kernel',
  title: 'Kernel features for bridge networking',
  appliesTo: mayRunJobs,
  resources: ({ facts }) => [
    kernelModule('bridge', async host => facts.kernel.bridge || (await host.stat('/sys/module/bridge')) !== undefined),
    kernelModule('br_netfilter', hasBridgeFilter),
    // A kernel with everything built in has nothing to load, and a list that cannot be loaded fails a unit at every boot.
    ...(facts.kernel.hasModules ? [file('/etc/modules-load.d/nomad.conf', modulesFile, rootOwned)] : []),
    file('/etc/sysctl.d/90-nomad.conf', sysctlFile, rootOwned),
    ...Object.entries(bridgeSysctls).map(([key, value]) => sysctl(key, value, 'kernel-module:br_netfilter')),
  ],
};

async function hasBridgeFilter(host: HostReader): Promise<boolean> {
  return (await readSysctl(host, 'net.bridge.bridge-nf-call-iptables')) !== undefined;
}

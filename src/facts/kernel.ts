import type { HostReader } from '../core/types.ts';
import type { CgroupFacts, KernelFacts } from './facts.ts';

/** What the running kernel has of bridge networking. Reads /proc, /sys and /lib/modules; starts no process. */
export async function readKernel(host: HostReader): Promise<KernelFacts> {
  const release = (await host.readText('/proc/sys/kernel/osrelease'))?.trim() ?? '';
  const modules = `/lib/modules/${release}`;
  const [loaded, builtIn, bridgeModule, netfilterModule, netfilterSettings, tree] = await Promise.all([
    host.readText('/proc/modules'),
    host.readText(`${modules}/modules.builtin`),
    host.stat('/sys/module/bridge'),
    host.stat('/sys/module/br_netfilter'),
    // The only trace of a br_netfilter in a kernel without modules.
    host.stat('/proc/sys/net/bridge/bridge-nf-call-iptables'),
    host.stat(`${modules}/modules.dep`),
  ]);
  const has = (name: string) =>
    new RegExp(`^${name} `, 'm').test(loaded ?? '') || new RegExp(`/${name}\\.ko$`, 'm').test(builtIn ?? '');
  const brNetfilter = netfilterModule !== undefined || netfilterSettings !== undefined || has('br_netfilter');
  return {
    release,
    // br_netfilter cannot be there without the bridge.
    bridge: brNetfilter || bridgeModule !== undefined || has('bridge'),
    brNetfilter,
    hasModules: tree !== undefined,
    linodeKernel: /-linode\d+$/.test(release),
  };
}

/** Which cgroup hierarchy is mounted. A hybrid one counts as version 1: Nomad then uses that. */
export async function readCgroups(host: HostReader): Promise<CgroupFacts> {
  const controllers = await host.readText('/sys/fs/cgroup/cgroup.controllers');
  if (controllers !== undefined) return { version: 2, controllers: controllers.split(/\s+/).filter(Boolean) };
  const mounted = new Set(await host.list('/sys/fs/cgroup'));
  if (mounted.size === 0) return { version: 'none', controllers: [] };
  const known = parseCgroups((await host.readText('/proc/cgroups')) ?? '');
  return { version: 1, controllers: known.filter(name => mounted.has(name)) };
}

/** Names of the enabled controllers in /proc/cgroups: columns are name, hierarchy, number of cgroups, enabled. */
function parseCgroups(text: string): readonly string[] {
  return text
    .split('\n')
    .filter(line => !line.startsWith('#'))
    .map(line => line.split(/\s+/))
    .filter(columns => columns[3] === '1')
    .flatMap(([name = '']) => name);
}

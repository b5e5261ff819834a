import type { Step } from '../core/types.ts';
import type { PackageVersion } from '../resolution/resolution.ts';
import { judgeConfiguration } from '../resources/agent.ts';
import { type Exchange, packageHold, packages as packagesOf } from '../resources/packages.ts';
import { type SnapshotSpec, saveState } from '../resources/state-snapshot.ts';
import { isNode, isSecure, isSecureServer, type NodeTarget, type Target } from '../target.ts';
import { consulAgent } from './consul.ts';
import { nomadAgent } from './nomad.ts';

const agents = ['nomad', 'consul'];

/** Both agents at their exact versions and what they need; the agents held against upgrades. */
export const packages: Step<Target> = {
  id: 'packages',
  title: 'Packages of Nomad, Consul and what they need',
  resources(target) {
    const manager = target.platform.packages;
    return [
      packagesOf(manager, wantedPackages(target), exchangeOf(target), target.cutOff),
      ...(manager.holding === undefined ? [] : [packageHold(manager, manager.holding, agents)]),
    ];
  },
};

/**
 * Every package that the target needs; those of bridge networking and Docker only where jobs run, and in an image. A server with a
 * token needs iptables for its metadata shield.
 */
export function wantedPackages(target: Target): readonly PackageVersion[] {
  const { config, facts, platform, resolution } = target;
  const { nomad, consul, docker } = resolution;
  const runsClient = config.node?.runsClient ?? true;
  return [
    { name: 'nomad', version: nomad.packageVersion },
    { name: 'consul', version: consul.packageVersion },
    ...(runsClient ? platform.networkingPackages(facts) : isSecure(target) ? [platform.iptablesPackage] : []).map(
      name => ({ name }),
    ),
    ...(docker.source === 'docker' || docker.source === 'distro' ? docker.packages : []),
  ];
}

/**
 * An agent gets another version only when its server's cluster can do without it and has its state saved; and its new program has to
 * accept the configuration that it is to run with.
 */
function exchangeOf(target: Target): Exchange | undefined {
  if (!isNode(target)) return undefined;
  const specs = [nomadAgent(target), consulAgent(target)];
  const states = target.config.node.runsServer ? statesOf(target) : [];
  return {
    announce: names => states.filter(({ name }) => names.includes(name)).map(({ name }) => `save the state of ${name}`),
    async prepare(host, installed) {
      for (const { name, beforeRestart } of specs) if (installed.has(name)) await beforeRestart(host);
      for (const state of states) {
        const version = installed.get(state.name);
        if (version !== undefined) await saveState(host, state, version);
      }
    },
    async judge(host, names) {
      for (const spec of specs) if (names.includes(spec.name)) await judgeConfiguration(host, spec);
    },
  };
}

function statesOf(target: NodeTarget): readonly SnapshotSpec[] {
  const credentials = isSecureServer(target) ? target.credentials : undefined;
  return [
    {
      name: 'nomad',
      save: ['/usr/bin/nomad', 'operator', 'snapshot', 'save'],
      token: credentials && { variable: 'NOMAD_TOKEN', value: credentials.nomadManagement },
    },
    {
      name: 'consul',
      save: ['/usr/bin/consul', 'snapshot', 'save'],
      token: credentials && { variable: 'CONSUL_HTTP_TOKEN', value: credentials.consulManagement },
    },
  ];
}

import type { Step } from '../core/types.ts';
import type { PackageVersion } from '../resolution/resolution.ts';
import { packageHold, packages as packagesOf } from '../resources/packages.ts';
import type { Target } from '../target.ts';

const agents = ['nomad', 'consul'];

/** Both agents at their exact versions and what they need, in one transaction; the agents held against upgrades. */
export const packages: Step<Target> = {
  id: 'packages',
  title: 'Packages of Nomad, Consul and what they need',
  resources(target) {
    const manager = target.platform.packages;
    return [
      packagesOf(manager, wantedPackages(target)),
      ...(manager.holding === undefined ? [] : [packageHold(manager, manager.holding, agents)]),
    ];
  },
};

/** Every package that the target needs; those of bridge networking and Docker only where jobs run, and in an image. */
export function wantedPackages({ config, facts, platform, resolution }: Target): readonly PackageVersion[] {
  const { nomad, consul, docker } = resolution;
  const runsClient = config.node?.runsClient ?? true;
  return [
    { name: 'nomad', version: nomad.packageVersion },
    { name: 'consul', version: consul.packageVersion },
    ...(runsClient ? platform.networkingPackages(facts).map(name => ({ name })) : []),
    ...(docker.source === 'docker' || docker.source === 'distro' ? docker.packages : []),
  ];
}

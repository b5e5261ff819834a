import type { Resource, Step } from '../core/types.ts';
import { service } from '../resources/service.ts';
import { isNode, mayRunJobs, type Target } from '../target.ts';

/** What Docker's packages enable by themselves; its socket would start it at the first call. */
const units = ['docker.socket', 'docker', 'containerd'];

/** Docker running before Nomad, which looks for it when it starts. In an image, what its packages enabled is disabled. */
export const docker: Step<Target> = {
  id: 'docker',
  title: 'Docker',
  after: ['packages'],
  appliesTo: target => mayRunJobs(target) && target.resolution.docker.source !== 'none',
  resources(target) {
    if (isNode(target)) return [service('docker')];
    if (target.resolution.docker.source === 'present') return [];
    return [...units.map(unit => service(unit, false)), engineWithoutIdentity];
  },
};

/** Docker makes itself an id at its first start, which its package may bring about. Each machine of an image is to have its own. */
const engineId = '/var/lib/docker/engine-id';

const engineWithoutIdentity: Resource = {
  id: `file:${engineId}`,
  async plan(host, before) {
    const comes = [...before].some(id => id.startsWith('packages:'));
    if (!comes && (await host.stat(engineId)) === undefined) return undefined;
    return {
      summary: `remove ${engineId}, of which each machine makes its own`,
      undo: { kind: 'none' },
      apply: target => target.remove(engineId),
    };
  },
};

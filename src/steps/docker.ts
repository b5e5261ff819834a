import type { Step } from '../core/types.ts';
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
    return target.resolution.docker.source === 'present' ? [] : units.map(unit => service(unit, false));
  },
};

import type { Step } from '../core/types.ts';
import { service } from '../resources/service.ts';
import { isNode, type Target } from '../target.ts';

/** Docker running before Nomad, which looks for it when it starts. Not in an image, where nothing is enabled. */
export const docker: Step<Target> = {
  id: 'docker',
  title: 'Docker',
  after: ['packages'],
  appliesTo: target => isNode(target) && target.config.node.runsClient && target.resolution.docker.source !== 'none',
  resources: () => [service('docker')],
};

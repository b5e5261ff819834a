import type { Check } from '../../core/types.ts';
import type { Target } from '../../target.ts';
import { canBeAsked, livingOthers } from './members.ts';

const nodeIdFile = '/opt/consul/node-id';

/**
 * The agents' data are not a copy of another living node's, as on a machine that was cloned: two nodes with one id push each
 * other out of the cluster.
 */
export const dataIsOwn: Check<Target> = {
  id: 'data-is-own',
  title: "The agents' data are this machine's own",
  appliesTo: canBeAsked,
  async run(host, target) {
    const id = (await host.readText(nodeIdFile))?.trim();
    if (id === undefined || id === '') return { status: 'pass', detail: 'there are none yet' };
    const original = (await livingOthers(host, target)).find(({ Tags }) => Tags?.['id'] === id);
    if (original === undefined) return { status: 'pass', detail: id };
    return {
      status: 'fail',
      detail: `they are a copy of those of ${original.Name} at ${original.Addr}`,
      hint: 'if this machine was cloned from that one: systemctl stop nomad consul; rm -rf /opt/consul /opt/nomad/data',
    };
  },
};

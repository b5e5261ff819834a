import type { Check } from '../../core/types.ts';
import type { Target } from '../../target.ts';
import { canBeAsked, livingOthers } from './members.ts';

/**
 * No living node of the cluster has this node's name from another address. The servers to join are asked, as far as their
 * API can be reached: with access control on it cannot, and Consul itself then refuses a name that is taken.
 */
export const nameFree: Check<Target> = {
  id: 'name-free',
  title: "No other node of the cluster has this node's name",
  appliesTo: canBeAsked,
  async run(host, target) {
    const { node } = target.config;
    const taken = (await livingOthers(host, target)).find(({ Name }) => Name === node?.name);
    if (taken === undefined) return { status: 'pass', detail: node?.name ?? '' };
    return {
      status: 'fail',
      detail: `${taken.Name} is alive at ${taken.Addr}`,
      hint: 'give this node another --name; where it replaces that one, let that one leave first (nomad-bootstrap uninstall on it, or consul force-leave)',
    };
  },
};

import type { Check } from '../../core/types.ts';
import { isNode, type Target } from '../../target.ts';

/** The node has an IPv4 address, and the one that it is to use in the cluster is its own. */
export const ipv4: Check<Target> = {
  id: 'ipv4',
  title: 'The node has its IPv4 address',
  appliesTo: target => isNode(target) && target.config.node.network.kind !== 'loopback',
  async run(_host, target) {
    const own = target.facts.addresses.filter(({ family, interface: name }) => family === 4 && name !== 'lo');
    if (own.length === 0) {
      return {
        status: 'fail',
        detail: 'no interface but loopback has an IPv4 address',
        hint: 'give the machine an IPv4 address: Nomad and Consul cannot cluster here on IPv6 alone',
      };
    }
    const wanted = target.config.node?.network.address;
    if (!own.some(({ address }) => address === wanted)) {
      return {
        status: 'fail',
        detail: `${wanted} is on no interface; there are ${own.map(({ address }) => address).join(', ')}`,
        hint: 'bring the interface up, or name another address with --network',
      };
    }
    return { status: 'pass', detail: `${wanted}` };
  },
};

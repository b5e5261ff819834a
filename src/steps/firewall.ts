import type { Step } from '../core/types.ts';
import { type FirewallRule, openInFirewalld, openInUfw } from '../resources/firewall.ts';
import { isNode, type NodeTarget, type Target } from '../target.ts';

/**
 * What the other nodes reach on this one, open for the cluster's network alone where the distribution's firewall is on. Linode's
 * Cloud Firewall is not this machine's.
 */
export const firewall: Step<Target> = {
  id: 'firewall',
  title: "The cluster's ports, open in the distribution's firewall",
  after: [],
  appliesTo: target =>
    isNode(target) && target.config.node.network.kind !== 'loopback' && target.facts.firewall !== 'none',
  resources: target => {
    if (!isNode(target)) return [];
    const rules = firewallRules(target);
    return target.facts.firewall === 'ufw'
      ? [openInUfw(rules)]
      : [openInFirewalld(target.config.node.network.interface, rules)];
  },
};

/**
 * Sources: https://developer.hashicorp.com/nomad/docs/install/production/requirements#ports-used and
 * https://developer.hashicorp.com/consul/docs/reference/architecture/ports
 */
export function firewallRules({ config: { node }, credentials }: NodeTarget): readonly FirewallRule[] {
  const { cidr: from, address: to } = node.network;
  const consulApi = credentials === undefined ? 8500 : 8501;
  const ports: readonly (readonly [FirewallRule['protocol'], number, number?])[] = [
    ...(node.api === 'cluster'
      ? ([
          ['tcp', 4646],
          ['tcp', consulApi],
        ] as const)
      : []),
    ...(node.runsServer
      ? ([
          ['tcp', 4647, 4648],
          ['udp', 4648],
          ['tcp', 8300],
        ] as const)
      : []),
    ['tcp', 8301],
    ['udp', 8301],
    // Of jobs: Nomad's dynamic ports.
    ...(node.runsClient
      ? ([
          ['tcp', 20_000, 32_000],
          ['udp', 20_000, 32_000],
        ] as const)
      : []),
  ];
  return ports.map(([protocol, first, last = first]) => ({ protocol, first, last, from, to }));
}

import { expect, it } from 'vitest';
import { firewall, firewallRules } from '../../src/steps/firewall.ts';
import { isNode, type NodeTarget } from '../../src/target.ts';
import { targetOn } from '../support/target.ts';

function portsOf(target: NodeTarget): readonly string[] {
  return firewallRules(target).map(
    ({ protocol, first, last }) => `${first === last ? first : `${first}-${last}`}/${protocol}`,
  );
}

function withNode(target: NodeTarget, node: Partial<NodeTarget['config']['node']>): NodeTarget {
  return { ...target, config: { ...target.config, node: { ...target.config.node, ...node } } };
}

it('opens what a role listens on, and nothing that is for the node itself', async () => {
  const target = await targetOn('debian-12');
  if (!isNode(target)) throw new Error('a node is a node');
  const client = ['8301/tcp', '8301/udp', '20000-32000/tcp', '20000-32000/udp'];
  const server = ['4647-4648/tcp', '4648/udp', '8300/tcp', '8301/tcp', '8301/udp'];

  expect(portsOf(withNode(target, { runsServer: false, runsClient: true, api: 'loopback' }))).toEqual(client);
  expect(portsOf(withNode(target, { runsServer: true, runsClient: false, api: 'loopback' }))).toEqual(server);
  expect(portsOf(withNode(target, { runsServer: true, runsClient: false, api: 'cluster' }))).toEqual([
    '4646/tcp',
    '8500/tcp',
    ...server,
  ]);
  const { cidr, address } = target.config.node.network;
  expect(new Set(firewallRules(target).map(({ from, to }) => `${from} ${to}`))).toEqual(
    new Set([`${cidr} ${address}`]),
  );
});

it('asks only the firewall that is on, and none for a node on loopback', async () => {
  const target = await targetOn('debian-12');
  if (!isNode(target)) throw new Error('a node is a node');
  const resourcesWith = (kind: 'ufw' | 'firewalld' | 'none') => {
    const on = { ...target, facts: { ...target.facts, firewall: kind } };
    return firewall.appliesTo?.(on) ? firewall.resources(on).map(({ id }) => id) : [];
  };
  expect([resourcesWith('ufw'), resourcesWith('firewalld'), resourcesWith('none')]).toEqual([
    ['firewall:ufw'],
    ['firewall:firewalld'],
    [],
  ]);
  const loopback = withNode(target, { network: { ...target.config.node.network, kind: 'loopback' } });
  expect(firewall.appliesTo?.({ ...loopback, facts: { ...target.facts, firewall: 'ufw' } })).toBe(false);
});

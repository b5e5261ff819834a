import { describe, expect, test } from 'vitest';
import type { InterfaceAddress, LinodeMetadata } from '../../src/core/types.ts';
import { candidateAddresses, overlayAddresses } from '../../src/facts/candidates.ts';

const metadata: LinodeMetadata = {
  id: 1,
  label: 'nomad-s1',
  region: 'de-fra-2',
  type: 'g6-standard-1',
  tags: [],
  interfaces: [
    { purpose: 'public' },
    { purpose: 'vlan', label: 'nomad', ipamAddress: '10.0.0.21/24' },
    { purpose: 'vpc' },
  ],
  publicIpv4: ['203.0.113.21'],
  privateIpv4: [],
};

function on(name: string, address: string, family: 4 | 6 = 4): InterfaceAddress {
  return { interface: name, address, prefixLength: 24, family };
}

function kinds(addresses: readonly InterfaceAddress[], known?: LinodeMetadata): readonly string[] {
  return candidateAddresses(addresses, known).map(candidate => `${candidate.kind} ${candidate.address}`);
}

describe('on a Linode whose metadata is known', () => {
  test('each interface has the kind of its network, best first', () => {
    const addresses = [
      on('eth0', '203.0.113.21'),
      on('eth0', '192.168.140.7'),
      on('eth2', '10.1.0.4'),
      on('eth1', '10.0.0.21'),
    ];
    expect(kinds(addresses, metadata)).toEqual([
      'vlan 10.0.0.21',
      'vpc 10.1.0.4',
      'private 192.168.140.7',
      'public 203.0.113.21',
    ]);
  });

  test('the address of a VLAN is known whatever its interface is called', () => {
    expect(kinds([on('enp0s5', '10.0.0.21')], metadata)).toEqual(['vlan 10.0.0.21']);
  });

  test('a public address is public even where the metadata has a VLAN', () => {
    expect(kinds([on('eth1', '198.18.0.1')], metadata)).toEqual(['public 198.18.0.1']);
  });

  test('a private address that the metadata lists is shared, on whichever interface it is', () => {
    expect(kinds([on('eth2', '192.168.200.1')], { ...metadata, privateIpv4: ['192.168.200.1'] })).toEqual([
      'private 192.168.200.1',
    ]);
  });

  test('the default of one public interface, an empty list, needs no guess', () => {
    expect(kinds([on('eth0', '203.0.113.21'), on('eth0', '192.168.140.7')], { ...metadata, interfaces: [] })).toEqual([
      'private 192.168.140.7',
      'public 203.0.113.21',
    ]);
  });
});

test('without metadata a network that is not public is private: VLAN and VPC are not guessed', () => {
  expect(kinds([on('eth0', '203.0.113.21'), on('eth1', '10.0.0.21'), on('eth2', '100.64.3.4')])).toEqual([
    'private 10.0.0.21',
    'private 100.64.3.4',
    'public 203.0.113.21',
  ]);
});

test.each([
  'docker0',
  'docker_gwbridge',
  'br-3f2a91c04b7e',
  'veth12ab',
  'virbr0',
  'nomad',
  'cni0',
  'lxdbr0',
  'podman1',
  'tailscale0',
  'wg0',
  'tun0',
  'lo',
])('an address on %s is never chosen by itself', name => {
  expect(kinds([on(name, '10.0.0.1')])).toEqual([]);
});

test.each(['eth0', 'ens3', 'enp1s0', 'br0', 'br-lan', 'bond0', 'eth0.100'])('an address on %s is a candidate', name => {
  expect(kinds([on(name, '10.0.0.1')])).toEqual(['private 10.0.0.1']);
});

test('loopback, link-local and IPv6 addresses are no candidates', () => {
  expect(kinds([on('lo', '127.0.0.1'), on('eth0', '169.254.3.4'), on('eth0', 'fd00::1', 6)])).toEqual([]);
});

test('an address on a tunnel, or shared on the loopback interface, is there for whoever names it', () => {
  const addresses = [
    on('lo', '127.0.0.1'),
    on('lo', '203.0.113.9'),
    on('eth0', '10.0.0.1'),
    on('wg0', '10.9.0.1'),
    on('tailscale0', '100.64.0.1'),
    on('wg0', 'fd00::1', 6),
  ];
  expect(overlayAddresses(addresses).map(({ kind, address }) => `${kind} ${address}`)).toEqual([
    'public 203.0.113.9',
    'private 10.9.0.1',
    'private 100.64.0.1',
  ]);
});

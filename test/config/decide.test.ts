import { describe, expect, it } from 'vitest';
import { chooseNetwork } from '../../src/config/choose-network.ts';
import { decide } from '../../src/config/decide.ts';
import { mergeLayers } from '../../src/config/load.ts';
import type { Settings } from '../../src/config/options.ts';
import { parseRecord, recordedLayer, renderRecord } from '../../src/config/record.ts';
import type { CandidateAddress, Facts, NetworkKind } from '../../src/facts/facts.ts';
import type { Resolution } from '../../src/resolution/resolution.ts';

function candidate(name: string, address: string, kind: NetworkKind, prefixLength = 24): CandidateAddress {
  return { interface: name, address, kind, prefixLength, family: 4 };
}

const publicAddress = candidate('eth0', '172.105.1.2', 'public');
const vlan = candidate('eth1', '10.0.0.11', 'vlan');

function facts(over: Partial<Facts> = {}): Facts {
  return { hostname: 'web', candidates: [vlan, publicAddress], addresses: [], linode: undefined, ...over } as Facts;
}

const asked: Settings = { insecure: true };
const resolution: Resolution = {
  hashicorp: { suite: 'bookworm', fallback: false },
  nomad: { version: '2.0.5', packageVersion: '2.0.5-1' },
  consul: { version: '1.21.4', packageVersion: '1.21.4-1' },
  docker: { source: 'none' },
  cni: { version: '1.9.1', url: 'https://example.net/cni.tgz', sha256: '0'.repeat(64) },
};

describe('a server', () => {
  it('is alone unless told otherwise', () => {
    const { node } = decide('server', asked, undefined, facts());

    expect(node).toMatchObject({
      role: 'server',
      runsServer: true,
      runsClient: false,
      expect: 1,
      join: [],
      name: 'web',
      region: 'global',
      datacenter: 'dc1',
      api: 'cluster',
      network: { address: '10.0.0.11', interface: 'eth1', cidr: '10.0.0.0/24', kind: 'vlan' },
    });
  });

  it('leaves itself out of the servers to join, by address and by name', () => {
    const { node } = decide(
      'server',
      { ...asked, expect: 3, join: ['10.0.0.11', '10.0.0.12', 'web'] },
      undefined,
      facts(),
    );

    expect(node?.join).toEqual([{ address: '10.0.0.12' }]);
  });

  it('leaves itself out also where it is named by an address on another network', () => {
    const here = facts();
    const elsewhere = { family: 4, interface: 'eth0', address: '203.0.113.7', prefixLength: 24 } as const;

    const { node } = decide('server', { ...asked, expect: 3, join: ['203.0.113.7', '203.0.113.8'] }, undefined, {
      ...here,
      addresses: [...here.addresses, elsewhere],
    });

    expect(node?.join).toEqual([{ address: '203.0.113.8' }]);
  });

  it('that joins others must be told how many there will be', () => {
    expect(() => decide('server', { ...asked, join: ['10.0.0.12'] }, undefined, facts())).toThrow(
      expect.objectContaining({ code: 'expect-missing', exitCode: 2 }),
    );
  });

  it('runs jobs when it is asked to', () => {
    expect(decide('server', { ...asked, withClient: true }, undefined, facts()).node).toMatchObject({
      runsServer: true,
      runsClient: true,
    });
  });
});

describe('a search by the API of Linode', () => {
  const privateAddress = candidate('eth0', '192.168.150.7', 'private', 17);
  const vpc = candidate('eth1', '10.5.0.2', 'vpc');
  const token = { region: 'global', datacenter: undefined };
  const searching = (join: string, address: CandidateAddress) =>
    decide(
      'server',
      { expect: 3, join: [join], network: address.address },
      undefined,
      facts({ candidates: [address] }),
      token,
    ).node?.join;

  it.each<[CandidateAddress, string]>([
    [privateAddress, 'private_v4'],
    [publicAddress, 'public_v4'],
    [vpc, 'vpc_v4'],
  ])('is for addresses of the kind that the node clusters on (%#)', (address, addressType) => {
    expect(searching('linode:tag=nomad,region=us-east', address)).toEqual([
      { search: { tag: 'nomad', region: 'us-east', addressType } },
    ]);
    expect(searching(`linode:tag=nomad,address-type=${addressType}`, address)).toEqual([
      { search: { tag: 'nomad', addressType } },
    ]);
  });

  it.each<[string, string, CandidateAddress, RegExp]>([
    ['a VLAN, which that API does not know', 'linode:tag=nomad', vlan, /knows no addresses there/],
    ['another network than the own', 'linode:tag=nomad,address-type=vpc_v4', privateAddress, /which is private_v4/],
  ])('is refused for %s', (_, join, address, message) => {
    expect(() => searching(join, address)).toThrow(
      expect.objectContaining({ code: 'bad-setting', exitCode: 2, message: expect.stringMatching(message) }),
    );
  });

  it('is kept by a rerun without flags', () => {
    const shared = facts({ candidates: [privateAddress] });
    const settings = { expect: 3, join: ['linode:tag=nomad,region=us-east', '192.168.150.8'] };
    const first = decide('server', settings, undefined, shared, token);
    const before = parseRecord(renderRecord(first, resolution));

    expect(decide('server', mergeLayers([recordedLayer(before)]), before, shared, token)).toEqual(first);
  });
});

describe('a client', () => {
  it('must be told whom to join', () => {
    expect(() => decide('client', asked, undefined, facts())).toThrow(
      expect.objectContaining({ code: 'join-missing', exitCode: 2 }),
    );
    expect(() => decide('client', { ...asked, join: ['10.0.0.11'] }, undefined, facts())).toThrow(
      expect.objectContaining({ code: 'join-missing' }),
    );
  });

  it('gives jobs neither raw_exec nor privileged containers nor volumes unless asked to', () => {
    expect(decide('client', { ...asked, join: ['10.0.0.12'] }, undefined, facts()).node).toMatchObject({
      rawExec: false,
      dockerPrivileged: false,
      dockerVolumes: false,
      nodePool: 'default',
      expect: 0,
    });
  });
});

describe('an insecure cluster', () => {
  it('must be said aloud, but not for a node on loopback', () => {
    expect(() => decide('server', {}, undefined, facts())).toThrow(
      expect.objectContaining({ code: 'insecure-not-said', exitCode: 2 }),
    );
    expect(decide('dev', {}, undefined, facts()).node).toMatchObject({
      role: 'dev',
      api: 'loopback',
      network: { address: '127.0.0.1' },
    });
  });

  it.each([
    ['the internet', publicAddress],
    ['every customer of the data centre', candidate('eth0', '192.168.150.7', 'private', 17)],
  ])('is refused where it would be open to %s', (_, address) => {
    const settings = { ...asked, network: address.address };

    expect(() => decide('server', settings, undefined, facts({ candidates: [address] }))).toThrow(
      expect.objectContaining({ code: 'insecure-network', exitCode: 2 }),
    );
  });
});

describe('identity', () => {
  const linode = { label: 'Nomad_S1', region: 'us-east', tags: [], source: 'metadata' } as const;

  it("is the Linode's label and region, made fit for DNS", () => {
    expect(decide('server', asked, undefined, facts({ linode })).node).toMatchObject({
      name: 'nomad-s1',
      datacenter: 'dc-us-east-1',
    });
  });

  it('is not guessed on a Linode that does not know itself', () => {
    const unknown = facts({ linode: { tags: [], source: 'none' } });

    expect(() => decide('server', { ...asked, name: 'a' }, undefined, unknown)).toThrow(
      expect.objectContaining({ code: 'identity-unknown', exitCode: 3 }),
    );
    expect(
      decide('server', { ...asked, name: 'a', datacenter: 'dc-us-east-1' }, undefined, unknown).node,
    ).toMatchObject({ name: 'a' });
  });

  it.each([
    ['nomad.s1', 'nomad-s1'],
    [`${'a'.repeat(62)}_b`, 'a'.repeat(62)],
    ['-x-', 'x'],
  ])('is all of the label %s that fits, and can be given again as --name', (label, name) => {
    const { node } = decide('server', asked, undefined, facts({ linode: { ...linode, label } }));

    expect(node?.name).toBe(name);
    expect(mergeLayers([{ place: String, values: { name } }])).toEqual({ name });
  });

  it('is the first part of a host name, whose rest is a domain', () => {
    expect(decide('server', asked, undefined, facts({ hostname: 'web-1.example.net' })).node?.name).toBe('web-1');
  });

  it.each(['localhost', 'localhost.localdomain', '', '---', '日本'])('is not taken from a host called %j', hostname => {
    expect(() => decide('server', asked, undefined, facts({ hostname }))).toThrow(
      expect.objectContaining({ code: 'bad-setting' }),
    );
  });
});

describe('the network', () => {
  const docker = candidate('eth2', '10.9.0.1', 'vpc');

  it.each<[string, readonly CandidateAddress[], string]>([
    ['auto', [vlan, publicAddress], '10.0.0.11'],
    ['auto', [vlan, docker, publicAddress], '10.0.0.11'],
    ['vpc', [vlan, docker, publicAddress], '10.9.0.1'],
    ['eth0', [vlan, publicAddress], '172.105.1.2'],
    ['10.0.0.0/16', [vlan, publicAddress], '10.0.0.11'],
    ['10.0.0.11', [vlan, publicAddress], '10.0.0.11'],
    ['public', [vlan, publicAddress], '172.105.1.2'],
    ['wg0', [vlan, publicAddress], '10.8.0.2'],
    ['private', [candidate('eth1', '10.7.0.1', 'private')], '10.7.0.1'],
  ])('%s is the one address that fits', (wish, candidates, address) => {
    const tunnel = { interface: 'wg0', address: '10.8.0.2', prefixLength: 24, family: 4 } as const;

    expect(chooseNetwork(wish, facts({ candidates, addresses: [tunnel] }))).toMatchObject({ address });
  });

  it.each<[string, string, readonly CandidateAddress[], RegExp]>([
    ['only a public address', 'auto', [publicAddress], /only a public address/],
    ['no address at all', 'auto', [], /no IPv4 address/],
    ['two VLANs', 'auto', [vlan, candidate('eth2', '10.1.0.11', 'vlan')], /2 addresses/],
    ['an interface that is not there', 'eth7', [vlan], /fits no address/],
    ['a network that is not there', '10.3.0.0/24', [vlan], /fits no address/],
  ])('is not guessed with %s', (_, wish, candidates, message) => {
    expect(() => chooseNetwork(wish, facts({ candidates }))).toThrow(
      expect.objectContaining({ code: 'network-undecided', exitCode: 3, message: expect.stringMatching(message) }),
    );
  });
});

describe('a node that was bootstrapped', () => {
  const settings: Settings = {
    ...asked,
    expect: 3,
    join: ['10.0.0.12'],
    meta: { a: 'b' },
    nodeClass: 'c',
    mirror: 'https://m',
  };
  const recorded = parseRecord(renderRecord(decide('server', settings, undefined, facts()), resolution));

  it('keeps every setting on a rerun without flags', () => {
    const again = mergeLayers([recordedLayer(recorded)]);

    expect(decide('server', again, recorded, facts())).toEqual(decide('server', settings, undefined, facts()));
  });

  it('keeps every setting of an image, a client and a node for development too', () => {
    for (const role of ['image', 'client', 'dev'] as const) {
      const first = decide(role, settings, undefined, facts());
      const before = parseRecord(renderRecord(first, resolution));

      expect(decide(role, mergeLayers([recordedLayer(before)]), before, facts())).toEqual(first);
    }
  });

  it('keeps the version that was asked for once as the one that is installed, and records no wish', () => {
    const asked = renderRecord(
      decide('server', { ...settings, nomadVersion: '2.0.4' }, undefined, facts()),
      resolution,
    );

    expect(asked).toBe(renderRecord(decide('server', settings, undefined, facts()), resolution));
  });

  it('keeps the kind of its network where the metadata that told it is silent', () => {
    const silent = facts({ candidates: [{ ...vlan, kind: 'private' }] });

    const again = decide('server', mergeLayers([recordedLayer(recorded)]), recorded, silent);

    expect(again.node?.network).toEqual(recorded.config.node?.network);
    expect(again.node?.network.kind).toBe('vlan');
  });

  it('takes a new setting', () => {
    const again = mergeLayers([{ place: String, values: { expect: '5' } }, recordedLayer(recorded)]);

    expect(decide('server', again, recorded, facts()).node).toMatchObject({
      expect: 5,
      join: [{ address: '10.0.0.12' }],
    });
  });

  it('does not take the recorded checksum of the CNI plug-ins for that of another version', () => {
    const cniSha256 = 'a'.repeat(64);
    const own = decide('server', { ...settings, cniVersion: '1.2.3', cniSha256 }, undefined, facts());
    const before = parseRecord(renderRecord(own, resolution));
    const rerun = (values: Settings) =>
      decide('server', mergeLayers([{ place: String, values }, recordedLayer(before, values)]), before, facts());

    expect(rerun({}).packages).toMatchObject({ cniVersion: '1.2.3', cniSha256 });
    expect(() => rerun({ cniVersion: '1.2.4' })).toThrow(
      expect.objectContaining({ code: 'bad-setting', hint: expect.stringContaining('--cni-sha256') }),
    );
    expect(rerun({ cniVersion: '1.9.1' }).packages).not.toHaveProperty('cniSha256');
  });

  it.each(['client', 'dev', 'image'] as const)('refuses to become another role: %s', role => {
    expect(() => decide(role, settings, recorded, facts())).toThrow(
      expect.objectContaining({
        code: 'settings-conflict',
        exitCode: 2,
        hint: expect.stringContaining('nomad-bootstrap server'),
      }),
    );
  });

  it.each<[string, Parameters<typeof decide>[0], Settings]>([
    ['name', 'server', { name: 'other' }],
    ['region', 'server', { region: 'other' }],
    ['datacenter', 'server', { datacenter: 'other' }],
  ])('refuses another %s', (what, role, change) => {
    expect(() => decide(role, { ...settings, ...change }, recorded, facts())).toThrow(
      expect.objectContaining({ code: 'settings-conflict', exitCode: 2, message: expect.stringContaining(what) }),
    );
  });

  it('says that its cluster address is gone, and not that a flag is wrong which nobody gave', () => {
    const moved = facts({ candidates: [{ ...vlan, address: '10.0.0.99' }] });

    expect(() => decide('server', mergeLayers([recordedLayer(recorded)]), recorded, moved)).toThrow(
      expect.objectContaining({
        code: 'network-undecided',
        message: "this node's cluster address is 10.0.0.11, which no interface has now; there are: 10.0.0.99 on eth1",
      }),
    );
  });

  it('refuses another cluster address', () => {
    const moved = facts({ candidates: [{ ...vlan, address: '10.0.0.99' }] });

    expect(() => decide('server', settings, recorded, moved)).toThrow(
      expect.objectContaining({ code: 'settings-conflict' }),
    );
  });
});

describe('a cluster with a token', () => {
  const token = { region: 'global', datacenter: 'dc1' };

  it('keeps its APIs on loopback unless told otherwise, and may be on any network', () => {
    const { node } = decide('server', {}, undefined, facts({ candidates: [vlan] }), token);

    expect(node).toMatchObject({ insecure: false, api: 'loopback', region: 'global', datacenter: 'dc1' });
    const settings = { network: publicAddress.address };
    expect(decide('server', settings, undefined, facts(), token).node?.network.kind).toBe('public');
  });

  it('opens its APIs to the cluster when it is asked to, and keeps that', () => {
    expect(decide('server', { api: 'cluster' }, undefined, facts(), token).node?.api).toBe('cluster');
  });

  it.each([
    ['region', { region: 'eu' }],
    ['datacenter', { datacenter: 'dc2' }],
  ])('refuses another %s than that of its token', (what, settings) => {
    expect(() => decide('server', settings, undefined, facts(), token)).toThrow(
      expect.objectContaining({ code: 'settings-conflict', exitCode: 2, message: expect.stringContaining(what) }),
    );
  });

  it.each(['server', 'client'] as const)('is what a %s without one is shown how to make', role => {
    expect(() => decide(role, { join: ['10.0.0.12'] }, undefined, facts())).toThrow(
      expect.objectContaining({
        code: 'insecure-not-said',
        exitCode: 2,
        detail: expect.stringMatching(
          new RegExp(`token ${role === 'server' ? 'create' : 'client'}.*\n.*nomad-bootstrap ${role} --token-file`),
        ),
      }),
    );
  });
});

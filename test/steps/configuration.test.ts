import { describe, expect, it } from 'vitest';
import { decide } from '../../src/config/decide.ts';
import type { Settings } from '../../src/config/options.ts';
import { Secret } from '../../src/core/secret.ts';
import type { Facts } from '../../src/facts/facts.ts';
import type { Resolution } from '../../src/resolution/resolution.ts';
import { consulConfig } from '../../src/steps/consul.ts';
import { nomadConfig } from '../../src/steps/nomad.ts';
import type { NodeTarget } from '../../src/target.ts';
import { credentialsOf } from '../../src/token/credentials.ts';
import { parseToken } from '../../src/token/format.ts';
import { testClientToken, testServerToken } from '../token/vectors.ts';

const linode = { label: 'nomad-1', region: 'us-east', tags: [], source: 'metadata' } as const;
const candidates: Facts['candidates'] = [
  { interface: 'eth1', address: '10.0.0.11', prefixLength: 24, family: 4, kind: 'vlan' },
  { interface: 'eth2', address: '10.5.0.2', prefixLength: 24, family: 4, kind: 'vpc' },
  { interface: 'eth0', address: '172.105.1.2', prefixLength: 24, family: 4, kind: 'public' },
];

/** What differs between the families in what is rendered: SELinux. */
const systems: Readonly<Record<string, Partial<Facts>>> = {
  debian: { selinux: 'disabled' },
  redhat: { selinux: 'enforcing' },
};

const three: Settings = { insecure: true, expect: 3, join: ['10.0.0.11', '10.0.0.12', 'nomad-s3'] };
/** By Linode's API, on the address that is not on a VLAN. */
const searched: Settings = { ...three, join: ['linode:tag=nomad,region=us-east'], network: '10.5.0.2' };
const roles: Readonly<Record<string, readonly ['server' | 'client' | 'dev', Settings]>> = {
  server: ['server', three],
  'server-alone': ['server', { insecure: true }],
  'server-with-client': ['server', { ...three, withClient: true }],
  client: ['client', three],
  'client-with-everything': [
    'client',
    {
      ...three,
      api: 'loopback',
      nodePool: 'edge',
      nodeClass: 'big',
      meta: { rack: 'r1', note: 'a "quoted" \\ value' },
      rawExec: true,
      dockerPrivileged: true,
      dockerVolumes: true,
    },
  ],
  'client-without-docker': ['client', { ...three, docker: 'none' }],
  'server-that-searches': ['server', searched],
  'client-that-searches': ['client', searched],
  dev: ['dev', {}],
};

function targetOf(role: string, system: string): NodeTarget {
  const [command, settings] = roles[role] ?? ['dev', {}];
  const facts = { hostname: 'nomad-1', linode, candidates, addresses: [], ...systems[system] } as unknown as Facts;
  return {
    facts,
    config: decide(command, settings, undefined, facts),
    platform: {},
    resolution: { consul: { version: '1.21.4' } } as Resolution,
  } as NodeTarget;
}

describe.each(Object.keys(systems))('on a %s system', system => {
  it.each(Object.keys(roles))('%s gets exactly these configurations', async role => {
    const target = targetOf(role, system);

    await expect(consulConfig(target)).toMatchFileSnapshot(`../golden/config/${system}/${role}.consul.hcl`);
    await expect(nomadConfig(target)).toMatchFileSnapshot(`../golden/config/${system}/${role}.nomad.hcl`);
  });
});

it('an older Consul gets its web interface under the name that it knows', () => {
  const target = targetOf('server', 'debian');
  const older = { ...target, resolution: { consul: { version: '1.8.7' } } as Resolution };

  expect(consulConfig(older)).toContain('\nui = true\n');
  expect(consulConfig(older)).not.toContain('ui_config');
});

describe('a value from a user', () => {
  it.each(['$' + '{env.SECRET}', '%{ if true }'])('cannot make the agent evaluate %s', value => {
    const target = targetOf('client', 'debian');
    const hostile = { ...target, config: { ...target.config, node: { ...target.config.node, meta: { key: value } } } };

    expect(() => nomadConfig(hostile)).toThrow(expect.objectContaining({ code: 'bad-setting' }));
  });

  it('cannot end its string', () => {
    const target = targetOf('client', 'debian');
    const hostile = {
      ...target,
      config: { ...target.config, node: { ...target.config.node, meta: { key: 'x"\n}\nplugin "raw_exec" {' } } },
    };

    expect(nomadConfig(hostile)).toContain(String.raw`"key" = "x\"\n}\nplugin \"raw_exec\" {"`);
  });
});

describe('with a token', () => {
  it.each([
    ['server', testServerToken, 'loopback'],
    ['server', testServerToken, 'cluster'],
    ['client', testClientToken, 'loopback'],
    ['client', testClientToken, 'cluster'],
  ] as const)('a %s gets exactly these configurations, which are secret (%#)', async (role, token, api) => {
    const facts = { hostname: 'nomad-1', linode, candidates, addresses: [], selinux: 'disabled' } as unknown as Facts;
    const credentials = await credentialsOf(parseToken(new Secret(token)));
    const { insecure, ...settings } = three;
    const resolution = { consul: { version: '1.21.4' } };
    const config = decide(role, { ...settings, api }, undefined, facts, credentials);
    const target = { facts, config, platform: {}, resolution, credentials } as unknown as NodeTarget;
    const [consul, nomad] = [consulConfig(target), nomadConfig(target)];

    if (!(consul instanceof Secret && nomad instanceof Secret))
      expect.fail('a configuration with secrets is not secret');
    const name = `../golden/config/token/${role}-api-${api}`;
    await expect(consul.reveal()).toMatchFileSnapshot(`${name}.consul.hcl`);
    await expect(nomad.reveal()).toMatchFileSnapshot(`${name}.nomad.hcl`);
  });
});

/** The checks of a cluster with a token, each answer that they can give, on described nodes. */
import { describe, expect, it } from 'vitest';
import { acls } from '../../src/checks/acls.ts';
import { certificates } from '../../src/checks/certificates.ts';
import { gossipEncryption } from '../../src/checks/gossip-encryption.ts';
import type { HealthCheck } from '../../src/checks/health-check.ts';
import { metadataShielded } from '../../src/checks/metadata-shielded.ts';
import { secretsPermissions } from '../../src/checks/secrets-permissions.ts';
import { tlsRoles } from '../../src/checks/tls-roles.ts';
import { workloadIdentity } from '../../src/checks/workload-identity.ts';
import { Secret } from '../../src/core/secret.ts';
import type { Handshake } from '../../src/core/types.ts';
import { bindingRules } from '../../src/resources/nomad-workloads.ts';
import { certificateOf } from '../../src/resources/server-certificate.ts';
import type { NodeTarget } from '../../src/target.ts';
import { makeLeaf } from '../../src/token/certificates.ts';
import { credentialsOf, serverCredentials } from '../../src/token/credentials.ts';
import { createServerToken, parseToken } from '../../src/token/format.ts';
import { type FixtureDescription, type FixtureFile, fixtureHost } from '../support/fixture-host.ts';
import { testClientToken, testServerToken } from '../token/vectors.ts';

const now = new Date('2026-12-01T12:00:00Z');
const dayMs = 86_400_000;

async function target(token = testServerToken, node: object = {}): Promise<NodeTarget> {
  const credentials = await credentialsOf(parseToken(new Secret(token)));
  const isServer = credentials.kind === 'server';
  const network = { address: '10.0.0.11', interface: 'eth1', cidr: '10.0.0.0/24', kind: 'vlan' };
  const own = {
    runsServer: isServer,
    runsClient: !isServer,
    name: 'n1',
    region: 'global',
    datacenter: 'dc1',
    api: 'loopback',
    network,
  };
  return {
    credentials,
    config: { node: { ...own, join: [{ address: '10.0.0.12' }], ...node } },
  } as unknown as NodeTarget;
}

async function ask(
  check: HealthCheck,
  description: FixtureDescription,
  of: Promise<NodeTarget> = target(),
): Promise<string> {
  const { status, detail, hint } = await check.run(fixtureHost({ now, ...description }), await of);
  if (status === 'warn' || status === 'fail') expect(hint).toMatch(/\w/);
  return `${status}: ${detail}`;
}

/** A server's certificate with this much of its life left, where both agents have it. */
async function withLeaf(daysLeft: number, token = testServerToken): Promise<Record<string, FixtureFile>> {
  const parsed = parseToken(new Secret(token));
  if (parsed.kind !== 'server') throw new Error('a server token');
  const spec = certificateOf({ config: (await target()).config, credentials: await serverCredentials(parsed) }, 0);
  const notAfter = new Date(now.getTime() + daysLeft * dayMs);
  const leaf = await makeLeaf(spec.authority, {
    ...spec,
    notBefore: new Date(notAfter.getTime() - 365 * dayMs),
    notAfter,
  });
  const files = (['consul', 'nomad'] as const).flatMap(unit => [
    [`/etc/${unit}.d/tls/agent.pem`, { content: leaf.certificate, mode: 0o640, owner: `${unit}:${unit}` }],
    [`/etc/${unit}.d/tls/agent-key.pem`, { content: leaf.key.reveal(), mode: 0o640, owner: `${unit}:${unit}` }],
  ]);
  return Object.fromEntries(files);
}

describe('certificates', () => {
  it('pass while there is time, warn for 90 days, and fail when they have ended', async () => {
    expect(await ask(certificates, { files: await withLeaf(200) })).toBe('pass: valid until 2027-06-19');
    expect(await ask(certificates, { files: await withLeaf(89) })).toBe('warn: they end on 2027-02-28');
    expect(await ask(certificates, { files: await withLeaf(-1) })).toMatch(/^fail: .*it has ended/);
  });

  it("fail where they are missing, of another authority, another server's, or open", async () => {
    expect(await ask(certificates, {})).toMatch(/^fail: .*there is none/);
    expect(await ask(certificates, { files: await withLeaf(200, createServerToken(now).reveal()) })).toMatch(
      /^fail: .*of another authority/,
    );
    expect(await ask(certificates, { files: await withLeaf(200) }, target(testServerToken, { name: 'n2' }))).toMatch(
      /^fail: .*other names/,
    );
    const files = await withLeaf(200);
    const key = files['/etc/nomad.d/tls/agent-key.pem'] as { content: string };
    const open = { ...files, '/etc/nomad.d/tls/agent-key.pem': { ...key, mode: 0o644, owner: 'nomad:nomad' } };
    expect(await ask(certificates, { files: open })).toMatch(/^fail: .*another mode or owner/);
  });

  it("are a client's own, from its token", async () => {
    const client = parseToken(new Secret(testClientToken));
    if (client.kind !== 'client') throw new Error('a client token');
    const files = Object.fromEntries(
      ['consul', 'nomad'].flatMap(unit => [
        [`/etc/${unit}.d/tls/agent.pem`, client.certificate],
        [`/etc/${unit}.d/tls/agent-key.pem`, client.key.reveal()],
      ]),
    );
    expect(await ask(certificates, { files }, target(testClientToken))).toBe('pass: valid until 2036-11-22');
    const mixed = { ...files, '/etc/nomad.d/tls/agent.pem': 'nonsense' };
    expect(await ask(certificates, { files: mixed }, target(testClientToken))).toMatch(/^fail: .*cannot be read/);
    expect(await ask(certificates, {}, target(testClientToken))).toMatch(/^fail: .*there is none/);
  });
});

describe('secrets-permissions', () => {
  const right: Record<string, FixtureFile> = {
    '/etc/nomad-bootstrap/token': { content: 'x', mode: 0o600, owner: 'root:root' },
    '/etc/nomad.d/nomad.hcl': { content: 'x', mode: 0o640, owner: 'nomad:nomad' },
    '/etc/nomad.d/nomad.env': '# NOMAD_TOKEN is not for here\n',
  };
  const directories = {
    '/etc/nomad-bootstrap': { mode: 0o700 },
    '/opt/consul': { mode: 0o700, owner: 'consul:consul' },
  };

  it('passes where all is closed', async () => {
    expect(await ask(secretsPermissions, { files: right, directories })).toMatch(/^pass/);
  });

  it.each<[string, Record<string, FixtureFile>, Record<string, object>, RegExp]>([
    ['the token', { '/etc/nomad-bootstrap/token': { content: 'x', mode: 0o644 } }, {}, /token has mode 644/],
    [
      'a configuration',
      { '/etc/nomad.d/nomad.hcl': { content: 'x', mode: 0o640, owner: 'www-data:root' } },
      {},
      /is of www-data/,
    ],
    ["Consul's data", {}, { '/opt/consul': { mode: 0o755, owner: 'consul:consul' } }, /\/opt\/consul has mode 755/],
    ['what tasks inherit', { '/etc/nomad.d/nomad.env': 'CONSUL_HTTP_TOKEN=abc\n' }, {}, /every task inherits/],
  ])('fails where %s is open', async (_what, files, folders, words) => {
    const answer = await ask(secretsPermissions, {
      files: { ...right, ...files },
      directories: { ...directories, ...folders },
    });
    expect(answer).toMatch(/^fail/);
    expect(answer).toMatch(words);
  });
});

describe('tls-roles', () => {
  const handshakes = (nomad: Handshake, without: Handshake, consul: Handshake = 'accepted') => ({
    handshakes: {
      '10.0.0.11:4647': nomad,
      '10.0.0.11:4647 without certificate': without,
      '10.0.0.11:8300': consul,
      '10.0.0.11:8300 without certificate': 'refused' as const,
    },
  });

  it.each<[Handshake, Handshake, RegExp]>([
    ['accepted', 'refused', /^pass/],
    ['silent', 'silent', /^warn: nomad on 10\.0\.0\.11:4647 does not answer/],
    ['plain', 'plain', /^fail: .*speaks without TLS/],
    ['foreign', 'foreign', /^fail: .*does not prove to be a server/],
    ['refused', 'refused', /^fail: .*refuses this node's certificate/],
    ['accepted', 'accepted', /^fail: .*hears whoever has no certificate/],
  ])('says what it means that a server is %s with a certificate and %s without', async (withOne, without, words) => {
    expect(await ask(tlsRoles, handshakes(withOne, without))).toMatch(words);
  });

  it('asks Consul as well', async () => {
    expect(await ask(tlsRoles, handshakes('accepted', 'refused', 'foreign'))).toMatch(/^fail: consul on/);
  });
});

describe('gossip-encryption', () => {
  const stats = (consul: string, nomad: string) => ({
    requests: {
      'GET http://127.0.0.1:8500/v1/agent/self': {
        body: JSON.stringify({ Stats: { serf_lan: { encrypted: consul } } }),
      },
      'GET http://127.0.0.1:4646/v1/agent/self': { body: JSON.stringify({ stats: { serf: { encrypted: nomad } } }) },
    },
  });

  it('is of both agents on a server, and of Consul alone on a client', async () => {
    expect(await ask(gossipEncryption, stats('true', 'true'))).toMatch(/^pass/);
    expect(await ask(gossipEncryption, stats('false', 'true'))).toBe('fail: consul gossips in the clear');
    expect(await ask(gossipEncryption, stats('true', 'false'))).toBe('fail: nomad gossips in the clear');
    expect(await ask(gossipEncryption, stats('true', 'false'), target(testClientToken))).toMatch(/^pass/);
  });
});

describe('acls', () => {
  const answers = (jobs: number, tokens = 403) => ({
    requests: {
      'GET http://127.0.0.1:4646/v1/jobs': { status: jobs },
      'GET http://127.0.0.1:4646/v1/nodes': { status: 403 },
      'GET http://127.0.0.1:8500/v1/agent/self': { status: 403 },
      'GET http://127.0.0.1:8500/v1/acl/tokens': { status: tokens },
    },
  });

  it('holds while both agents refuse whoever has no token', async () => {
    expect(await ask(acls, answers(403))).toMatch(/^pass/);
    expect(await ask(acls, answers(200))).toBe('fail: Nomad answers 200 to /v1/jobs without a token');
    expect(await ask(acls, answers(403, 401))).toMatch(/^pass/);
    expect(await ask(acls, answers(403, 404))).toBe('fail: Consul answers 404 to /v1/acl/tokens without a token');
  });
});

describe('workload-identity', () => {
  const answers = (method: object, rules: readonly object[], keys = 200) => ({
    requests: {
      'GET http://127.0.0.1:8500/v1/acl/auth-method/nomad-workloads': { body: JSON.stringify(method) },
      'GET http://127.0.0.1:8500/v1/acl/binding-rules?authmethod=nomad-workloads': { body: JSON.stringify(rules) },
      'GET http://127.0.0.1:4646/.well-known/jwks.json': { status: keys },
    },
  });
  const url = 'http://127.0.0.1:4646/.well-known/jwks.json';
  const method = { Type: 'jwt', Config: { JWKSURL: url } };

  it('passes as it was set up, and fails where a part is missing', async () => {
    expect(await ask(workloadIdentity, answers(method, bindingRules))).toBe(`pass: nomad-workloads: keys from ${url}`);
    expect(await ask(workloadIdentity, answers(method, bindingRules.slice(1)))).toBe('fail: no rule binds service');
    expect(await ask(workloadIdentity, answers({ ...method, Type: 'kubernetes' }, bindingRules))).toMatch(
      /^fail: .*not jwt/,
    );
    expect(await ask(workloadIdentity, answers(method, bindingRules, 404))).toMatch(/^fail: Nomad answers 404/);
  });

  it('warns while the servers differ in where they have the keys', async () => {
    const secure = { ...method, Config: { JWKSURL: url.replace('http', 'https') } };
    expect(await ask(workloadIdentity, answers(secure, bindingRules))).toMatch(
      /^warn: .*https.*this server has them at http:/,
    );
  });
});

describe('metadata-shielded', () => {
  const rules = (address: string, chains: readonly string[]) =>
    ['-P PREROUTING ACCEPT', ...chains.map(chain => `-A ${chain} -d ${address} -j DROP`)].join('\n');
  const shield = (
    v4: readonly string[],
    v6: readonly string[] = ['OUTPUT -m owner ! --uid-owner 0', 'PREROUTING'],
  ) => ({
    files: { '/proc/net/if_inet6': '' },
    commands: {
      'iptables -w -t raw -S': { stdout: rules('169.254.169.254/32', v4) },
      'ip6tables -w -t raw -S': { stdout: rules('fd00:a9fe:a9fe::1/128', v6) },
    },
  });

  it('holds where both chains of both families drop it', async () => {
    expect(await ask(metadataShielded, shield(['OUTPUT -m owner ! --uid-owner 0', 'PREROUTING']))).toMatch(/^pass/);
    expect(await ask(metadataShielded, shield(['PREROUTING']))).toBe(
      'fail: 169.254.169.254 can be asked: no rule in OUTPUT',
    );
    expect(await ask(metadataShielded, shield(['OUTPUT x', 'PREROUTING'], []))).toMatch(/^fail: fd00:a9fe:a9fe::1/);
  });

  it('asks nothing of IPv6 where there is none, and tells of an iptables that does not work', async () => {
    const { commands } = shield(['OUTPUT x', 'PREROUTING'], []);
    expect(await ask(metadataShielded, { commands })).toMatch(/^pass/);
    const broken = { 'iptables -w -t raw -S': { exitCode: 3, stderr: "can't initialize iptables table\nmore" } };
    expect(await ask(metadataShielded, { commands: broken })).toBe("fail: iptables: can't initialize iptables table");
  });
});

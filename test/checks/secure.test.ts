import { describe, expect, test } from 'vitest';
import { healthChecks } from '../../src/checks/index.ts';
import { runChecks } from '../../src/core/run-checks.ts';
import { Secret } from '../../src/core/secret.ts';
import { authMethod, bindingRules } from '../../src/resources/nomad-workloads.ts';
import { makeLeaf } from '../../src/token/certificates.ts';
import { credentialsOf, serverCredentials } from '../../src/token/credentials.ts';
import { parseToken, type ServerToken } from '../../src/token/format.ts';
import type { FixtureAnswer, FixtureFile } from '../support/fixture-host.ts';
import { testClientToken, testServerToken } from '../token/vectors.ts';
import {
  answerOf,
  consulUrl,
  describedClient,
  describedServer,
  idsByStatus,
  json,
  type NodeDescription,
  nomadUrl,
  resultOf,
} from './node.ts';

const token = parseToken(new Secret(testServerToken)) as ServerToken;
const server = await serverCredentials(token);
const client = await credentialsOf(parseToken(new Secret(testClientToken)));
if (client.kind !== 'client') throw new Error('a client token');
const { certificate, key } = client;
const stranger = await serverCredentials({ ...token, seed: new Secret('00'.repeat(32)) });

/** The first server, as one of a cluster with a token. */
function secureServer(different: NodeDescription = {}) {
  const node = { region: 'global', datacenter: 'dc1', ...different.node };
  return describedServer('three-servers', { credentials: server, ...different, node });
}

function secureClient(different: NodeDescription = {}) {
  const node = { region: 'global', datacenter: 'dc1', ...different.node };
  return describedClient({ credentials: client, ...different, node });
}

function tlsFiles(agents: Readonly<Record<'nomad' | 'consul', { readonly cert: string; readonly key: string }>>) {
  return Object.fromEntries(
    Object.entries(agents).flatMap(([unit, own]): [string, FixtureFile][] => [
      [`/etc/${unit}.d/tls/agent.pem`, { content: own.cert, mode: 0o640, owner: `${unit}:${unit}` }],
      [`/etc/${unit}.d/tls/agent-key.pem`, { content: own.key, mode: 0o640, owner: `${unit}:${unit}` }],
    ]),
  );
}

async function leafOf(authority: typeof server.authority, notBefore: string, notAfter: string) {
  const leaf = await makeLeaf(authority, {
    commonName: 'server.global.nomad',
    dnsNames: ['server.global.nomad', 'server.dc1.consul', 'nomad-s1', 'localhost'],
    addresses: ['127.0.0.1', '127.0.1.11'],
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
  });
  return { cert: leaf.certificate, key: leaf.key.reveal() };
}

const both = (own: { readonly cert: string; readonly key: string }) => tlsFiles({ nomad: own, consul: own });

describe('by the answers of real agents of a cluster with a token', () => {
  const accepted = Object.fromEntries(
    ['4647', '8300'].flatMap(port => [
      [`10.77.0.11:${port}`, 'accepted' as const],
      [`10.77.0.11:${port} without certificate`, 'refused' as const],
    ]),
  );
  const agents = { 'nomad.d/tls': 'nomad:nomad', 'consul.d/tls': 'consul:consul' };
  const folders = Object.entries(agents).map(([path, owner]) => [`/etc/${path}`, { mode: 0o750, owner }] as const);
  const common = {
    handshakes: accepted,
    directories: {
      ...Object.fromEntries(folders),
      '/var/lib/nomad-bootstrap': { mode: 0o700 },
      '/opt/consul': { mode: 0o700, owner: 'consul:consul' },
      '/opt/nomad/data': { mode: 0o700 },
    },
  };
  const shielded = {
    'iptables -w -t raw -S': {
      stdout:
        '-A PREROUTING -d 169.254.169.254/32 -j DROP\n-A OUTPUT -d 169.254.169.254/32 -m owner ! --uid-owner 0 -j DROP\n',
    },
  };
  // It is asked with and without a token for the same: see below.
  const others = { skip: ['acls'] };

  test('nothing fails on a server, and its own checks pass', async () => {
    const leaf = await makeLeaf(server.authority, {
      commonName: 'server.global.nomad',
      dnsNames: ['server.global.nomad', 'server.dc1.consul', 'server1', 'localhost'],
      addresses: ['127.0.0.1', '10.77.0.11'],
      notBefore: new Date('2026-11-20'),
      notAfter: new Date('2027-11-20'),
    });
    const network = { address: '10.77.0.11', interface: 'eth1', cidr: '10.77.0.0/24', kind: 'vlan' } as const;
    const node = { name: 'server1', region: 'global', datacenter: 'dc1', expect: 1, join: [], network };
    const files = both({ cert: leaf.certificate, key: leaf.key.reveal() });
    const described = describedServer('secure-server', {
      ...common,
      credentials: server,
      node,
      files,
      commands: shielded,
      directories: { ...common.directories, '/opt/nomad/data': { mode: 0o700, owner: 'nomad:nomad' } },
      facts: { addresses: [{ interface: 'eth1', address: '10.77.0.11', prefixLength: 24, family: 4 }] },
    });

    const { fail, warn, pass } = await idsByStatus(described, others);

    expect({ fail, warn }).toEqual({ fail: [], warn: [] });
    expect(pass).toEqual(
      expect.arrayContaining([
        'certificates',
        'secrets-permissions',
        'metadata-shielded',
        'tls-roles',
        'gossip-encryption',
        'workload-identity',
      ]),
    );
  });

  test('nothing fails on a client with Docker, which may not ask its own agent about itself', async () => {
    const network = { address: '10.77.0.13', interface: 'eth1', cidr: '10.77.0.0/24', kind: 'vlan' } as const;
    const join = [{ address: '10.77.0.11' }];
    const node = { name: 'client1', region: 'global', datacenter: 'dc1', join, network, rawExec: false };
    const files = {
      ...both({ cert: certificate, key: key.reveal() }),
      '/opt/nomad/data/client/client-id': '7af92555-d7c6-8a14-31a0-8b585ed53ad6',
    };
    const addresses = [{ interface: 'eth1', address: '10.77.0.13', prefixLength: 24, family: 4 }] as const;
    const more = {
      ...common,
      credentials: client,
      node,
      files,
      commands: shielded,
      docker: 'docker',
      facts: { addresses },
    } as const;

    const { fail, warn, pass } = await idsByStatus(describedClient(more, 'secure-client'), others);

    // The node of the laboratory had no cgroups for the exec driver.
    expect({ fail, warn }).toEqual({ fail: [], warn: ['nomad-client-drivers'] });
    expect(pass).toEqual(
      expect.arrayContaining([
        'docker',
        'certificates',
        'metadata-shielded',
        'tls-roles',
        'gossip-encryption',
        'nomad-client-ready',
      ]),
    );
  });
});

describe('certificates', () => {
  // It is 22 November 2026 there.
  test.each([
    ['pass', '2026-11-20', '2027-11-20', /^valid until 2027-11-20$/],
    ['warn', '2026-03-01', '2027-02-01', /^they end on 2027-02-01$/],
    ['fail', '2025-11-01', '2026-11-01', /it has ended/],
    ['fail', '2026-12-01', '2027-12-01', /not valid yet/],
  ])('%s on a server for the life from %s to %s', async (status, from, to, detail) => {
    const files = both(await leafOf(server.authority, from, to));

    expect(await resultOf('certificates', secureServer({ files }))).toMatchObject({
      status,
      detail: expect.stringMatching(detail),
    });
  });

  test('fail on a server for another authority, another key, two certificates, and none', async () => {
    const own = await leafOf(server.authority, '2026-11-20', '2027-11-20');
    const second = await leafOf(server.authority, '2026-11-20', '2027-11-20');
    const foreign = await leafOf(stranger.authority, '2026-11-20', '2027-11-20');
    const faults: readonly (readonly [Record<string, FixtureFile>, RegExp])[] = [
      [both(foreign), /another authority/],
      [both({ cert: own.cert, key: second.key }), /its key is of another/],
      [tlsFiles({ nomad: own, consul: second }), /different ones/],
      [both({ cert: 'nonsense', key: own.key }), /cannot be read/],
      [{}, /there is none/],
    ];
    for (const [files, detail] of faults) {
      expect(await resultOf('certificates', secureServer({ files }))).toMatchObject({
        status: 'fail',
        detail: expect.stringMatching(detail),
        hint: expect.stringContaining('nomad-bootstrap'),
      });
    }
  });

  test("pass on a client with its token's, and fail with another", async () => {
    const own = { cert: certificate, key: key.reveal() };
    const foreign = await leafOf(stranger.authority, '2026-11-20', '2027-11-20');

    expect(await resultOf('certificates', secureClient({ files: both(own) }))).toMatchObject({
      status: 'pass',
      detail: 'valid until 2036-11-22',
    });
    expect(await resultOf('certificates', secureClient({ files: both(foreign) }))).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('of another authority'),
    });
  });
});

describe('secrets-permissions', () => {
  const closed = { content: 'x', mode: 0o600, owner: 'root:root' };

  test('pass where the files are closed, and no token is in what tasks inherit', async () => {
    const files = { '/etc/nomad-bootstrap/token': closed, '/etc/nomad.d/nomad.env': '# NOMAD_TOKEN=x\nHTTP_PROXY=y\n' };

    expect(await resultOf('secrets-permissions', secureServer({ files, directories: [] }))).toMatchObject({
      // The described folders are made for their files, and are open.
      detail: expect.not.stringMatching(/token|nomad\.env/),
    });
  });

  test.each<[string, Record<string, FixtureFile>, RegExp]>([
    ['a mode', { '/etc/nomad-bootstrap/token': { ...closed, mode: 0o644 } }, /token has mode 644/],
    ['an owner', { '/etc/nomad-bootstrap/token': { ...closed, owner: 'nomad:nomad' } }, /token is of nomad:nomad/],
    ['a token', { '/etc/nomad.d/nomad.env': 'export CONSUL_HTTP_TOKEN=abc\n' }, /nomad\.env holds a token/],
  ])('fail for %s', async (_, files, detail) => {
    expect(await resultOf('secrets-permissions', secureServer({ files }))).toMatchObject({
      status: 'fail',
      detail: expect.stringMatching(detail),
    });
  });
});

describe('metadata-shielded', () => {
  const rules = (address: string) =>
    `-P PREROUTING ACCEPT\n-A PREROUTING -d ${address} -j DROP\n-A OUTPUT -d ${address} -m owner ! --uid-owner 0 -j DROP\n`;
  const shielded = {
    'iptables -w -t raw -S': { stdout: rules('169.254.169.254/32') },
    'ip6tables -w -t raw -S': { stdout: rules('fd00:a9fe:a9fe::1/128') },
  };
  const files = { '/proc/net/if_inet6': '' };

  test('pass with a rule in each chain of each family', async () => {
    expect(await resultOf('metadata-shielded', secureClient({ files, commands: shielded }))).toMatchObject({
      status: 'pass',
    });
  });

  test.each([
    [
      'a chain',
      { 'iptables -w -t raw -S': { stdout: rules('169.254.169.254/32').replace('-A OUTPUT', '-A OTHER') } },
      /no rule stops them in OUTPUT/,
    ],
    [
      'the exception being for root',
      { 'iptables -w -t raw -S': { stdout: rules('169.254.169.254/32').replace('-owner 0', '-owner 1000') } },
      /no rule stops them in OUTPUT/,
    ],
    [
      'being the first to speak of it',
      {
        'iptables -w -t raw -S': {
          stdout: `-A PREROUTING -d 169.254.169.254/32 -j ACCEPT\n${rules('169.254.169.254/32')}`,
        },
      },
      /no rule stops them in PREROUTING/,
    ],
    [
      'being the first to speak of a network that holds it',
      {
        'iptables -w -t raw -S': {
          stdout: `-A OUTPUT -d 169.254.0.0/16 -j ACCEPT\n${rules('169.254.169.254/32')}`,
        },
      },
      /no rule stops them in OUTPUT/,
    ],
    [
      'IPv6',
      { 'ip6tables -w -t raw -S': { stdout: '-P OUTPUT ACCEPT\n' } },
      /fd00.*no rule stops them in OUTPUT and PREROUTING/,
    ],
    ['the program', { 'iptables -w -t raw -S': { exitCode: 127, stderr: 'not found\n' } }, /iptables: not found/],
  ])('fail without %s', async (_, commands, detail) => {
    expect(
      await resultOf('metadata-shielded', secureClient({ files, commands: { ...shielded, ...commands } })),
    ).toMatchObject({
      status: 'fail',
      detail: expect.stringMatching(detail),
    });
  });
});

describe('tls-roles', () => {
  const files = both({ cert: certificate, key: key.reveal() });
  const right = {
    '127.0.1.11:4647': 'accepted',
    '127.0.1.11:4647 without certificate': 'refused',
    '127.0.1.11:8300': 'accepted',
    '127.0.1.11:8300 without certificate': 'refused',
  } as const;

  test('pass where both refuse whoever has no certificate, seen from a server and from a client', async () => {
    for (const described of [secureServer({ files, handshakes: right }), secureClient({ files, handshakes: right })]) {
      expect(await resultOf('tls-roles', described)).toMatchObject({ status: 'pass' });
    }
  });

  test.each([
    ['warn', { '127.0.1.11:8300': 'silent' }, /consul on 127\.0\.1\.11:8300 does not answer/],
    ['fail', { '127.0.1.11:4647': 'plain' }, /speaks without TLS/],
    ['fail', { '127.0.1.11:4647': 'foreign' }, /does not prove to be a server/],
    ['fail', { '127.0.1.11:8300': 'refused' }, /refuses this node's certificate/],
    ['fail', { '127.0.1.11:8300 without certificate': 'accepted' }, /hears whoever has no certificate/],
  ] as const)('%s when %j', async (status, different, detail) => {
    expect(await resultOf('tls-roles', secureServer({ files, handshakes: { ...right, ...different } }))).toMatchObject({
      status,
      detail: expect.stringMatching(detail),
    });
  });
});

describe('gossip-encryption', () => {
  test('fails with whom it finds talking in the clear', async () => {
    const body = answerOf('three-servers', `${nomadUrl}/v1/agent/self`);

    expect(await resultOf('gossip-encryption', secureServer())).toMatchObject({
      status: 'fail',
      detail: 'consul and nomad gossip in the clear',
    });
    body.stats.serf.encrypted = 'true';
    expect(
      await resultOf(
        'gossip-encryption',
        secureServer({ requests: { [`GET ${nomadUrl}/v1/agent/self`]: json(body) } }),
      ),
    ).toMatchObject({
      status: 'fail',
      detail: 'consul gossips in the clear',
      hint: expect.stringContaining('/etc/consul.d'),
    });
  });

  test('passes where both encrypt, and on a client asks Consul alone', async () => {
    const nomad = answerOf('three-servers', `${nomadUrl}/v1/agent/self`);
    const consul = answerOf('three-servers', `${consulUrl}/v1/agent/self`);
    nomad.stats.serf.encrypted = 'true';
    consul.Stats.serf_lan.encrypted = 'true';
    const consulAnswer = { [`GET ${consulUrl}/v1/agent/self`]: json(consul) };
    const requests = { ...consulAnswer, [`GET ${nomadUrl}/v1/agent/self`]: json(nomad) };

    expect(await resultOf('gossip-encryption', secureServer({ requests }))).toMatchObject({ status: 'pass' });
    expect(await resultOf('gossip-encryption', secureClient({ requests: consulAnswer }))).toMatchObject({
      status: 'pass',
    });
  });
});

describe('a server that has not had a leader yet', () => {
  const requests = (leader: string): Record<string, FixtureAnswer> => ({
    [`GET ${nomadUrl}/v1/agent/self`]: { status: 403, body: 'Permission denied' },
    [`GET ${nomadUrl}/v1/status/leader?stale`]: json(leader),
    [`GET ${consulUrl}/v1/agent/self`]: 'unreachable',
  });

  test('is told why it refuses its own token, and what to do', async () => {
    expect(await resultOf('nomad-agent', secureServer({ requests: requests('') }))).toMatchObject({
      status: 'fail',
      detail: 'Nomad has no leader, and knows no token before it has heard of one',
      hint: expect.stringContaining('bring up the other servers'),
    });
    expect(await resultOf('nomad-agent', secureServer({ requests: requests('10.77.0.11:4647') }))).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('403'),
    });
  });

  test('has a moment to hear of one, since a start is no fault', async () => {
    const waits = async (answer: FixtureAnswer) => {
      const { host, target } = await secureServer({
        requests: { ...requests(''), [`GET ${nomadUrl}/v1/agent/self`]: answer },
      });
      const startedAt = host.now().getTime();
      await runChecks(healthChecks, host, target, { only: ['nomad-agent'] });
      return host.now().getTime() - startedAt;
    };

    expect(await waits({ status: 403, body: 'Permission denied' })).toBe(4000);
    expect(await waits({ status: 500, body: 'oh no' })).toBe(0);
  });

  test('does not fail for what Consul holds back until then', async () => {
    expect(await resultOf('gossip-encryption', secureServer({ requests: requests('') }))).toMatchObject({
      status: 'warn',
      hint: expect.stringContaining('consul-leader'),
    });
  });
});

describe('acls', () => {
  const refusal: FixtureAnswer = { status: 403, body: 'Permission denied' };
  const closed = Object.fromEntries(
    [`${nomadUrl}/v1/jobs`, `${nomadUrl}/v1/nodes`, `${consulUrl}/v1/agent/self`, `${consulUrl}/v1/acl/tokens`].map(
      url => [`GET ${url}`, refusal],
    ),
  );

  test('pass where every one of them is refused', async () => {
    expect(await resultOf('acls', secureServer({ requests: closed }))).toMatchObject({ status: 'pass' });
  });

  test.each(Object.keys(closed))('fail when %s is answered', async request => {
    const requests = { ...closed, [request]: json([]) };

    expect(await resultOf('acls', secureServer({ requests }))).toMatchObject({
      status: 'fail',
      detail: expect.stringMatching(/answers 200 to .* without a token/),
    });
  });

  test.each([429, 500])('are not called open for an answer of %i, which tells nothing', async status => {
    const requests = { ...closed, [`GET ${nomadUrl}/v1/jobs`]: { status, body: 'No cluster leader' } };

    expect(await resultOf('acls', secureServer({ requests }))).toMatchObject({
      status: 'warn',
      detail: expect.stringContaining(`Nomad answers ${status} to /v1/jobs`),
    });
  });
});

describe('workload-identity', () => {
  const method = `GET ${consulUrl}/v1/acl/auth-method/${authMethod}`;
  const rules = `GET ${consulUrl}/v1/acl/binding-rules?authmethod=${authMethod}`;
  const keys = `GET ${nomadUrl}/.well-known/jwks.json`;
  const right = {
    [method]: json({ Type: 'jwt', Config: { JWKSURL: 'http://127.0.0.1:4646/.well-known/jwks.json' } }),
    [rules]: json(bindingRules),
    [keys]: json({ keys: [] }),
  };

  test('warns while Consul asks for the keys elsewhere than this server has them', async () => {
    const elsewhere = {
      [method]: json({ Type: 'jwt', Config: { JWKSURL: 'https://127.0.0.1:4646/.well-known/jwks.json' } }),
    };
    expect(await resultOf('workload-identity', secureServer({ requests: { ...right, ...elsewhere } }))).toMatchObject({
      status: 'warn',
      hint: expect.stringContaining('--api'),
    });
  });

  test('passes with the method, its rules and the keys', async () => {
    expect(await resultOf('workload-identity', secureServer({ requests: right }))).toMatchObject({ status: 'pass' });
  });

  test.each<[string, Record<string, FixtureAnswer>, RegExp]>([
    ['the method', { [method]: { status: 404, body: 'ACL not found' } }, /answered 404/],
    ['the type', { [method]: json({ Type: 'kubernetes', Config: { JWKSURL: '' } }) }, /of type kubernetes/],
    ['a rule', { [rules]: json(bindingRules.slice(0, 1)) }, /no rule binds role/],
    ['the keys', { [keys]: { status: 500, body: '' } }, /Nomad answers 500/],
  ])('fails without %s', async (_, different, detail) => {
    expect(await resultOf('workload-identity', secureServer({ requests: { ...right, ...different } }))).toMatchObject({
      status: 'fail',
      detail: expect.stringMatching(detail),
    });
  });
});

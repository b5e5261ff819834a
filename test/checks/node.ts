import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { healthChecks } from '../../src/checks/index.ts';
import type { NodeConfig } from '../../src/config/config.ts';
import { type CheckSelection, runChecks } from '../../src/core/run-checks.ts';
import type { CheckResult } from '../../src/core/types.ts';
import type { Facts } from '../../src/facts/facts.ts';
import { debian } from '../../src/platforms/debian.ts';
import { isNode, type NodeTarget } from '../../src/target.ts';
import type { Credentials } from '../../src/token/credentials.ts';
import {
  type FixtureAnswer,
  type FixtureDescription,
  type FixtureFile,
  type FixtureHost,
  fixtureHost,
} from '../support/fixture-host.ts';
import { clientNode, targetOn } from '../support/target.ts';

/**
 * What real agents (Nomad 2.0.5, Consul 1.21.4) answered: files of test/fixtures/agents. `three-servers` and `client` are
 * of one healthy cluster; in `server-failed` and `server-gone` its second server was killed 30 s and 60 s before; in
 * `majority-lost` the third as well; `forming` is the first server of three before there are others. `secure-server` and
 * `secure-client` are of a cluster with the token of the test vectors, asked with what these nodes ask with; the client has Docker 26.1.5.
 */
export type Scenario =
  | 'three-servers'
  | 'client'
  | 'server-failed'
  | 'server-gone'
  | 'majority-lost'
  | 'forming'
  | 'secure-server'
  | 'secure-client';

type Answers = Record<string, { readonly status: number; readonly body: unknown } | 'unreachable'>;

export function recorded(scenario: Scenario): Answers {
  return JSON.parse(readFileSync(new URL(`../fixtures/agents/${scenario}.json`, import.meta.url), 'utf8'));
}

export const nomadUrl = 'http://127.0.0.1:4646';
export const consulUrl = 'http://127.0.0.1:8500';

/** What one recorded answer is, as JSON to be altered by a test. */
// biome-ignore lint/suspicious/noExplicitAny: an answer of any agent
export function answerOf(scenario: Scenario, path: string): any {
  const answer = recorded(scenario)[`GET ${path}`];
  if (answer === undefined || answer === 'unreachable') throw new Error(`${scenario} has no answer to ${path}`);
  return answer.body;
}

/** An answer of JSON. */
export function json(body: unknown, status = 200): FixtureAnswer {
  return { status, body: JSON.stringify(body) };
}

export interface NodeDescription {
  readonly node?: Partial<NodeConfig>;
  readonly facts?: Partial<Facts>;
  readonly docker?: 'docker' | 'none';
  /** Replaces or, with `undefined`, takes away files. */
  readonly files?: Readonly<Record<string, FixtureFile | undefined>>;
  readonly directories?: FixtureDescription['directories'];
  readonly symlinks?: FixtureDescription['symlinks'];
  readonly commands?: FixtureDescription['commands'];
  /** By `GET url`, instead of what was recorded. */
  readonly requests?: Readonly<Record<string, FixtureAnswer>>;
  readonly space?: FixtureDescription['space'];
  readonly handshakes?: FixtureDescription['handshakes'];
  /** What follows from the token of its cluster. */
  readonly credentials?: Credentials;
}

export interface DescribedNode {
  readonly host: FixtureHost;
  readonly target: NodeTarget;
}

const archiveDigest = 'b98f74a0f8522f0a83867178729c1aa70f2158f90c45a2ca8fa791db1c76b303';
const pluginNames = ['bridge', 'firewall', 'host-local', 'loopback', 'macvlan', 'portmap'];

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** What sha256sum prints of the plugins, with another digest for some. */
export function pluginDigests(different: Readonly<Record<string, string | undefined>> = {}): string {
  return pluginNames
    .map(name => ({ name, digest: name in different ? different[name] : sha256(name) }))
    .flatMap(({ name, digest }) => (digest === undefined ? [] : [`${digest}  /opt/cni/bin/${name}\n`]))
    .join('');
}

export const digestsQuery = `sha256sum -- ${pluginNames.map(name => `/opt/cni/bin/${name}`).join(' ')}`;

const bridgeSettings = `net.bridge.bridge-nf-call-arptables = 1
net.bridge.bridge-nf-call-ip6tables = 1
net.bridge.bridge-nf-call-iptables = 1
net.ipv4.ip_forward = 1
`;

/** Listening sockets as /proc/net/tcp has them; an address is given in the kernel's hexadecimal. */
export function tcpTable(...sockets: readonly string[]): string {
  return tcpTableOf(0, ...sockets);
}

/** The same, of sockets that a user opened. */
export function tcpTableOf(user: number, ...sockets: readonly string[]): string {
  const lines = sockets.map(
    (local, index) => `   ${index}: ${local} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 ${user} 0 1`,
  );
  return `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n${lines.join('\n')}\n`;
}

const files: Readonly<Record<string, string>> = {
  '/sys/module/bridge/refcnt': '0\n',
  '/proc/modules': 'br_netfilter 36864 0 - Live 0x0\nbridge 311296 1 br_netfilter, Live 0x0\n',
  '/proc/sys/net/bridge/bridge-nf-call-arptables': '1\n',
  '/proc/sys/net/bridge/bridge-nf-call-ip6tables': '1\n',
  '/proc/sys/net/bridge/bridge-nf-call-iptables': '1\n',
  '/proc/sys/net/ipv4/ip_forward': '1\n',
  '/etc/modules-load.d/nomad.conf': 'bridge\nbr_netfilter\n',
  '/etc/sysctl.d/90-nomad.conf': `# Made by nomad-bootstrap\n${bridgeSettings}`,
  '/run/systemd/timesync/synchronized': '',
  ...Object.fromEntries(pluginNames.map(name => [`/opt/cni/bin/${name}`, name])),
  '/var/lib/nomad-bootstrap/cni-plugins.json': JSON.stringify({
    sha256: archiveDigest,
    files: Object.fromEntries(pluginNames.map(name => [name, sha256(name)])),
  }),
  // 127.0.1.11 is the recorded servers' address; a socket of SSH on all addresses is nobody's business here.
  '/proc/net/tcp': tcpTable('0B01007F:1227', '0100007F:1226', '0100007F:2134', '00000000:0016'),
  '/proc/net/tcp6': tcpTable('00000000000000000000000000000000:0016'),
};

const commands: FixtureDescription['commands'] = {
  'dpkg --get-selections consul nomad': { stdout: 'consul\t\t\thold\nnomad\t\t\thold\n' },
  'systemctl is-enabled consul.service nomad.service': { stdout: 'enabled\nenabled\n' },
  'systemctl is-enabled consul.service nomad.service docker.service': { stdout: 'enabled\nenabled\nenabled\n' },
  [digestsQuery]: { stdout: pluginDigests() },
};

/** The first of the recorded servers, in health but for what is said differently. */
export function describedServer(scenario: Scenario, different: NodeDescription = {}): Promise<DescribedNode> {
  return describe(
    scenario,
    {
      name: 'nomad-s1',
      datacenter: 'us-east',
      network: { address: '127.0.1.11', interface: 'eth1', cidr: '127.0.1.0/24', kind: 'vlan' },
      join: [{ address: '127.0.1.12' }, { address: '127.0.1.13' }],
      api: 'loopback',
    },
    different,
  );
}

/** The recorded client, in health but for what is said differently. It was recorded without Docker. */
export function describedClient(
  different: NodeDescription = {},
  scenario: 'client' | 'secure-client' = 'client',
): Promise<DescribedNode> {
  return describe(
    scenario,
    {
      ...clientNode,
      name: 'nomad-c1',
      datacenter: 'us-east',
      network: { address: '127.0.1.21', interface: 'eth1', cidr: '127.0.1.0/24', kind: 'vlan' },
      join: [{ address: '127.0.1.11' }, { address: '127.0.1.12' }],
      api: 'loopback',
      rawExec: true,
    },
    different,
  );
}

async function describe(
  scenario: Scenario,
  node: Partial<NodeConfig>,
  different: NodeDescription,
): Promise<DescribedNode> {
  const target = await targetOn('debian-12', {
    node: { ...node, ...different.node },
    platform: debian,
    facts: { installed: { nomad: '2.0.5', consul: '1.21.4' }, ...different.facts },
    resolution: {
      docker: different.docker === 'docker' ? { source: 'present' } : { source: 'none' },
      cni: { version: '1.9.1', url: 'https://example.net/cni.tgz', sha256: archiveDigest },
    },
  });
  if (!isNode(target)) throw new Error('a described node is a node');
  const { credentials } = different;
  const answers = Object.entries(recorded(scenario)).map(([key, answer]): [string, FixtureAnswer] => [
    key,
    answer === 'unreachable' ? answer : json(answer.body, answer.status),
  ]);
  const nodeId = answerOf(scenario, `${consulUrl}/v1/agent/self`).Config.NodeID;
  const allFiles = Object.entries({ ...files, '/opt/consul/node-id': nodeId, ...different.files });
  const host = fixtureHost({
    files: Object.fromEntries(allFiles.flatMap(([path, content]) => (content === undefined ? [] : [[path, content]]))),
    handshakes: different.handshakes ?? {},
    directories: different.directories ?? [],
    symlinks: different.symlinks ?? {},
    commands: { ...commands, ...different.commands },
    requests: { ...Object.fromEntries(answers), ...different.requests },
    ...(different.space === undefined ? {} : { space: different.space }),
    now: new Date('2026-11-22T15:10:00Z'),
  });
  return { host, target: credentials === undefined ? target : { ...target, credentials } };
}

/** The result of one check, asked alone: with nothing that it needs. */
export async function resultOf(id: string, described: Promise<DescribedNode>): Promise<CheckResult> {
  const { host, target } = await described;
  const [result] = await runChecks(healthChecks, host, target, { only: [id] });
  if (result === undefined) throw new Error(`no result of ${id}`);
  return result;
}

/** Checks that ask nothing of a cluster without a token. */
export const withTokenOnly: ReadonlySet<string> = new Set([
  'certificates',
  'secrets-permissions',
  'metadata-shielded',
  'tls-roles',
  'gossip-encryption',
  'acls',
  'workload-identity',
]);

/** Ids of all checks by what became of them. */
export async function idsByStatus(
  described: Promise<DescribedNode>,
  selection: CheckSelection = {},
): Promise<Readonly<Record<string, string[]>>> {
  const { host, target } = await described;
  const results = await runChecks(healthChecks, host, target, selection);
  const ids: Record<string, string[]> = { pass: [], warn: [], fail: [], skip: [] };
  for (const { id, status } of results) {
    // These nodes are of a cluster without a token.
    if (status !== 'skip' || !withTokenOnly.has(id)) ids[status]?.push(id);
  }
  return ids;
}

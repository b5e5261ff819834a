import * as z from 'zod';
import { BootstrapError, hasCode, type Obstacle, obstacleOf } from '../core/errors.ts';
import type { HostReader, HttpResponse } from '../core/types.ts';
import { consulApi, nomadApi } from '../own-agents.ts';

/** An agent of this node, reached on loopback. */
export interface Agent {
  readonly name: 'Nomad' | 'Consul';
  readonly unit: 'nomad' | 'consul';
  readonly url: string;
}

export const nomad: Agent = { name: 'Nomad', unit: 'nomad', url: nomadApi };
export const consul: Agent = { name: 'Consul', unit: 'consul', url: consulApi };

/** Below a check's own time, so that the reason is the agent's silence and not the check's. */
const timeoutMs = 4000;

/**
 * What an agent answers to a GET, in the shape of `schema`. Throws `agent-silent` when no answer comes, `agent-refused`
 * for another status than 200 (and `alsoStatus`) and `agent-unreadable` for a body of another shape: each with what an
 * operator can do.
 */
export async function readAgent<T>(
  host: HostReader,
  agent: Agent,
  path: string,
  schema: z.ZodType<T>,
  alsoStatus?: number,
): Promise<T> {
  const response = await askAgent(host, agent, path);
  const text = new TextDecoder().decode(response.body);
  if (response.status !== 200 && response.status !== alsoStatus) throw refusal(agent, path, response.status, text);
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) {
    const place = parsed.error.issues[0]?.path.join('.');
    throw new BootstrapError(
      'agent-unreadable',
      `${agent.name}'s answer to ${path} cannot be read${place ? ` (at ${place})` : ''}: ${firstLine(text) || 'it is empty'}`,
      {
        hint: `see what listens there: ss -ltnp 'sport = :${new URL(agent.url).port}'; it should be ${agent.name} alone`,
      },
    );
  }
  return parsed.data;
}

/** Whatever an agent answers to a GET. Throws `agent-silent` when no answer comes. */
export async function askAgent(
  host: HostReader,
  agent: Agent,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpResponse> {
  try {
    return await host.request(`${agent.url}${path}`, { headers, timeoutMs });
  } catch (error) {
    if (!hasCode(error, 'unreachable') && !hasCode(error, 'upstream-refused')) throw error;
    throw silence(agent, path, error);
  }
}

/** Why no answer came, and what to do about it. */
function silence(agent: Agent, path: string, error: BootstrapError): BootstrapError {
  const { name, unit } = agent;
  const { host: place, port } = new URL(agent.url);
  const { obstacle, reason } = obstacleOf(error) ?? { obstacle: 'nobody' as const, reason: '' };
  const explanations: Readonly<Record<Obstacle['obstacle'], readonly [message: string, hint: string]>> = {
    nobody: [
      `nothing answers on ${place}`,
      `start it and see why it stopped: systemctl restart ${unit}; journalctl -u ${unit} -n 50`,
    ],
    late: [
      `${name} did not answer ${path} within ${timeoutMs / 1000} s`,
      `see what it waits for: journalctl -u ${unit} -n 50; a server that cannot be reached makes it wait`,
    ],
    tls: [
      `${name} on ${place} cannot be asked over TLS: ${reason}`,
      `its certificate must be this cluster's and in force: nomad-bootstrap verify --only certificates; look for a tls block of your own in /etc/${unit}.d, then: systemctl restart ${unit}`,
    ],
    other: [
      `${name} on ${place} gave no answer to ${path}: ${reason}`,
      `see what listens there: ss -ltnp 'sport = :${port}'; it should be ${name} alone: journalctl -u ${unit} -n 50`,
    ],
  };
  const [message, hint] = explanations[obstacle];
  return new BootstrapError('agent-silent', message, { hint, cause: error });
}

function refusal(agent: Agent, path: string, status: number, text: string): BootstrapError {
  const reason = firstLine(text);
  return new BootstrapError(
    'agent-refused',
    `${agent.name} answered ${status} to ${path}${reason === '' ? '' : `: ${reason}`}`,
    { hint: hintFor(agent, status, reason) },
  );
}

function hintFor(agent: Agent, status: number, reason: string): string {
  if (status === 403 || status === 401) {
    return `access control is on, and this run has no token that may ask ${agent.name} this: see the acl block in /etc/${agent.unit}.d`;
  }
  if (/HTTPS server/i.test(reason)) {
    return `${agent.name}'s API asks for HTTPS where plain HTTP was configured: see the tls block in /etc/${agent.unit}.d`;
  }
  if (/no (cluster leader|path to region|known)/i.test(reason)) {
    return `it cannot reach a leader: journalctl -u ${agent.unit} -n 50 says which server does not answer`;
  }
  return `see ${agent.name}'s own words: journalctl -u ${agent.unit} -n 50`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Short enough for a line of a report. */
function firstLine(text: string): string {
  const line = text.trim().split('\n')[0] ?? '';
  return line.length > 120 ? `${line.slice(0, 120)}...` : line;
}

/**
 * Nomad's `/v1/agent/self`: about the agent alone, so it answers without a leader too. Where access control is on, a client may
 * not ask its own agent that: then it is what its servers know of the node, and they must be there to tell.
 */
export async function readNomadSelf(host: HostReader): Promise<z.infer<typeof nomadSelf>> {
  try {
    return await readAgent(host, nomad, '/v1/agent/self', nomadSelf);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    const nodeId = (await host.readText(nodeIdPath))?.trim();
    if (nodeId !== undefined) return readRegisteredSelf(host, nodeId);
    if ((await readNomadLeader(host)) !== '') throw error;
    throw new BootstrapError('agent-refused', 'Nomad has no leader, and knows no token before it has heard of one', {
      hint: 'whom it misses is in journalctl -u nomad -n 50; where the cluster is just being made, bring up the other servers, and run nomad-bootstrap again on the last: it sets up access control',
      cause: error,
    });
  }
}

/** The leader's address, or the empty string. Nobody needs a token for it. */
export function readNomadLeader(host: HostReader): Promise<string> {
  // `stale` lets a server without a leader say so at once, instead of after 5 s.
  return readAgent(host, nomad, '/v1/status/leader?stale', z.string());
}

/** Source: client/client.go (setupNodeID), Nomad 2.0.5. */
const nodeIdPath = '/opt/nomad/data/client/client-id';

async function readRegisteredSelf(host: HostReader, nodeId: string): Promise<z.infer<typeof nomadSelf>> {
  const [node, members] = await Promise.all([
    readAgent(host, nomad, `/v1/node/${nodeId}`, registeredNode),
    readAgent(host, nomad, '/v1/agent/members', z.object({ ServerRegion: z.string() })),
  ]);
  return {
    config: {
      NodeName: node.Name,
      Region: members.ServerRegion,
      Datacenter: node.Datacenter,
      Version: { Version: node.Attributes['nomad.version'] ?? '' },
      AdvertiseAddrs: { HTTP: node.HTTPAddr, RPC: '', Serf: '' },
      Server: { Enabled: false },
      Client: { Enabled: true },
    },
    // It has just asked one.
    stats: { client: { node_id: nodeId, known_servers: 'some' } },
  };
}

const registeredNode = z.object({
  Name: z.string(),
  Datacenter: z.string(),
  HTTPAddr: z.string(),
  Attributes: z.record(z.string(), z.string()),
});

/** Access control is on, and whoever asked may not know this. */
function isForbidden(error: unknown): boolean {
  return error instanceof BootstrapError && error.code === 'agent-refused' && / answered 40[13] /.test(error.message);
}

/** Where Consul 1.21.4 keeps the id that it tells the others as its tag `id`. Source: agent/nodeid.go. */
const consulNodeIdPath = '/opt/consul/node-id';

/**
 * This node's Consul as it tells the others of itself: its own entry among the members, by its id and so whatever it calls
 * itself, or else, where its data are elsewhere, by the `name` that it should have. `/v1/agent/self` would say the same, but
 * without a leader Consul holds that, and all else of its local state, for up to 10 s: behind the registrations that it cannot
 * deliver (agent/local/state.go, seen with 1.21.4). Throws as {@link readAgent} does, and `agent-unreadable` where it is not
 * among them.
 */
export async function readOwnConsul(host: HostReader, name: string): Promise<ConsulMember> {
  const [members, nodeId] = await Promise.all([readConsulMembers(host), host.readText(consulNodeIdPath)]);
  const own =
    members.find(({ id }) => id !== undefined && id === nodeId?.trim()) ?? members.find(member => member.name === name);
  if (own !== undefined) return own;
  throw new BootstrapError(
    'agent-unreadable',
    members.length === 0
      ? 'Consul names no member, not even itself'
      : `none of the ${members.length} members that Consul names is this node, by the name ${name} or the id in ${consulNodeIdPath}`,
    {
      hint:
        members.length === 0
          ? `access control hides them from a run without a token: see the acl block in /etc/${consul.unit}.d`
          : `look for a node_name, node_id or data_dir of your own in /etc/${consul.unit}.d; where the file is gone, write back what Consul's /v1/agent/self calls NodeID: a restart would make another node of this one`,
    },
  );
}

/** One agent as gossip sees it. */
export interface Member {
  readonly name: string;
  readonly address: string;
  readonly server: boolean;
  /** `left`: on purpose, and so of no concern. */
  readonly state: 'alive' | 'left' | 'failed';
  /** `X.Y.Z`. */
  readonly version: string;
  /** bootstrap_expect, which servers tell each other; `undefined` on clients. */
  readonly expect: number | undefined;
}

/** A Consul agent, client or server. */
export interface ConsulMember extends Member {
  readonly id: string | undefined;
  readonly datacenter: string;
}

/** The region's Nomad servers; a client asks one of them. Answers without a leader too. */
export async function readNomadMembers(host: HostReader, region: string): Promise<readonly Member[]> {
  const { Members } = await readAgent(host, nomad, '/v1/agent/members', nomadMembers);
  return Members.filter(({ Tags }) => Tags.region === region).map(({ Name, Addr, Status, Tags }) => ({
    name: Name.slice(0, Name.length - `.${region}`.length),
    address: Addr,
    server: true,
    state: Status === 'alive' ? 'alive' : Status === 'failed' ? 'failed' : 'left',
    version: plainVersion(Tags.build),
    expect: expectOf(Tags),
  }));
}

/** All Consul agents of the datacenter. Answers without a leader too. */
export async function readConsulMembers(host: HostReader): Promise<readonly ConsulMember[]> {
  const members = await readAgent(host, consul, '/v1/agent/members', consulMembers);
  return members.map(({ Name, Addr, Status, Tags }) => ({
    name: Name,
    address: Addr,
    server: Tags.role === 'consul',
    state: Status === 1 ? 'alive' : Status === 4 ? 'failed' : 'left',
    id: Tags.id,
    datacenter: Tags.dc,
    version: plainVersion(Tags.build),
    expect: expectOf(Tags),
  }));
}

/** `X.Y.Z` of `1.21.4:59b8b905` or `2.0.5+ent`. */
export function plainVersion(version: string): string {
  return /^\d+\.\d+\.\d+/.exec(version)?.[0] ?? version;
}

/** A server that expects no other says so with `bootstrap`. */
function expectOf(tags: { readonly expect?: string | undefined; readonly bootstrap?: string | undefined }) {
  if (tags.expect !== undefined) return Number(tags.expect);
  return tags.bootstrap === '1' ? 1 : undefined;
}

const nomadSelf = z.object({
  config: z.object({
    NodeName: z.string(),
    Region: z.string(),
    Datacenter: z.string(),
    Version: z.object({ Version: z.string() }),
    AdvertiseAddrs: z.object({ HTTP: z.string(), RPC: z.string(), Serf: z.string() }),
    Server: z.object({ Enabled: z.boolean() }),
    Client: z.object({ Enabled: z.boolean() }),
  }),
  stats: z.object({
    client: z.object({ node_id: z.string(), known_servers: z.string() }).optional(),
  }),
});

const serverTags = { build: z.string(), expect: z.string().optional(), bootstrap: z.string().optional() };

const nomadMembers = z.object({
  Members: z.array(
    z.object({
      /** `node.region`. */
      Name: z.string(),
      Addr: z.string(),
      /** `alive`, `leaving`, `left` or `failed`. */
      Status: z.string(),
      Tags: z.object({ region: z.string(), ...serverTags }),
    }),
  ),
});

const consulMembers = z.array(
  z.object({
    Name: z.string(),
    Addr: z.string(),
    /** 1 alive, 2 leaving, 3 left, 4 failed. */
    Status: z.number(),
    /** `role` is `consul` on servers and `node` on clients. */
    Tags: z.object({ role: z.string(), dc: z.string(), id: z.string().optional(), ...serverTags }),
  }),
);

import * as z from 'zod';
import { searchText } from '../config/linode-search.ts';
import { BootstrapError } from '../core/errors.ts';
import type { CheckOutcome, HostReader } from '../core/types.ts';
import type { NodeTarget } from '../target.ts';
import { type Agent, type Member, readAgent } from './agents.ts';
import { count, fail, pass, warn } from './health-check.ts';

/** How many servers of one kind of agent there are, and how many there should be. */
export interface ServerCount {
  readonly alive: readonly Member[];
  /** Were there once and do not answer. */
  readonly failed: readonly Member[];
  /** Went on purpose, or were given up: Consul does that within seconds of a failure. */
  readonly left: readonly Member[];
  /** The most that any of them was told: a cluster grows by servers that expect more than the first. 0 on a client that sees none. */
  readonly expected: number;
}

export function countServers(members: readonly Member[], target: NodeTarget): ServerCount {
  const servers = members.filter(member => member.server);
  const alive = servers.filter(({ state }) => state === 'alive');
  const { runsServer, expect } = target.config.node;
  return {
    alive,
    failed: servers.filter(({ state }) => state === 'failed'),
    left: servers.filter(({ state }) => state === 'left'),
    expected: Math.max(runsServer ? expect : 0, ...alive.map(server => server.expect ?? 0)),
  };
}

/** `1 of 3 servers`. */
export function serversSeen({ alive, expected }: ServerCount): string {
  return `${alive.length} of ${count(expected, 'server')}`;
}

/** The port of each agent's gossip between servers. */
const gossipPorts = { nomad: 4648, consul: 8301 };
const rpcPorts = { nomad: 4647, consul: 8300 };

/** Whether raft has peers. How many servers were expected counts until it has, and never again. */
async function hasFormed(host: HostReader, agent: Agent): Promise<boolean> {
  try {
    return (await readAgent(host, agent, '/v1/status/peers?stale', z.array(z.string()))).length > 0;
  } catch (error) {
    if (error instanceof BootstrapError && error.code.startsWith('agent-')) return false;
    throw error;
  }
}

/** Whether all servers that should be there are there, and, before they have a leader, agree on how many that is. */
export async function judgeServers(
  host: HostReader,
  agent: Agent,
  servers: ServerCount,
  target: NodeTarget,
): Promise<CheckOutcome> {
  const { alive, failed, left, expected } = servers;
  const gone = [...failed, ...left];
  const port = gossipPorts[agent.unit];
  if (alive.length === 0) {
    return fail(
      `no ${agent.name} server is in sight`,
      `see that a server runs at ${joinAddresses(target)} and that TCP and UDP ${port} are open to it`,
    );
  }

  const expects = new Map<number, string[]>();
  for (const { name, expect } of alive) {
    if (expect !== undefined) expects.set(expect, [...(expects.get(expect) ?? []), name]);
  }
  if (expects.size > 1 && !(await hasFormed(host, agent))) {
    const said = [...expects].map(([expect, names]) => `${expect} by ${names.sort().join(', ')}`);
    return fail(
      `the servers expect different numbers of servers: ${said.join('; ')}`,
      `on the servers that are wrong, run: nomad-bootstrap server --expect ${expected}`,
    );
  }

  const names = alive.map(({ name }) => name).sort();
  if (alive.length < expected) {
    // More than the others were told: the cluster is to grow, or somebody mistyped.
    const hopeful = expects.size > 1 ? `; ${expected} are expected by ${expects.get(expected)?.sort().join(', ')}` : '';
    return fail(
      `${serversSeen(servers)}: ${names.join(', ')}${gone.length > 0 ? `; gone: ${nameList(gone)}` : ''}${hopeful}`,
      gone.length > 0
        ? `start ${nameList(gone)} again, or see that TCP and UDP ${port} are open to it; if it is gone for good, bring up another with --expect ${expected}`
        : `bring up the other servers with --expect ${expected} and --join ${target.config.node.network.address}; TCP and UDP ${port} must be open between them`,
    );
  }
  if (failed.length > 0) {
    return warn(
      `${serversSeen(servers)}, and ${nameList(failed)} failed`,
      `${forceLeave(agent, failed)}, if it is gone for good`,
    );
  }
  if (alive.length > expected) {
    return warn(
      `${alive.length} servers where ${expected} are expected: ${names.join(', ')}`,
      `run nomad-bootstrap server --expect ${alive.length} on all of them, or remove one; an odd number is right`,
    );
  }
  return pass(`${serversSeen(servers)}: ${names.join(', ')}`);
}

/** Why there is no leader, as far as gossip tells. */
export function leaderless(agent: Agent, servers: ServerCount): CheckOutcome {
  const { alive, failed, left, expected } = servers;
  const gone = [...failed, ...left];
  const quorum = Math.floor(expected / 2) + 1;
  const detail = `no leader; ${serversSeen(servers)}`;
  if (alive.length < quorum) {
    return fail(
      detail,
      gone.length > 0
        ? `start ${nameList(gone)} again: a leader needs ${quorum} of ${count(expected, 'server')}`
        : `bring up the other servers: the first leader is elected when all ${expected} are there`,
    );
  }
  return fail(
    detail,
    `a majority is in sight but cannot elect: open TCP ${rpcPorts[agent.unit]} between the servers and compare their --expect; one that has only just died still counts as seen: journalctl -u ${agent.unit} -n 50`,
  );
}

/** `a, b`. */
export function nameList(members: readonly Member[]): string {
  return members
    .map(({ name }) => name)
    .sort()
    .join(', ');
}

/** What makes the others forget agents that will not come back. */
export function forceLeave(agent: Agent, members: readonly Member[]): string {
  const command = agent.unit === 'nomad' ? 'nomad server force-leave' : 'consul force-leave';
  return members.map(({ name }) => `${command} ${name}`).join('; ');
}

/** Where this node looks for servers, for a sentence. */
export function joinAddresses(target: NodeTarget): string {
  const { join } = target.config.node;
  const places = join.map(place => ('search' in place ? searchText(place.search) : place.address));
  return places.length === 0 ? 'the addresses given with --join' : places.join(', ');
}

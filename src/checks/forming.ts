import * as z from 'zod';
import { BootstrapError } from '../core/errors.ts';
import type { CheckResult, HostReader } from '../core/types.ts';
import type { NodeTarget } from '../target.ts';
import { consul, nomad, readAgent, readConsulMembers, readNomadMembers } from './agents.ts';
import type { HealthCheck } from './health-check.ts';
import { countServers, type ServerCount } from './servers.ts';

/** A cluster that lacks nothing but servers which have never been there. */
export interface Forming {
  readonly alive: number;
  readonly expected: number;
}

/**
 * How far a forming cluster has come, or `undefined` when something else is wrong, or nothing is. Forming is where the
 * node's own checks do not fail, and each agent whose checks of the cluster do has fewer servers than expected and either no
 * raft peers yet, or a leader and no other peers than the living: that one grows. A cluster that lost servers still knows
 * them.
 */
export async function forming(
  host: HostReader,
  target: NodeTarget,
  checks: readonly HealthCheck[],
  results: readonly CheckResult[],
): Promise<Forming | undefined> {
  try {
    return await howFar(host, target, checks, results);
  } catch (error) {
    // An agent that went silent just now: that is something else.
    if (error instanceof BootstrapError && error.code.startsWith('agent-')) return undefined;
    throw error;
  }
}

async function howFar(
  host: HostReader,
  target: NodeTarget,
  checks: readonly HealthCheck[],
  results: readonly CheckResult[],
): Promise<Forming | undefined> {
  const failed = results.filter(({ status }) => status === 'fail').map(({ id }) => id);
  if (checks.some(({ id, scope }) => scope === 'node' && failed.includes(id))) return undefined;

  const agents = [
    { agent: consul, members: () => readConsulMembers(host) },
    { agent: nomad, members: () => readNomadMembers(host, target.config.node.region) },
  ].filter(({ agent }) => failed.some(id => id.startsWith(`${agent.unit}-`)));
  if (agents.length === 0 || failed.some(id => !agents.some(({ agent }) => id.startsWith(`${agent.unit}-`)))) {
    return undefined;
  }

  let least: Forming | undefined;
  for (const { agent, members } of agents) {
    const known = await members().catch(unlessRefused);
    if (known === undefined) continue;
    const servers = countServers(known, target);
    const peers = await readAgent(host, agent, '/v1/status/peers?stale', z.array(z.string()));
    const alive = servers.alive.length;
    const led = !failed.includes(`${agent.unit}-leader`);
    if ((peers.length > 0 && !(led && isGrowing(servers, peers.length))) || alive === 0 || alive >= servers.expected) {
      return undefined;
    }
    if (least === undefined || alive < least.alive) least = { alive, expected: servers.expected };
  }
  return least;
}

/** Whether all who ever were there are. Those that came first may have been told of fewer. */
function isGrowing({ alive, failed, left }: ServerCount, peers: number): boolean {
  return peers === alive.length && failed.length === 0 && left.length === 0;
}

/** Before there is a leader Nomad knows no token; Consul's word has to do. */
function unlessRefused(error: unknown): undefined {
  if (error instanceof BootstrapError && error.code === 'agent-refused') return undefined;
  throw error;
}

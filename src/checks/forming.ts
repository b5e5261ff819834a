import * as z from 'zod';
import { BootstrapError } from '../core/errors.ts';
import type { CheckResult, HostReader } from '../core/types.ts';
import type { NodeTarget } from '../target.ts';
import { consul, nomad, readAgent, readConsulMembers, readNomadMembers } from './agents.ts';
import type { HealthCheck } from './health-check.ts';
import { countServers } from './servers.ts';

/** A cluster whose servers have never all been there. */
export interface Forming {
  readonly alive: number;
  readonly expected: number;
}

/**
 * How far a forming cluster has come, or `undefined` when something else is wrong, or nothing is. Forming is where the
 * node's own checks do not fail, and each agent whose checks of the cluster do has fewer servers than expected and no
 * raft peers yet: a cluster that lost servers still knows its peers.
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
    if (peers.length > 0 || alive === 0 || alive >= servers.expected) return undefined;
    if (least === undefined || alive < least.alive) least = { alive, expected: servers.expected };
  }
  return least;
}

/** Before there is a leader Nomad knows no token; Consul's word has to do. */
function unlessRefused(error: unknown): undefined {
  if (error instanceof BootstrapError && error.code === 'agent-refused') return undefined;
  throw error;
}

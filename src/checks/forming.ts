import type { CheckResult, HostReader } from '../core/types.ts';
import type { NodeTarget } from '../target.ts';
import { readConsulMembers } from './agents.ts';
import type { HealthCheck } from './health-check.ts';
import { countServers } from './servers.ts';

/** A cluster that is not yet all there. */
export interface Forming {
  readonly alive: number;
  readonly expected: number;
}

/**
 * How far a forming cluster has come, or `undefined` when something else is wrong, or nothing is: then no more than the
 * cluster's own checks fail, some expected server has never been seen, and none that was seen has gone.
 */
export async function forming(
  host: HostReader,
  target: NodeTarget,
  checks: readonly HealthCheck[],
  results: readonly CheckResult[],
): Promise<Forming | undefined> {
  const failed = results.filter(({ status }) => status === 'fail').map(({ id }) => id);
  const ofNode = checks.filter(({ id, scope }) => scope === 'node' && failed.includes(id));
  // Without Consul's word nothing is known of the servers.
  if (failed.length === 0 || ofNode.length > 0) return undefined;
  const servers = countServers(await readConsulMembers(host), target);
  const alive = servers.alive.length;
  if (alive === 0 || servers.failed.length > 0 || alive >= servers.expected) return undefined;
  return { alive, expected: servers.expected };
}

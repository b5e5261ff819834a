import type { Check, CheckOutcome } from '../core/types.ts';
import type { NodeTarget } from '../target.ts';

/** A question about a bootstrapped node, or about its cluster as this node sees it. */
export interface HealthCheck extends Check<NodeTarget> {
  /**
   * `node`: this node alone has to be put right. `cluster`: the answer hangs on other nodes as well, and may be no while a
   * cluster is still forming.
   */
  readonly scope: 'node' | 'cluster';
}

/**
 * How long an election and what follows it (the new leader's judgement of the servers) may take in a healthy cluster.
 * Measured with three servers of Nomad 2.0.5 and Consul 1.21.4 after a kill of the leader: 1 to 4 s.
 */
export const electionMs = 4000;

export function pass(detail: string): CheckOutcome {
  return { status: 'pass', detail };
}

export function warn(detail: string, hint: string): CheckOutcome {
  return { status: 'warn', detail, hint };
}

export function fail(detail: string, hint: string): CheckOutcome {
  return { status: 'fail', detail, hint };
}

/** For {@link HealthCheck.appliesTo}: nodes that run jobs. */
export function onClients(target: NodeTarget): boolean {
  return target.config.node.runsClient;
}

/** For {@link HealthCheck.appliesTo}: nodes that run Nomad's and Consul's servers. */
export function onServers(target: NodeTarget): boolean {
  return target.config.node.runsServer;
}

/** For {@link HealthCheck.appliesTo}: nodes whose jobs may run in Docker. */
export function onDockerClients(target: NodeTarget): boolean {
  return onClients(target) && target.resolution.docker.source !== 'none';
}

/** `1 server`, `3 servers`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

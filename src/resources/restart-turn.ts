import { BootstrapError, hasCode } from '../core/errors.ts';
import type { Host } from '../core/types.ts';
import { type LockApi, lockCluster, type Unlock } from './cluster-lock.ts';
import { mayGo, peersOf } from './quorum-guard.ts';

export interface TurnOptions {
  readonly product: 'Consul' | 'Nomad';
  /** The product's own API on this server. */
  readonly api: string;
  readonly lock: LockApi;
  /** This server's name. */
  readonly name: string;
}

/** Longer than two other servers take, each with both agents. */
const patienceSeconds = 300;
const settleSeconds = 60;
const pauseMs = 1000;

/**
 * Does what restarts an agent of a server when no other server of its cluster is at it, and lets the next one begin when this one is
 * back among its peers. Several runs at once would otherwise ask autopilot at the same moment, and all be told yes. A cluster of one
 * waits for nobody, and one that cannot be locked, since Consul has no leader, is left to what autopilot says. Throws
 * `would-lose-quorum` when the others do not come to an end.
 */
export async function inTurn(host: Host, options: TurnOptions, work: () => Promise<void>): Promise<void> {
  const unlock = (await peersOf(host, options.api)).length > 1 ? await takeTurn(host, options) : undefined;
  try {
    await work();
    if (unlock !== undefined) await settled(host, options.api);
  } finally {
    await unlock?.();
  }
}

async function takeTurn(host: Host, { product, lock, name }: TurnOptions): Promise<Unlock | undefined> {
  const startedAt = host.now().getTime();
  for (;;) {
    const taken = await lockCluster(host, lock, name).catch(error => {
      if (hasCode(error, 'agent-refused') || hasCode(error, 'unreachable')) return undefined;
      throw error;
    });
    if (taken === undefined || typeof taken === 'function') return taken;
    const waitedSeconds = Math.round((host.now().getTime() - startedAt) / 1000);
    if (waitedSeconds >= patienceSeconds) {
      throw new BootstrapError(
        'would-lose-quorum',
        `${product} must be restarted on this server, and ${taken.holder} is at it`,
        {
          hint: `see how far nomad-bootstrap is on ${taken.holder}, and run the same command again when it has ended there`,
        },
      );
    }
    host.waiting(`waiting for ${taken.holder}: one server restarts at a time`, waitedSeconds);
    await host.sleep(pauseMs);
  }
}

/** Until this server has a leader again and autopilot could do without another one; not for ever, since the next one asks by itself. */
async function settled(host: Host, api: string): Promise<void> {
  const deadline = host.now().getTime() + settleSeconds * 1000;
  while (!(await mayGo(host, api)) && host.now().getTime() < deadline) await host.sleep(pauseMs);
}

import { BootstrapError } from '../core/errors.ts';
import type { HostReader } from '../core/types.ts';

/** What decides whether a server may go for a moment. */
interface Guarded {
  readonly config: {
    readonly node: { readonly runsServer: boolean };
    readonly force: boolean;
  };
}

/**
 * Asks autopilot whether the cluster can do without this server, and throws `would-lose-quorum` when it cannot. A cluster
 * of one has no quorum to lose, and a cluster that never formed has none either. `purpose`: what is to be done to it.
 */
export function quorumGuard(
  product: 'Consul' | 'Nomad',
  api: string,
  target: Guarded,
  purpose: 'restarted' | 'removed' = 'restarted',
): (host: HostReader) => Promise<void> {
  return async host => {
    const { node, force } = target.config;
    if (!node.runsServer || force) return;
    const peers = await json(host, `${api}/v1/status/peers`);
    if (!Array.isArray(peers) || peers.length <= 1) return;
    const health = await json(host, `${api}/v1/operator/autopilot/health`);
    if (isTolerant(health)) return;
    throw new BootstrapError(
      'would-lose-quorum',
      `${product} must be ${purpose} on this server, and the cluster cannot do without it now`,
      {
        hint: `wait until the other servers are healthy (${product.toLowerCase()} operator autopilot health), and change one server at a time; with --force it is ${purpose} all the same`,
      },
    );
  };
}

function isTolerant(health: unknown): boolean {
  const { FailureTolerance } = (health ?? {}) as { FailureTolerance?: number };
  return (FailureTolerance ?? 0) >= 1;
}

/** The answer, whatever its status: autopilot says 429 of an unhealthy cluster. `undefined`: no answer, or not JSON. */
async function json(host: HostReader, url: string): Promise<unknown> {
  try {
    const { body } = await host.request(url, { timeoutMs: 6000 });
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

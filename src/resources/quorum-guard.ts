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
    const deadline = host.now().getTime() + patienceSeconds * 1000;
    while (!(await mayGo(host, api))) {
      if (host.now().getTime() >= deadline) throw refusal(product, purpose);
      await host.sleep(1000);
    }
  };
}

/** An agent that was restarted a moment ago has still to meet the others again, and a leader to be seen. */
const patienceSeconds = 20;

/** Whether the cluster can do without this server now. */
export async function mayGo(host: HostReader, api: string): Promise<boolean> {
  const peers = await peersOf(host, api);
  if (peers.length <= 1) return true;
  if (!isTolerant(await json(host, `${api}/v1/operator/autopilot/health`))) return false;
  // Autopilot notices a server that died only after up to 40 s, Consul's gossip within 10: both must agree.
  const majority = Math.floor(peers.length / 2) + 1;
  return ((await liveServers(host)) ?? peers.length) > majority;
}

/** The servers of the cluster; none where nobody answers. */
export async function peersOf(host: HostReader, api: string): Promise<readonly unknown[]> {
  const peers = await json(host, `${api}/v1/status/peers`);
  return Array.isArray(peers) ? peers : [];
}

function refusal(product: 'Consul' | 'Nomad', purpose: 'restarted' | 'removed'): BootstrapError {
  return new BootstrapError(
    'would-lose-quorum',
    `${product} must be ${purpose} on this server, and the cluster cannot do without it now`,
    {
      hint: `wait until the other servers are healthy (${product.toLowerCase()} operator autopilot health), and change one server at a time; with --force it is ${purpose} all the same`,
    },
  );
}

function isTolerant(health: unknown): boolean {
  const { FailureTolerance } = (health ?? {}) as { FailureTolerance?: unknown };
  return typeof FailureTolerance === 'number' && FailureTolerance >= 1;
}

/** Servers that Consul's gossip holds to be alive, each of which runs Nomad's server as well; `undefined`: it does not tell. */
async function liveServers(host: HostReader): Promise<number | undefined> {
  const members = await json(host, 'http://127.0.0.1:8500/v1/agent/members');
  if (!Array.isArray(members) || members.length === 0) return undefined;
  return members.filter(member => member?.Status === 1 && member.Tags?.role === 'consul').length;
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

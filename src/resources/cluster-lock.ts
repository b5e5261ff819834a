import { BootstrapError } from '../core/errors.ts';
import type { Host, RequestOptions } from '../core/types.ts';

/** Consul's store on this server, and who asks it. */
export interface LockApi {
  readonly url: string;
  readonly options: RequestOptions;
}

/** The key of what servers do one at a time: restarting an agent, replacing a certificate. */
const key = 'nomad-bootstrap/one-server-at-a-time';
/** The lock of a server that died is free after twice this time, and at once when the same server comes again. */
const lockSeconds = 120;
/** After a restart Consul has no leader for a moment. */
const freeAttempts = 20;
const pauseMs = 1000;

/** Frees the lock. Never fails: what cannot be freed ends by itself. */
export type Unlock = () => Promise<void>;

/**
 * The lock over all servers of a cluster, in Consul, for the server `name`. Returns what frees it, or the name of the server that holds
 * it. Only one run on each server asks for it, so whatever this server still holds is of a run that was killed. Throws `agent-refused`
 * and `unreachable` where Consul cannot give it: it has no leader, say.
 */
export async function lockCluster(
  host: Host,
  api: LockApi,
  name: string,
): Promise<Unlock | { readonly holder: string }> {
  const put = async (path: string, body = ''): Promise<string> => {
    const response = await host.send(`${api.url}${path}`, { ...api.options, method: 'PUT', body, timeoutMs: 15_000 });
    return answered(path, response.status, response.body);
  };
  const holder = await holderOf(host, api);
  if (holder?.name === name) await put(`/v1/session/destroy/${holder.session}`);

  // No check: the lock outlives a restart of this server's own agent.
  const session = {
    Name: 'nomad-bootstrap',
    TTL: `${lockSeconds}s`,
    LockDelay: '0s',
    Behavior: 'delete',
    NodeChecks: [],
  };
  const { ID } = JSON.parse(await put('/v1/session/create', JSON.stringify(session))) as { ID: string };
  if ((await put(`/v1/kv/${key}?acquire=${ID}`, name)) === 'true') return () => free(host, put, ID);
  await free(host, put, ID);
  return { holder: (await holderOf(host, api))?.name ?? 'another server' };
}

async function free(host: Host, put: (path: string) => Promise<string>, session: string): Promise<void> {
  for (let attempt = 1; attempt <= freeAttempts; attempt += 1) {
    try {
      await put(`/v1/session/destroy/${session}`);
      return;
    } catch (error) {
      if (!(error instanceof BootstrapError)) throw error;
      if (error.code !== 'agent-refused' && error.code !== 'unreachable') return;
      await host.sleep(pauseMs);
    }
  }
}

async function holderOf(
  host: Host,
  api: LockApi,
): Promise<{ readonly name: string; readonly session: string } | undefined> {
  const { status, body } = await host.request(`${api.url}/v1/kv/${key}`, { ...api.options, timeoutMs: 15_000 });
  if (status === 404) return undefined;
  const [entry] = JSON.parse(answered('/v1/kv', status, body)) as { Session?: string; Value?: string }[];
  if (entry?.Session === undefined) return undefined;
  return { name: Buffer.from(entry.Value ?? '', 'base64').toString(), session: entry.Session };
}

function answered(path: string, status: number, body: Uint8Array): string {
  const text = new TextDecoder().decode(body).trim();
  if (status === 200) return text;
  throw new BootstrapError('agent-refused', `Consul answered ${status} to ${path}: ${text}`, {
    hint: 'see whether it has a leader: nomad-bootstrap verify',
  });
}

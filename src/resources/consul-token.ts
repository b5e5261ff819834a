import { BootstrapError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import type { HostReader } from '../core/types.ts';

/**
 * Refused to a token that is not there, and answered to any other. Not `/v1/acl/token/self`, nor anything that a client's agent decides
 * by itself: a server that is asked about a token that it does not know writes the secret itself into its log.
 * Source: TokenRead in agent/consul/acl_endpoint.go, Consul 1.21.4.
 */
const knownTokensOnly = '/v1/catalog/nodes';

/** Whether the servers know a token of Consul's, as the agent at `api` hears from them; not, where none answers. */
export async function isKnownToConsul(host: HostReader, api: string, token: Secret): Promise<boolean> {
  try {
    const headers = { 'X-Consul-Token': token.reveal() };
    return (await host.request(`${api}${knownTokensOnly}`, { headers, timeoutMs: 15_000 })).status === 200;
  } catch (error) {
    if (error instanceof BootstrapError && error.code === 'unreachable') return false;
    throw error;
  }
}

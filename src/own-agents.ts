import type { NodeConfig } from './config/config.ts';
import type { Secret } from './core/secret.ts';
import type { Host, HostReader, HttpResponse, MutatingRequestOptions, RequestOptions } from './core/types.ts';
import type { Credentials } from './token/credentials.ts';

/** What decides how this node's agents are asked. */
interface OwnAgents {
  readonly config: { readonly node: Pick<NodeConfig, 'api'> };
  readonly credentials?: Credentials | undefined;
}

/** Where Nomad's and Consul's agents of this node answer: plain HTTP, but for a Nomad whose API is open to the cluster. */
export const nomadApi = 'http://127.0.0.1:4646';
export const consulApi = 'http://127.0.0.1:8500';

/** What a client proves to its servers that it is this node with. Source: client/client.go (setupNodeID), Nomad 2.0.5. */
const nodeSecretPath = '/opt/nomad/data/client/secret-id';
/** What an agent's own recovery token opens, and opens also while nobody can be asked about other tokens. */
const recoveryPaths = /^\/v1\/agent\/(?:self|members|leave)(?:\?|$)/;

/**
 * The same host, but for requests to its own agents: these carry this node's credentials, and only as much as asking needs.
 * A server asks with read-only tokens (but for Consul's own agent, which it may tell to leave), a client with its agent's token and with its node's own secret. Requests that bring a
 * token of their own keep it, and `nomadToken` takes the place of this node's for Nomad. Without access control it is the same host.
 */
export function asThisNode<H extends HostReader>(host: H, target: OwnAgents, nomadToken?: Secret): H {
  const { credentials } = target;
  if (credentials === undefined) return host;

  async function tokenForNomad(): Promise<string | undefined> {
    if (nomadToken !== undefined) return nomadToken.reveal();
    if (credentials?.kind === 'server') return credentials.tokens.nomadVerify.secretId.reveal();
    return (await host.readText(nodeSecretPath))?.trim();
  }

  function consulToken(path: string): string | undefined {
    if (recoveryPaths.test(path)) return credentials?.consulRecovery.reveal();
    return credentials?.kind === 'server'
      ? credentials.tokens.consul.verify.secretId.reveal()
      : credentials?.consulAgent.reveal();
  }

  async function addressed<O extends RequestOptions>(url: string, options: O): Promise<readonly [string, O]> {
    if (url.startsWith(`${nomadApi}/`)) {
      const token = await tokenForNomad();
      return throughNomad(url, target, withHeader(options, 'X-Nomad-Token', token));
    }
    if (url.startsWith(`${consulApi}/`)) {
      return [url, withHeader(options, 'X-Consul-Token', consulToken(url.slice(consulApi.length)))];
    }
    return [url, options];
  }

  /** Until it is restarted, a Nomad speaks as it was told before: whoever asks before the restart asks in the other way, too. */
  async function request(url: string, options: RequestOptions = {}): Promise<HttpResponse> {
    const [own, given] = await addressed(url, options);
    if (!url.startsWith(`${nomadApi}/`)) return host.request(own, given);
    if (own === url) {
      const answer = await host.request(own, given);
      return wantsTls(answer) ? host.request(...secured(url, target, given)) : answer;
    }
    const answer = await host.request(own, given).catch(error => error as Error);
    if (!(answer instanceof Error)) return answer;
    const { tls, ...plain } = given;
    return host.request(url, plain).then(
      other => (wantsTls(other) ? Promise.reject(answer) : other),
      () => Promise.reject(answer),
    );
  }

  return {
    ...host,
    request,
    ...(canSend(host)
      ? { send: async (url: string, options: MutatingRequestOptions) => host.send(...(await addressed(url, options))) }
      : {}),
  };
}

function canSend(host: HostReader): host is Host {
  return 'send' in host;
}

/** Nomad has one switch for all its addresses: where its API is open to the cluster, loopback is HTTPS as well. */
export function throughNomad<O extends RequestOptions>(
  url: string,
  { credentials, config: { node } }: OwnAgents,
  options: O,
): readonly [string, O & Pick<RequestOptions, 'tls'>] {
  return credentials === undefined || node.api === 'loopback' ? [url, options] : secured(url, { credentials }, options);
}

function secured<O extends RequestOptions>(url: string, { credentials }: Pick<OwnAgents, 'credentials'>, options: O) {
  const tls = { ca: credentials?.caCertificate ?? '', serverName: 'localhost' };
  return [url.replace('http:', 'https:'), { ...options, tls }] as const;
}

/** Go's answer to a request in the clear where it expects TLS. Source: net/http, server.go. */
function wantsTls({ status, body }: HttpResponse): boolean {
  return status === 400 && /HTTP request to an HTTPS server/.test(new TextDecoder().decode(body));
}

function withHeader<O extends RequestOptions>(options: O, name: string, token: string | undefined): O {
  if (token === undefined || options.headers?.[name] !== undefined) return options;
  return { ...options, headers: { ...options.headers, [name]: token } };
}

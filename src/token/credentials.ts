import { Secret } from '../core/secret.ts';
import {
  type Authority,
  authorityLife,
  knownAuthority,
  makeAuthority,
  makeLeaf,
  positive,
  scalarOf,
} from './certificates.ts';
import { deriveBytes, gossipKey, type PresetToken, presetToken } from './derive.ts';
import { type ClientToken, renderClientToken, type ServerToken } from './format.ts';

/** What every node of a secure cluster holds. */
interface NodeCredentials {
  /** The token that all of this follows from. */
  readonly text: Secret;
  readonly region: string;
  /** `undefined`: the token leaves it open. */
  readonly datacenter: string | undefined;
  readonly caCertificate: string;
  readonly consulGossip: Secret;
  /** For acl.tokens.agent: Consul's agent registers its own node. */
  readonly consulAgent: Secret;
  /** For Nomad's consul.token. */
  readonly consulNomad: Secret;
  /** For acl.tokens.dns: Consul's DNS answers with it. */
  readonly consulDns: Secret;
  /** For acl.tokens.agent_recovery: this node's own Consul agent obeys it, also while there is no leader to ask about tokens. */
  readonly consulRecovery: Secret;
}

/** What a server derives from its token: everything. */
export interface ServerCredentials extends NodeCredentials {
  readonly kind: 'server';
  readonly authority: Authority;
  readonly nomadGossip: Secret;
  /** What `initial_management` makes. */
  readonly consulManagement: Secret;
  /** The token of Nomad's ACL bootstrap. */
  readonly nomadManagement: Secret;
  readonly tokens: {
    readonly consul: Readonly<
      Record<'server-agent' | 'client-agent' | 'nomad-server' | 'nomad-client' | 'verify' | 'dns', PresetToken>
    >;
    readonly nomadVerify: PresetToken;
  };
}

/** What a client has: its token's content. */
export interface ClientCredentials extends NodeCredentials {
  readonly kind: 'client';
  readonly certificate: string;
  readonly key: Secret;
}

export type Credentials = ServerCredentials | ClientCredentials;

/** What a token without a region is for. */
export const defaultRegion = 'global';

/**
 * Everything that follows from a token: the same wherever and whenever it is worked out. `caCertificate` is what this machine has as the
 * authority's certificate, if it has any: it saves making it where it is the right one.
 */
export async function credentialsOf(token: ServerToken | ClientToken, caCertificate?: string): Promise<Credentials> {
  return token.kind === 'server' ? serverCredentials(token, caCertificate) : clientCredentials(token);
}

export async function serverCredentials(token: ServerToken, caCertificate = ''): Promise<ServerCredentials> {
  const consul = {
    'server-agent': presetToken(token, 'consul-server-agent'),
    'client-agent': presetToken(token, 'consul-client-agent'),
    'nomad-server': presetToken(token, 'consul-nomad-server'),
    'nomad-client': presetToken(token, 'consul-nomad-client'),
    verify: presetToken(token, 'consul-verify'),
    dns: presetToken(token, 'consul-dns'),
  };
  const identity = [
    scalarOf(deriveBytes(token, 'ca-key', 48)),
    positive(deriveBytes(token, 'ca-serial', 16)),
    token.createdOn,
  ] as const;
  const authority = knownAuthority(...identity, caCertificate) ?? (await makeAuthority(...identity));
  return {
    kind: 'server',
    text: token.text,
    region: token.region ?? defaultRegion,
    datacenter: token.datacenter,
    authority,
    caCertificate: authority.certificate,
    nomadGossip: gossipKey(token, 'nomad-gossip'),
    consulGossip: gossipKey(token, 'consul-gossip'),
    consulManagement: presetToken(token, 'consul-management').secretId,
    nomadManagement: presetToken(token, 'nomad-management').secretId,
    consulRecovery: presetToken(token, 'consul-server-recovery').secretId,
    consulAgent: consul['server-agent'].secretId,
    consulNomad: consul['nomad-server'].secretId,
    consulDns: consul.dns.secretId,
    tokens: { consul, nomadVerify: presetToken(token, 'nomad-verify') },
  };
}

function clientCredentials(token: ClientToken): ClientCredentials {
  return { ...token, region: token.region ?? defaultRegion };
}

/** The client token of a server token: the same each time. */
export async function clientTokenOf(token: ServerToken): Promise<Secret> {
  const { region, authority, consulGossip, tokens } = await serverCredentials(token);
  const name = `client.${region}.nomad`;
  const leaf = await makeLeaf(authority, {
    commonName: name,
    dnsNames: [name, 'localhost'],
    addresses: ['127.0.0.1'],
    ...authorityLife(token.createdOn),
    key: scalarOf(deriveBytes(token, 'client-key', 48)),
    serialNumber: positive(deriveBytes(token, 'client-serial', 16)),
  });
  return renderClientToken({
    region: token.region,
    datacenter: token.datacenter,
    consulGossip,
    caCertificate: authority.certificate,
    certificate: leaf.certificate,
    key: leaf.key,
    consulAgent: tokens.consul['client-agent'].secretId,
    consulNomad: tokens.consul['nomad-client'].secretId,
    consulDns: tokens.consul.dns.secretId,
    consulRecovery: presetToken(token, 'consul-client-recovery').secretId,
  });
}

/** Every secret among the credentials, for the redactor. */
export function secretsOf(credentials: unknown): readonly Secret[] {
  if (credentials instanceof Secret) return [credentials];
  if (typeof credentials !== 'object' || credentials === null) return [];
  return Object.values(credentials).flatMap(secretsOf);
}

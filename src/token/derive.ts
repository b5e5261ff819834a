import { hkdfSync } from 'node:crypto';
import { Secret } from '../core/secret.ts';
import type { ServerToken } from './format.ts';

/**
 * What is derived from a token's seed, each under a name of its own. A name that was released never changes its meaning:
 * running clusters hold what follows from it. docs/security.md says who holds what.
 */
export const labels = [
  'nomad-gossip',
  'consul-gossip',
  'ca-key',
  'ca-serial',
  'client-key',
  'client-serial',
  'nomad-management',
  'nomad-verify',
  'consul-management',
  'consul-server-agent',
  'consul-client-agent',
  'consul-nomad-server',
  'consul-nomad-client',
  'consul-verify',
  'consul-dns',
  'consul-server-recovery',
  'consul-client-recovery',
] as const;

export type Label = (typeof labels)[number];

/**
 * HKDF with SHA-256 (RFC 5869): the seed's 32 bytes, no salt, and as info `nomad-bootstrap/v1/<label>/<epoch>`, followed by
 * `/<parameter>` for each parameter; none of them may contain a slash.
 */
export function deriveBytes(
  { seed, epoch }: Pick<ServerToken, 'seed' | 'epoch'>,
  label: Label,
  length: number,
  parameters: readonly string[] = [],
): Uint8Array {
  if (parameters.some(parameter => parameter.includes('/'))) throw new Error('a parameter contains a slash');
  const info = ['nomad-bootstrap/v1', label, epoch, ...parameters].join('/');
  return new Uint8Array(hkdfSync('sha256', Buffer.from(seed.reveal(), 'hex'), new Uint8Array(), info, length));
}

/** 32 bytes in standard base64 with padding, as both agents read their `encrypt`. */
export function gossipKey(token: ServerToken, label: Label): Secret {
  return new Secret(Buffer.from(deriveBytes(token, label, 32)).toString('base64'));
}

/** A token of Consul's or Nomad's whose ids both are known before it is made. */
export interface PresetToken {
  /** Public: names the token. */
  readonly accessorId: string;
  readonly secretId: Secret;
}

/** The two ids come from one label: parameters `accessor` and `secret`. */
export function presetToken(token: ServerToken, label: Label): PresetToken {
  return {
    accessorId: uuid(deriveBytes(token, label, 16, ['accessor'])),
    secretId: new Secret(uuid(deriveBytes(token, label, 16, ['secret']))),
  };
}

/** Sixteen bytes in the form of a random UUID (RFC 9562, version 4), which is all that the agents take for a secret. */
function uuid(bytes: Uint8Array): string {
  const shaped = Buffer.from(bytes);
  shaped[6] = ((shaped[6] ?? 0) & 0x0f) | 0x40;
  shaped[8] = ((shaped[8] ?? 0) & 0x3f) | 0x80;
  return shaped.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

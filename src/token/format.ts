import { createHash, randomBytes } from 'node:crypto';
import { BootstrapError } from '../core/errors.ts';
import { Secret } from '../core/secret.ts';

/** What a server token says. Everything secret about a cluster follows from it. */
export interface ServerToken {
  readonly kind: 'server';
  /** The token itself, as it was given but for white space around it. */
  readonly text: Secret;
  /** 64 lower-case hexadecimal digits: 32 random bytes. */
  readonly seed: Secret;
  /** `YYYY-MM-DD`, in UTC. */
  readonly createdOn: string;
  /** Counts the changes of secrets of one cluster; 1 in this release. */
  readonly epoch: number;
  readonly region: string | undefined;
  readonly datacenter: string | undefined;
}

/** What a client token holds: what a client needs and nothing that a server's secrets could be told from. */
export interface ClientToken {
  readonly kind: 'client';
  readonly text: Secret;
  readonly region: string | undefined;
  readonly datacenter: string | undefined;
  /** Consul's gossip key, base64. */
  readonly consulGossip: Secret;
  /** PEM. */
  readonly caCertificate: string;
  /** PEM; `client.<region>.nomad`, as long-lived as the authority. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: Secret;
  readonly consulAgent: Secret;
  readonly consulNomad: Secret;
  readonly consulDns: Secret;
  readonly consulRecovery: Secret;
}

const checksumLength = 8;
const serverPrefix = 'nbserver1';
const clientPrefix = 'nbclient1';
/** Region and datacenter as the options of these names take them; both may be left empty. */
const serverForm = new RegExp(
  `^${serverPrefix}\\.([0-9a-f]{64})\\.(\\d{8})\\.([1-9]\\d{0,5})\\.([a-z0-9-]{0,63})\\.([a-z0-9_-]{0,63})\\.([0-9a-f]{${checksumLength}})`,
);
const clientForm = new RegExp(`^${clientPrefix}\\.([A-Za-z0-9_-]+)\\.([0-9a-f]{${checksumLength}})`);

/**
 * A new server token: `nbserver1.<64 hex>.<YYYYMMDD>.<epoch>.<region>.<datacenter>.<first 8 hex digits of the SHA-256 of all
 * before the last dot>`. Terraform's `format`, `formatdate`, `sha256` and `substr` make the same (docs/security.md).
 */
export function createServerToken(
  now: Date,
  { region, datacenter }: { readonly region?: string | undefined; readonly datacenter?: string | undefined } = {},
): Secret {
  const day = now.toISOString().slice(0, 10).replaceAll('-', '');
  return withChecksum(
    [serverPrefix, randomBytes(32).toString('hex'), day, 1, region ?? '', datacenter ?? ''].join('.'),
  );
}

/** The text of a client token: {@link parseToken} gives the same back. */
export function renderClientToken(token: Omit<ClientToken, 'kind' | 'text'>): Secret {
  const content = {
    region: token.region,
    datacenter: token.datacenter,
    gossip: token.consulGossip.reveal(),
    ca: fromPem(token.caCertificate),
    certificate: fromPem(token.certificate),
    key: fromPem(token.key.reveal()),
    agent: token.consulAgent.reveal(),
    nomad: token.consulNomad.reveal(),
    dns: token.consulDns.reveal(),
    recovery: token.consulRecovery.reveal(),
  };
  return withChecksum(`${clientPrefix}.${Buffer.from(JSON.stringify(content)).toString('base64url')}`);
}

/**
 * Understands a token of either kind. Throws `bad-token`, whose message tells a mistyped from a truncated and from a padded
 * one, and never holds a part of it.
 */
export function parseToken(given: Secret): ServerToken | ClientToken {
  const text = given.reveal().trim();
  if (text === '') throw badToken('is empty');
  const [, kind, version] = /^nb(server|client)(\d+)\./.exec(text) ?? [];
  if (kind === undefined) {
    if (/nb(?:server|client)\d+\./.test(text)) throw badToken('is padded: there is something before it');
    if (/^nb[a-z]*\d*\.?$/.test(text)) throw badToken('is truncated: only its beginning is there');
    throw badToken('is no token of nomad-bootstrap');
  }
  if (version !== '1') throw badToken('is of a later release of nomad-bootstrap');
  const form = kind === 'server' ? serverForm : clientForm;
  const match = form.exec(text);
  if (match === null) throw badToken(flawOf(text, kind === 'server' ? 7 : 3));
  if (match[0].length < text.length) throw badToken('is padded: there is something behind it');
  const [body, checksum] = [text.slice(0, -checksumLength - 1), text.slice(-checksumLength)];
  if (checksumOf(body) !== checksum) throw badToken('is mistyped: its checksum is not right');
  return kind === 'server' ? serverToken(text, match) : clientToken(text, match[1] ?? '');
}

function flawOf(text: string, fields: number): string {
  if (/\s/.test(text)) return 'is padded: there is white space within it, or more than one line';
  const parts = text.split('.');
  const last = parts.at(-1) ?? '';
  if (parts.length < fields || (parts.length === fields && /^[0-9a-f]*$/.test(last) && last.length < checksumLength)) {
    return 'is truncated: its end is missing';
  }
  return 'is mistyped';
}

function serverToken(text: string, match: RegExpExecArray): ServerToken {
  const [, seed = '', day = '', epoch = '', region = '', datacenter = ''] = match;
  const createdOn = `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}`;
  const time = Date.parse(`${createdOn}T00:00:00Z`);
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== createdOn) {
    throw badToken('has no day of creation that exists (YYYYMMDD)');
  }
  return {
    kind: 'server',
    text: new Secret(text),
    seed: new Secret(seed),
    createdOn,
    epoch: Number(epoch),
    region: region === '' ? undefined : region,
    datacenter: datacenter === '' ? undefined : datacenter,
  };
}

function clientToken(text: string, encoded: string): ClientToken {
  let content: Partial<Record<string, string>>;
  try {
    content = JSON.parse(Buffer.from(encoded, 'base64url').toString()) as Partial<Record<string, string>>;
  } catch {
    throw badToken('is mistyped');
  }
  const field = (name: string): string => {
    const value = content[name];
    if (typeof value !== 'string' || value === '') throw badToken(`lacks a part (${name})`);
    return value;
  };
  return {
    kind: 'client',
    text: new Secret(text),
    region: content['region'],
    datacenter: content['datacenter'],
    consulGossip: new Secret(field('gossip')),
    caCertificate: toPem('CERTIFICATE', field('ca')),
    certificate: toPem('CERTIFICATE', field('certificate')),
    key: new Secret(toPem('PRIVATE KEY', field('key'))),
    consulAgent: new Secret(field('agent')),
    consulNomad: new Secret(field('nomad')),
    consulDns: new Secret(field('dns')),
    consulRecovery: new Secret(field('recovery')),
  };
}

function withChecksum(body: string): Secret {
  return new Secret(`${body}.${checksumOf(body)}`);
}

function checksumOf(body: string): string {
  return createHash('sha256').update(body).digest('hex').slice(0, checksumLength);
}

/** The base64 content between the markers. */
function fromPem(pem: string): string {
  return pem.replaceAll(/-----[^-]+-----|\s/g, '');
}

/** DER in PEM, with lines of 64 characters. */
export function toPem(label: string, base64: string): string {
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function badToken(flaw: string): BootstrapError {
  return new BootstrapError('bad-token', `the token ${flaw}`, {
    hint: 'copy it again, whole: one line that begins with nbserver1. (servers) or nbclient1. (clients). Nothing was touched.',
  });
}

import { randomBytes } from 'node:crypto';
import { type Answer, type Question, textAnswer } from './answers.ts';
import type { LinodeInstance } from './types.ts';

/** Tokens that were given out, with the time (ms since the epoch) until which each is good. */
export type MetadataTokens = Map<string, number>;

/** Linode's metadata service: PUT /v1/token, then GETs with the token. Plain text unless JSON is asked for. */
export function metadataAnswer(question: Question, instance: LinodeInstance, tokens: MetadataTokens): Answer {
  const json = (question.headers['accept'] ?? '').includes('application/json');
  if (question.path === '/v1/token') {
    if (question.method !== 'PUT') return textAnswer(405, 'method not allowed\n');
    const seconds = Number(question.headers['metadata-token-expiry-seconds'] ?? Number.NaN);
    if (!(seconds >= 1 && seconds <= 86_400))
      return textAnswer(400, 'missing or invalid Metadata-Token-Expiry-Seconds\n');
    const token = randomBytes(32).toString('hex');
    tokens.set(token, Date.now() + seconds * 1000);
    return json ? jsonAnswer([token]) : textAnswer(200, token);
  }
  if ((tokens.get(question.headers['metadata-token'] ?? '') ?? 0) < Date.now())
    return textAnswer(401, 'invalid token\n');
  if (question.method !== 'GET') return textAnswer(405, 'method not allowed\n');
  const document = documents(instance)[question.path];
  if (question.path === '/v1/user-data') {
    const userData = instance.userData ?? '';
    return userData === ''
      ? textAnswer(404, 'no user data\n')
      : textAnswer(200, Buffer.from(userData).toString('base64'));
  }
  if (document === undefined) return textAnswer(404, 'not found\n');
  return json ? jsonAnswer(document) : textAnswer(200, flatten(document));
}

function documents(instance: LinodeInstance): Readonly<Record<string, object>> {
  return {
    '/v1/instance': {
      id: instance.id,
      label: instance.label,
      region: instance.region,
      type: instance.type,
      host_uuid: '3a3ddd59d9a78bb8de041391075df44de62bfec8',
      tags: instance.tags,
      specs: { vcpus: 2, memory: 4096, disk: 81920, transfer: 4000, gpus: 0 },
      backups: { enabled: false, status: null },
      image: { id: instance.image ?? 'linode/debian12', label: 'Debian 12' },
      account_euuid: 'BEF0B8A2-0000-4000-8000-000000000000',
    },
    '/v1/network': {
      interfaces: instance.interfaces,
      ipv4: instance.ipv4,
      ipv6: {
        slaac: '2600:3c03::f03c:91ff:fe24:3a2f/128',
        link_local: 'fe80::f03c:91ff:fe24:3a2f/128',
        ranges: [],
        shared_ranges: [],
      },
    },
    '/v1/ssh-keys': { users: {} },
  };
}

function jsonAnswer(document: object): Answer {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(document) };
}

/** The service's plain text form: one `key.path: value` per line. */
function flatten(value: unknown, prefix = ''): string {
  if (value === null || typeof value !== 'object') return `${prefix}: ${value ?? ''}\n`;
  return Object.entries(value)
    .map(([key, child]) => flatten(child, prefix === '' ? key : `${prefix}.${key}`))
    .join('');
}

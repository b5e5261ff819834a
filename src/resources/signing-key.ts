import { BootstrapError } from '../core/errors.ts';
import type { HostReader, Path, Resource } from '../core/types.ts';
import { file } from './file.ts';
import { readOpenPgpKeys } from './openpgp-keys.ts';

/** A repository's signing key, and what may vouch for packages. */
export interface SigningKey {
  readonly path: Path;
  readonly owner: 'HashiCorp' | 'Docker';
  readonly url: string;
  /** Fingerprints of primary keys, upper-case hexadecimal without spaces. */
  readonly accepted: readonly string[];
  /** The flag that accepts another one. */
  readonly flag: string;
  /** Whether something is to be installed that the key must vouch for; only then is the upstream asked for it. */
  needed(host: HostReader): Promise<boolean>;
  download(host: HostReader): Promise<Uint8Array>;
}

const attributes = { mode: 0o644, owner: 'root:root' };

/**
 * The key that a package manager trusts for a repository: only ever a key whose fingerprint is accepted, and nothing
 * else from the file that the upstream serves. Owners replace their keys, so it is fetched anew when packages are to be
 * installed. `key-not-accepted` comes while planning, before anything was changed.
 */
export function signingKey(key: SigningKey): Resource {
  let fetched: Promise<string> | undefined;

  return {
    id: `file:${key.path}`,
    async plan(host, before) {
      const current = await host.readFile(key.path);
      const trusted = current !== undefined && (await acceptedOnly(current, key.accepted));
      if (trusted && !(await key.needed(host))) {
        return file(key.path, new TextDecoder().decode(current), attributes).plan(host, before);
      }
      fetched ??= fetchKey(host, key);
      const change = await file(key.path, await fetched, attributes).plan(host, before);
      return (
        change && {
          ...change,
          summary: `trust ${key.owner}'s signing key in ${key.path}`,
          diff: await keyDiff(key, current, await fetched),
        }
      );
    },
  };
}

/** Fingerprints instead of the armored text, which says nothing to people. */
async function keyDiff(key: SigningKey, current: Uint8Array | undefined, wanted: string): Promise<string> {
  const listed = async (sign: string, keyring: Uint8Array) =>
    (await readOpenPgpKeys(keyring)).map(({ fingerprint }) => `${sign}${fingerprint}\n`).join('');
  return `${key.path}\n${current === undefined ? '' : await listed('-', current)}${await listed('+', new TextEncoder().encode(wanted))}`;
}

async function acceptedOnly(keyring: Uint8Array, accepted: readonly string[]): Promise<boolean> {
  const keys = await readOpenPgpKeys(keyring);
  return keys.length > 0 && keys.every(({ fingerprint }) => accepted.includes(fingerprint));
}

async function fetchKey(host: HostReader, key: SigningKey): Promise<string> {
  const keys = await readOpenPgpKeys(await key.download(host));
  const unknown = keys.filter(({ fingerprint }) => !key.accepted.includes(fingerprint));
  if (keys.length > 0 && unknown.length === 0) return keys.map(({ armored }) => armored).join('');

  const found = keys.length === 0 ? 'no OpenPGP key' : unknown.map(({ fingerprint }) => fingerprint).join(', ');
  throw new BootstrapError(
    'key-not-accepted',
    `${key.url} serves ${found}, which is not an accepted key of ${key.owner}`,
    {
      hint: `check with ${key.owner} whether that is its key now${key.owner === 'HashiCorp' ? ' (it replaced its key in September 2026, see https://www.hashicorp.com/en/official-packaging-guide)' : ''}, then name it with ${key.flag} ${unknown[0]?.fingerprint ?? 'FINGERPRINT'}, or take the newest release of nomad-bootstrap`,
      detail: `accepted: ${key.accepted.join(', ')}`,
    },
  );
}

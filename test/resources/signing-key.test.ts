import { generateKey } from 'openpgp';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Resource } from '../../src/core/types.ts';
import { readOpenPgpKeys } from '../../src/resources/openpgp-keys.ts';
import { type SigningKey, signingKey } from '../../src/resources/signing-key.ts';
import { type FixtureHost, fixtureHost } from '../support/fixture-host.ts';

const path = '/usr/share/keyrings/hashicorp-archive-keyring.asc';
const none: ReadonlySet<string> = new Set();

interface GeneratedKey {
  readonly armored: string;
  readonly fingerprint: string;
}

async function generate(name: string): Promise<GeneratedKey> {
  const { publicKey } = await generateKey({ userIDs: { name, email: 'x@example.net' }, format: 'object' });
  return { armored: publicKey.armor(), fingerprint: publicKey.getFingerprint().toUpperCase() };
}

let old: GeneratedKey;
let current: GeneratedKey;
beforeAll(async () => {
  [old, current] = await Promise.all([generate('Old'), generate('Current')]);
});

const bytes = (text: string) => new TextEncoder().encode(text);

interface Situation {
  readonly accepted: readonly string[];
  readonly needed: boolean;
  /** What the upstream serves; absent: asking it fails the test. */
  readonly served?: string;
}

function keyIn({ accepted, needed, served }: Situation): Resource {
  const key: SigningKey = {
    path,
    owner: 'HashiCorp',
    url: 'https://apt.releases.hashicorp.com/gpg',
    accepted,
    flag: '--hashicorp-key-fingerprint',
    needed: async () => needed,
    async download() {
      if (served === undefined) throw new Error('the upstream was asked');
      return bytes(served);
    },
  };
  return signingKey(key);
}

async function applied(resource: Resource, host: FixtureHost): Promise<string | undefined> {
  await (await resource.plan(host, none))?.apply(host);
  expect(await resource.plan(host, none)).toBeUndefined();
  return host.readText(path);
}

describe('the fingerprints in a keyring', () => {
  test('are those of every key, in one armored block, in several, or in binary', async () => {
    const both = old.armored + current.armored;
    const fingerprints = [old.fingerprint, current.fingerprint];
    expect((await readOpenPgpKeys(bytes(both))).map(key => key.fingerprint)).toEqual(fingerprints);
    const base64 = current.armored.replace(/-----[^-]+-----/g, '').replace(/\n=.{4}\n/, '\n');
    expect((await readOpenPgpKeys(Buffer.from(base64, 'base64'))).map(key => key.fingerprint)).toEqual([
      current.fingerprint,
    ]);
  });

  test('are none where there is no key', async () => {
    for (const text of [
      '',
      '<html>sign in</html>',
      '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n',
    ]) {
      expect(await readOpenPgpKeys(bytes(text))).toEqual([]);
    }
  });
});

describe("a repository's signing key", () => {
  test('is written when its fingerprint is accepted, and shown by it', async () => {
    const resource = keyIn({ accepted: [current.fingerprint], needed: true, served: `junk\n${current.armored}junk` });
    const host = fixtureHost();
    expect(await resource.plan(host, none)).toMatchObject({
      summary: `trust HashiCorp's signing key in ${path}`,
      diff: `${path}\n+${current.fingerprint}\n`,
      undo: { kind: 'files', files: [{ path }] },
    });
    expect(await applied(resource, host)).toBe(current.armored);
    expect(host.log).toEqual([{ kind: 'write', path, content: current.armored, mode: 0o644, owner: 'root:root' }]);
  });

  test('that is not accepted stops the run while nothing has changed, and is named with the flag', async () => {
    const resource = keyIn({ accepted: [old.fingerprint], needed: true, served: current.armored });
    await expect(resource.plan(fixtureHost(), none)).rejects.toMatchObject({
      code: 'key-not-accepted',
      message: expect.stringContaining(current.fingerprint),
      hint: expect.stringMatching(`September 2026.*--hashicorp-key-fingerprint ${current.fingerprint}`),
      detail: `accepted: ${old.fingerprint}`,
    });
  });

  test('is refused when another key is served beside the accepted one', async () => {
    const resource = keyIn({ accepted: [old.fingerprint], needed: true, served: old.armored + current.armored });
    await expect(resource.plan(fixtureHost(), none)).rejects.toMatchObject({
      code: 'key-not-accepted',
      message: expect.stringContaining(current.fingerprint),
    });
  });

  test('is refused when the upstream serves something else', async () => {
    const resource = keyIn({ accepted: [old.fingerprint], needed: true, served: '<html>sign in</html>' });
    await expect(resource.plan(fixtureHost(), none)).rejects.toMatchObject({
      code: 'key-not-accepted',
      message: expect.stringContaining('no OpenPGP key'),
    });
  });

  test('that is in place is not asked for as long as nothing is to be installed', async () => {
    const resource = keyIn({ accepted: [old.fingerprint], needed: false });
    expect(await resource.plan(fixtureHost({ files: { [path]: old.armored } }), none)).toBeUndefined();
  });

  test('is replaced when its owner has replaced it and a package is to be installed', async () => {
    const accepted = [old.fingerprint, current.fingerprint];
    const resource = keyIn({ accepted, needed: true, served: current.armored });
    const host = fixtureHost({ files: { [path]: old.armored } });
    expect((await resource.plan(host, none))?.diff).toBe(`${path}\n-${old.fingerprint}\n+${current.fingerprint}\n`);
    expect(await applied(resource, host)).toBe(current.armored);
  });

  test('that is in place and not accepted any more is replaced, even when nothing is to be installed', async () => {
    const resource = keyIn({ accepted: [current.fingerprint], needed: false, served: current.armored });
    expect(await applied(resource, fixtureHost({ files: { [path]: old.armored } }))).toBe(current.armored);
  });

  test('keeps its mode and owner', async () => {
    const resource = keyIn({ accepted: [old.fingerprint], needed: false });
    const host = fixtureHost({ files: { [path]: { content: old.armored, mode: 0o600 } } });
    await applied(resource, host);
    expect(await host.stat(path)).toMatchObject({ mode: 0o644, owner: 'root:root' });
  });
});

/** The only file that uses openpgp, which is loaded when a key is read. */

export interface OpenPgpKey {
  /** Of the primary key, upper-case hexadecimal. */
  readonly fingerprint: string;
  /** The key alone, ASCII-armored. */
  readonly armored: string;
}

/** Every primary key in a keyring, armored (any number of blocks) or binary. Empty when there is none to be read. */
export async function readOpenPgpKeys(keyring: Uint8Array): Promise<readonly OpenPgpKey[]> {
  const { readKeys } = await import('openpgp');
  const blocks = new TextDecoder()
    .decode(keyring)
    .match(/-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*?-----END PGP PUBLIC KEY BLOCK-----/g);
  try {
    const keys =
      blocks === null
        ? await readKeys({ binaryKeys: keyring })
        : (await Promise.all(blocks.map(block => readKeys({ armoredKeys: `${block}\n` })))).flat();
    return keys.map(key => ({ fingerprint: key.getFingerprint().toUpperCase(), armored: key.armor() }));
  } catch {
    return [];
  }
}

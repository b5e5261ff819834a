import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { madeOnce } from './cache.ts';
import { runCommand } from './commands.ts';

/** The lab's signing keys. They are made on this machine, live in its cache, and are trusted by lab nodes only. */
export type KeyName = 'hashicorp' | 'hashicorp-rotated' | 'docker' | 'distribution';

const keyNames: readonly KeyName[] = ['hashicorp', 'hashicorp-rotated', 'docker', 'distribution'];

/** Throw-away OpenPGP keys, one per publisher that the mirror stands for. */
export interface SigningKeys {
  /** The GnuPG home with the secret keys. */
  readonly home: string;
  /** 40 upper-case hex digits each. */
  readonly fingerprints: Readonly<Record<KeyName, string>>;
  /** The file with the armoured public key. */
  publicKey(name: KeyName): string;
}

/** The signing keys, made on first use (RSA 3072, no expiry, no passphrase). */
export async function signingKeys(): Promise<SigningKeys> {
  const directory = await madeOnce('keys', 'signing', async staging => {
    const home = path.join(staging, 'gnupg');
    mkdirSync(home, { mode: 0o700 });
    const fingerprints: Record<string, string> = {};
    for (const name of keyNames) {
      const gpg = ['gpg', '--homedir', home, '--batch', '--quiet'];
      const user = `nomad-bootstrap lab ${name} <${name}@lab.invalid>`;
      await runCommand([...gpg, '--passphrase', '', '--quick-gen-key', user, 'rsa3072', 'sign', 'never']);
      const listing = await runCommand([...gpg, '--with-colons', '--list-keys', user]);
      fingerprints[name] = /^fpr:::::::::([0-9A-F]{40}):/m.exec(listing.stdout)?.[1] ?? '';
      const armoured = await runCommand([...gpg, '--armor', '--export', user]);
      writeFileSync(path.join(staging, `${name}.asc`), armoured.stdout);
    }
    await runCommand(['gpgconf', '--homedir', home, '--kill', 'gpg-agent']);
    writeFileSync(path.join(staging, 'fingerprints.json'), JSON.stringify(fingerprints));
  });
  return {
    home: path.join(directory, 'gnupg'),
    fingerprints: JSON.parse(readFileSync(path.join(directory, 'fingerprints.json'), 'utf8')),
    publicKey: name => path.join(directory, `${name}.asc`),
  };
}

/** The certificate authority whose root every lab node trusts. */
export interface CertificateAuthority {
  readonly certificate: string;
  readonly key: string;
}

/** The lab's certificate authority (files), made on first use; valid for ten years. */
export async function certificateAuthority(): Promise<CertificateAuthority> {
  const directory = await madeOnce('keys', 'ca', async staging => {
    await runCommand(
      [
        ...[
          'openssl',
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-days',
          '3650',
        ],
        ...['-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=nomad-bootstrap lab CA'],
        ...['-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
      ],
      { cwd: staging },
    );
  });
  return { certificate: path.join(directory, 'ca.crt'), key: path.join(directory, 'ca.key') };
}

/** Writes server.crt and server.key for `hosts` into `directory`, signed by the lab's authority. */
export async function issueCertificate(directory: string, hosts: readonly string[]): Promise<void> {
  const authority = await certificateAuthority();
  await runCommand(
    [
      ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '3650'],
      ...['-CA', authority.certificate, '-CAkey', authority.key, '-keyout', 'server.key', '-out', 'server.making'],
      ...['-subj', '/CN=nomad-bootstrap lab mirror', '-addext', 'basicConstraints=critical,CA:FALSE'],
      ...['-addext', 'extendedKeyUsage=serverAuth'],
      ...['-addext', `subjectAltName=${hosts.map(host => `DNS:${host}`).join(',')}`],
    ],
    { cwd: directory },
  );
  renameSync(path.join(directory, 'server.making'), path.join(directory, 'server.crt'));
}

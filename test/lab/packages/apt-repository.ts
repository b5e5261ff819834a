import { copyFileSync, cpSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { runCommand } from '../commands.ts';
import type { KeyName, SigningKeys } from '../keys.ts';

/** An APT repository to make: every suite offers the same packages. */
export interface AptRepository {
  readonly origin: string;
  readonly suites: readonly string[];
  /** main, stable ... */
  readonly component: string;
  /** Folder of the packages, relative to the repository's root. They are there already. */
  readonly pool: string;
}

/** Writes and signs the indexes of a repository whose packages lie in `root`/pool. */
export async function indexAptRepository(
  root: string,
  repository: AptRepository,
  keys: SigningKeys,
  key: KeyName,
): Promise<void> {
  const { stdout: packages } = await runCommand(['apt-ftparchive', 'packages', repository.pool], { cwd: root });
  for (const suite of repository.suites) {
    const folder = path.join(root, 'dists', suite);
    for (const [architecture, index] of [
      ['amd64', packages],
      ['arm64', ''],
    ] as const) {
      const binary = path.join(folder, repository.component, `binary-${architecture}`);
      mkdirSync(binary, { recursive: true });
      writeFileSync(path.join(binary, 'Packages'), index);
      writeFileSync(path.join(binary, 'Packages.gz'), gzipSync(index));
    }
    const fields = {
      Origin: repository.origin,
      Label: repository.origin,
      Suite: suite,
      Codename: suite,
      Architectures: 'amd64 arm64',
      Components: repository.component,
    };
    const settings = Object.entries(fields).flatMap(([name, value]) => [
      '-o',
      `APT::FTPArchive::Release::${name}=${value}`,
    ]);
    const release = await runCommand(['apt-ftparchive', ...settings, 'release', folder]);
    writeFileSync(path.join(folder, 'Release'), release.stdout);
    await signRelease(folder, keys, key);
  }
}

/** Copies a repository's signed files into `variant` and signs them with another key there. */
export async function resignAptRepository(
  root: string,
  suites: readonly string[],
  variant: string,
  keys: SigningKeys,
  key: KeyName,
): Promise<void> {
  for (const suite of suites) {
    const folder = path.join(variant, 'dists', suite);
    mkdirSync(folder, { recursive: true });
    copyFileSync(path.join(root, 'dists', suite, 'Release'), path.join(folder, 'Release'));
    await signRelease(folder, keys, key);
    // Signed later than the original, so that apt does not take its copy for the same file.
    const later = new Date(Date.now() + 3_600_000);
    for (const file of ['Release', 'Release.gpg', 'InRelease']) utimesSync(path.join(folder, file), later, later);
  }
  cpSync(keys.publicKey(key), path.join(variant, 'gpg'));
}

async function signRelease(folder: string, keys: SigningKeys, key: KeyName): Promise<void> {
  const gpg = ['gpg', '--homedir', keys.home, '--batch', '--yes', '--quiet', '--local-user', keys.fingerprints[key]];
  await runCommand([...gpg, '--clearsign', '--output', 'InRelease', 'Release'], { cwd: folder });
  await runCommand([...gpg, '--detach-sign', '--armor', '--output', 'Release.gpg', 'Release'], { cwd: folder });
}

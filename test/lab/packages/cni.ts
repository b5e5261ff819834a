import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { madeOnce, recipeDigest } from '../cache.ts';
import { runCommand } from '../commands.ts';
import { downloadPackages } from './distribution.ts';

/** The reference CNI plugins, as GitHub serves them: a site's root, and what the archive's digest is. */
export interface CniArchive {
  readonly root: string;
  /** Without the leading v. */
  readonly version: string;
  /** Hexadecimal. It is not the upstream archive's: the lab packs Debian's build of the same source. */
  readonly sha256: string;
}

const version = '1.9.1';

/** The archive cni-plugins-linux-amd64-v1.9.1.tgz with its .sha256, of real binaries that Debian built. Made on first use. */
export async function cniArchive(): Promise<CniArchive> {
  const name = `cni-plugins-linux-amd64-v${version}.tgz`;
  const folder = `containernetworking/plugins/releases/download/v${version}`;
  const root = await madeOnce('repositories', `cni-${recipeDigest('1', version)}`, async staging => {
    const work = path.join(staging, 'work');
    mkdirSync(work);
    const [deb = ''] = await downloadPackages('sid', ['containernetworking-plugins'], work);
    await runCommand(['dpkg-deb', '-x', deb, 'unpacked'], { cwd: work });
    const plugins = path.join(work, 'unpacked/usr/lib/cni');
    renameSync(
      path.join(work, 'unpacked/usr/share/doc/containernetworking-plugins/copyright'),
      path.join(plugins, 'LICENSE'),
    );
    writeFileSync(path.join(plugins, 'README.md'), 'The CNI plugins of Debian, packed like the upstream archive.\n');
    const destination = path.join(staging, folder);
    mkdirSync(destination, { recursive: true });
    const members = readdirSync(plugins).sort();
    await runCommand([
      'tar',
      '--owner=0',
      '--group=0',
      '-czf',
      path.join(destination, name),
      '-C',
      plugins,
      ...members.map(file => `./${file}`),
    ]);
    const digest = createHash('sha256')
      .update(readFileSync(path.join(destination, name)))
      .digest('hex');
    writeFileSync(path.join(destination, `${name}.sha256`), `${digest}  ${name}\n`);
    await runCommand(['rm', '-rf', work]);
  });
  const sidecar = readFileSync(path.join(root, folder, `${name}.sha256`), 'utf8');
  return { root, version, sha256: sidecar.slice(0, 64) };
}

import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { madeOnce } from '../cache.ts';
import { runCommand } from '../commands.ts';
import { downloadPackages } from './distribution.ts';

/** The image that Nomad's docker driver runs to hold a group's network; no registry is reachable from a lab. */
export const pauseImage = 'registry.k8s.io/pause-amd64:3.3';

/** A tar of a root file system with nothing but busybox and its applets, to `docker import`. Made on first use. */
export async function busyboxRoot(): Promise<string> {
  const directory = await madeOnce('images', 'busybox-1', async staging => {
    const work = path.join(staging, 'work');
    const root = path.join(work, 'root');
    for (const folder of ['bin', 'etc', 'tmp', 'var', 'root']) mkdirSync(path.join(root, folder), { recursive: true });
    const [deb = ''] = await downloadPackages('bookworm', ['busybox-static'], work);
    await runCommand(['dpkg-deb', '-x', deb, 'unpacked'], { cwd: work });
    copyFileSync(path.join(work, 'unpacked/bin/busybox'), path.join(root, 'bin/busybox'));
    chmodSync(path.join(root, 'bin/busybox'), 0o755);
    await runCommand(['chroot', root, '/bin/busybox', '--install', '-s', '/bin']);
    await runCommand(['tar', '-cf', path.join(staging, 'busybox.tar'), '-C', root, '.']);
    await runCommand(['rm', '-rf', work]);
  });
  return path.join(directory, 'busybox.tar');
}

import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { distributionArchives } from './archives.ts';
import { madeOnce, recipeDigest } from './cache.ts';
import { runCommand } from './commands.ts';
import { certificateAuthority } from './keys.ts';

/** The systems that a lab node can be. */
export type System = 'debian12' | 'debian13';

/** All of them; the first is the default. */
export const systems: readonly System[] = ['debian12', 'debian13'];

export function isSystem(name: string): name is System {
  return (systems as readonly string[]).includes(name);
}

const suites: Readonly<Record<System, string>> = { debian12: 'bookworm', debian13: 'trixie' };

/** As small as a cloud image gets; what the product needs beyond this, it has to install. */
const packages = [
  ...['systemd', 'systemd-sysv', 'dbus', 'udev', 'iproute2', 'curl', 'ca-certificates', 'kmod', 'procps', 'netbase'],
];

/**
 * The read-only root file system that every node of a system is laid over. Made on first use (half a minute) from this
 * machine's own archive; after that, found in the cache.
 */
export async function baseFor(system: System): Promise<string> {
  const authority = await certificateAuthority();
  const suite = suites[system];
  const recipe = recipeDigest(
    '1',
    suite,
    ...packages,
    readFileSync(authority.certificate, 'utf8'),
    String(finishDebian),
  );
  return madeOnce('bases', `${system}-${recipe}`, async staging => {
    await bootstrap(suite, staging);
    finishDebian(staging, suite);
    copyFileSync(authority.certificate, path.join(staging, 'usr/local/share/ca-certificates/nomad-bootstrap-lab.crt'));
    await runCommand(['chroot', staging, 'update-ca-certificates']);
    await runCommand(['systemctl', '--root', staging, 'enable', 'systemd-networkd']);
  });
}

async function bootstrap(suite: string, directory: string): Promise<void> {
  const archives = await distributionArchives();
  const sources = archives.forSuite(suite).map(source => `deb ${source.uri} ${source.suite} main`);
  await runCommand(
    ['mmdebstrap', '--quiet', '--variant=apt', `--include=${packages.join(',')}`, suite, directory, '-'],
    { stdin: `${sources.join('\n')}\n` },
  );
}

function finishDebian(root: string, suite: string): void {
  // The bootstrap leaves this machine's name, resolver and archive behind: a node has its own.
  for (const leftover of ['etc/hostname', 'etc/resolv.conf', 'etc/apt/sources.list', 'etc/apt/sources.list.d']) {
    rmSync(path.join(root, leftover), { recursive: true, force: true });
  }
  mkdirSync(path.join(root, 'etc/apt/sources.list.d'));
  const source = (folder: string, names: string) => [
    'Types: deb',
    `URIs: http://archive.lab/${folder}`,
    `Suites: ${names}`,
    'Components: main',
    'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
    '',
  ];
  writeFileSync(
    path.join(root, 'etc/apt/sources.list.d/debian.sources'),
    [...source('debian', `${suite} ${suite}-updates`), ...source('debian-security', `${suite}-security`)].join('\n'),
  );
  writeFileSync(path.join(root, 'etc/machine-id'), '');
  // Docker's and containerd's snapshots cannot lie on an overlay: nodes bring a real directory for each.
  for (const folder of ['docker', 'containerd']) {
    const directory = path.join(root, 'var/lib', folder);
    if (!existsSync(directory)) mkdirSync(directory, { mode: 0o710 });
  }
}

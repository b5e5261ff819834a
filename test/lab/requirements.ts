import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { withLock } from './cache.ts';
import { unifiedCgroupMount } from './cgroups.ts';
import { runCommand } from './commands.ts';

/** Programs that the lab runs on this machine, and the Debian package that has each. */
const requiredPrograms: Readonly<Record<string, string>> = {
  'systemd-nspawn': 'systemd-container',
  mmdebstrap: 'mmdebstrap',
  'apt-ftparchive': 'apt-utils',
  'dpkg-deb': 'dpkg',
  ar: 'binutils',
  rpmbuild: 'rpm',
  createrepo_c: 'createrepo-c',
  gpg: 'gnupg',
  openssl: 'openssl',
  ip: 'iproute2',
  nsenter: 'util-linux',
  flock: 'util-linux',
  python3: 'python3-minimal',
  xz: 'xz-utils',
};

/** Why this machine can never run a lab, or undefined when it can (after {@link installRequirements}). */
export function whyNoLab(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the lab runs on Linux amd64 only';
  if (process.getuid?.() !== 0) return 'the lab needs root: it boots systemd-nspawn nodes and makes network namespaces';
  if (unifiedCgroupMount() === undefined) return 'the lab needs a cgroup2 mount (it ends nodes by their cgroup)';
  if (missingPackages().length > 0 && !existsSync('/usr/bin/apt-get')) {
    return `the lab needs ${missingPackages().join(', ')}, and this machine has no apt to install them with`;
  }
  return undefined;
}

/** Packages to install before a lab can open (or before `programs` can be used); empty when nothing is missing. */
export function missingPackages(programs = requiredPrograms): readonly string[] {
  const directories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  const missing = Object.entries(programs)
    .filter(([program]) => !directories.some(directory => existsSync(path.join(directory, program))))
    .map(([, name]) => name);
  return [...new Set(missing)];
}

/**
 * Each node's systemd takes a handful of root's inotify instances, and the kernel's default of 128 is used up by a dozen of
 * nodes: a further one ends with "Too many open files". The limit stays raised; it costs nothing until it is used.
 */
const inotifyInstances = { path: '/proc/sys/fs/inotify/max_user_instances', atLeast: 8192 };

/** Installs what is missing through this machine's apt, and makes room for nodes. Does nothing, quickly, when all is there. */
export async function installRequirements(programs = requiredPrograms): Promise<void> {
  if (Number(readFileSync(inotifyInstances.path, 'utf8')) < inotifyInstances.atLeast) {
    writeFileSync(inotifyInstances.path, `${inotifyInstances.atLeast}\n`);
  }
  if (missingPackages(programs).length === 0) return;
  await withLock('requirements', async () => {
    const names = missingPackages(programs);
    if (names.length === 0) return;
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } as Record<string, string>;
    await runCommand(['apt-get', 'update', '-q'], { env });
    await runCommand(
      ['apt-get', 'install', '-q', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...names],
      { env },
    );
  });
}

import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { distributionArchives } from './archives.ts';
import { madeOnce, recipeDigest } from './cache.ts';
import { runCommand } from './commands.ts';
import { certificateAuthority } from './keys.ts';
import { type EnterpriseLinux, enterpriseLinux, enterpriseRelease } from './packages/enterprise.ts';
import { installRequirements } from './requirements.ts';

/**
 * The systems that a lab node can be. `rocky9` is an honest test of dnf and rpm, not of Rocky Linux: it is a Debian root
 * with dnf, a Rocky os-release, Enterprise Linux's habits where the product meets them, and without apt and dpkg.
 */
export type System = 'debian12' | 'debian13' | 'rocky9';

/** All of them; the first is the default. */
export const systems: readonly System[] = ['debian12', 'debian13', 'rocky9'];

export function isSystem(name: string): name is System {
  return (systems as readonly string[]).includes(name);
}

const suites: Readonly<Record<System, string>> = { debian12: 'bookworm', debian13: 'trixie', rocky9: 'trixie' };

/** As small as a cloud image gets; what the product needs beyond this, it has to install. */
const commonPackages: readonly string[] = [
  ...['systemd', 'systemd-sysv', 'dbus', 'udev', 'iproute2', 'curl', 'ca-certificates', 'kmod', 'procps', 'netbase'],
];

const extraPackages: Readonly<Record<System, readonly string[]>> = {
  debian12: [],
  debian13: ['passwd'], // priority `required`: on every installation, but not in so small a bootstrap
  rocky9: ['dnf', 'rpm', 'libseccomp2'],
};

/**
 * The read-only root file system that every node of a system is laid over. Made on first use (half a minute) from this
 * machine's own archive; after that, found in the cache.
 */
export async function baseFor(system: System): Promise<string> {
  await installRequirements();
  const authority = await certificateAuthority();
  const enterprise = system === 'rocky9' ? await enterpriseLinux() : undefined;
  const recipe = recipeDigest(
    readFileSync(import.meta.filename, 'utf8'),
    readFileSync(authority.certificate, 'utf8'),
    enterprise?.root ?? '',
  );
  return madeOnce('bases', `${system}-${recipe}`, async staging => {
    const suite = suites[system];
    await bootstrap(suite, [...commonPackages, ...extraPackages[system]], staging);
    copyFileSync(authority.certificate, path.join(staging, 'usr/local/share/ca-certificates/nomad-bootstrap-lab.crt'));
    await runCommand(['chroot', staging, 'update-ca-certificates']);
    await runCommand(['systemctl', '--root', staging, 'enable', 'systemd-networkd']);
    finish(staging);
    if (enterprise) await finishEnterprise(staging, enterprise);
    else finishDebian(staging, suite);
  });
}

async function bootstrap(suite: string, packages: readonly string[], directory: string): Promise<void> {
  const archives = await distributionArchives();
  const sources = archives.forSuite(suite).map(source => `deb ${source.uri} ${source.suite} main`);
  await runCommand(
    ['mmdebstrap', '--quiet', '--variant=apt', `--include=${packages.join(',')}`, suite, directory, '-'],
    {
      stdin: `${sources.join('\n')}\n`,
    },
  );
}

function finish(root: string): void {
  // The bootstrap leaves this machine's name, resolver and archive behind: a node has its own.
  for (const leftover of ['etc/hostname', 'etc/resolv.conf', 'etc/apt/sources.list', 'etc/apt/sources.list.d']) {
    rmSync(path.join(root, leftover), { recursive: true, force: true });
  }
  writeFileSync(path.join(root, 'etc/machine-id'), '');
  // Docker's and containerd's snapshots cannot lie on an overlay: nodes bring a real directory for each.
  for (const folder of ['docker', 'containerd']) {
    const directory = path.join(root, 'var/lib', folder);
    if (!existsSync(directory)) mkdirSync(directory, { mode: 0o710 });
  }
}

function finishDebian(root: string, suite: string): void {
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
}

async function finishEnterprise(root: string, enterprise: EnterpriseLinux): Promise<void> {
  // No trace of the family that it was made from, so that nothing but dnf and rpm can be used.
  const traces =
    'rm -rf /usr/bin/apt* /usr/bin/dpkg* /usr/sbin/dpkg* /usr/lib/apt /usr/lib/dpkg /etc/apt /etc/dpkg /var/lib/apt /var/lib/dpkg /var/cache/apt /etc/debian_version';
  await runCommand(['chroot', root, 'sh', '-c', traces]);
  const { major, version, codename } = enterpriseRelease;
  const put = (file: string, lines: readonly string[]) => {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), `${lines.join('\n')}\n`);
  };
  put('usr/lib/os-release', [
    'NAME="Rocky Linux"',
    `VERSION="${version} (${codename})"`,
    'ID="rocky"',
    'ID_LIKE="rhel centos fedora"',
    `VERSION_ID="${version}"`,
    `PLATFORM_ID="platform:el${major}"`,
    `PRETTY_NAME="Rocky Linux ${version} (${codename})"`,
    `CPE_NAME="cpe:/o:rocky:rocky:${major}::baseos"`,
    `ROCKY_SUPPORT_PRODUCT="Rocky-Linux-${major}"`,
    `ROCKY_SUPPORT_PRODUCT_VERSION="${version}"`,
    `REDHAT_SUPPORT_PRODUCT="Rocky Linux"`,
    `REDHAT_SUPPORT_PRODUCT_VERSION="${version}"`,
  ]);
  put('etc/rocky-release', [`Rocky Linux release ${version} (${codename})`]);
  symlinkSync('rocky-release', path.join(root, 'etc/redhat-release'));
  put('usr/lib/systemd/system-preset/99-default-disable.preset', ['disable *']);
  put('etc/dnf/dnf.conf', [
    ...['[main]', 'gpgcheck=1', 'installonly_limit=3', 'clean_requirements_on_remove=True', 'best=True'],
    'skip_if_unavailable=False',
  ]);
  const key = 'etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-lab';
  put('etc/yum.repos.d/rocky.repo', [
    '[baseos]',
    'name=Rocky Linux $releasever - BaseOS',
    'baseurl=http://dnf.lab/$releasever/BaseOS/$basearch/os/',
    'gpgcheck=1',
    'enabled=1',
    `gpgkey=file:///${key}`,
  ]);
  mkdirSync(path.join(root, 'etc/pki/rpm-gpg'), { recursive: true });
  copyFileSync(enterprise.key, path.join(root, key));
  // Where Enterprise Linux has its trusted certificates.
  mkdirSync(path.join(root, 'etc/pki/tls/certs'), { recursive: true });
  symlinkSync('/etc/ssl/certs/ca-certificates.crt', path.join(root, 'etc/pki/tls/certs/ca-bundle.crt'));
  for (const file of enterprise.installed) {
    const inside = path.join(root, 'root', path.basename(file));
    copyFileSync(file, inside);
    await runCommand(['chroot', root, 'rpm', '--install', `/root/${path.basename(file)}`]);
    rmSync(inside);
  }
}

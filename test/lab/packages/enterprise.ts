import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { madeOnce, recipeDigest } from '../cache.ts';
import { runCommand } from '../commands.ts';
import { signingKeys } from '../keys.ts';
import type { PackageSpec } from './build-deb.ts';
import { buildRpm, indexRpmRepository, signRpms } from './build-rpm.ts';
import { downloadPackages } from './distribution.ts';

/** The repositories of the lab's Enterprise Linux, and the rpm that stands for what its nodes bring already. */
export interface EnterpriseLinux {
  /** Root of the host dnf.lab. */
  readonly root: string;
  /** To be put into a new node's rpm database: `lab-system` and `rocky-release`. */
  readonly installed: readonly string[];
  /** The armoured public key of its packages. */
  readonly key: string;
}

/** What the root file system, which was not made by rpm, has on board: the names that other packages ask for. */
const onBoard: readonly string[] = [
  ...['bash', '/bin/sh', '/bin/bash', '/usr/bin/sh', '/usr/bin/bash', '/usr/bin/env', 'coreutils', 'util-linux'],
  ...['glibc', 'systemd', 'systemd-libs', 'shadow-utils', '/usr/sbin/useradd', '/usr/sbin/groupadd', 'openssl'],
  ...[
    'curl',
    'ca-certificates',
    'iproute',
    'kmod',
    'procps-ng',
    'libseccomp',
    'tar',
    'gzip',
    'dnf',
    'rpm',
    '/usr/bin/python3',
  ],
];

/** The release that the nodes claim to be. */
export const enterpriseRelease = { major: '9', version: '9.6', codename: 'Blue Onyx' } as const;

/**
 * A small distribution of rpms: iptables-nft with real programs from Debian, an empty container-selinux, and the packages
 * that describe the node itself. It makes dnf work as on Enterprise Linux; it does not make a Rocky Linux.
 */
export async function enterpriseLinux(): Promise<EnterpriseLinux> {
  const keys = await signingKeys();
  const recipe = [readFileSync(import.meta.filename, 'utf8'), keys.fingerprints.distribution];
  const root = await madeOnce('repositories', `enterprise-${recipeDigest('1', ...recipe)}`, async staging => {
    const packages = path.join(staging, `${enterpriseRelease.major}/BaseOS/x86_64/os`);
    mkdirSync(packages, { recursive: true });
    const empty = path.join(staging, 'empty');
    mkdirSync(empty);
    const iptables = path.join(staging, 'iptables');
    await collectIptables(iptables);
    const built = [await buildRpm(iptablesSpec, iptables, packages)];
    for (const spec of emptySpecs) built.push(await buildRpm(spec, empty, packages));
    await signRpms(built, keys, 'distribution');
    await indexRpmRepository(packages);
    cpSync(keys.publicKey('distribution'), path.join(staging, 'RPM-GPG-KEY-lab'));
    await runCommand(['rm', '-rf', empty, iptables]);
  });
  const folder = path.join(root, `${enterpriseRelease.major}/BaseOS/x86_64/os`);
  return {
    root,
    installed: ['lab-system-1-1', `rocky-release-${enterpriseRelease.version}-1`].map(name =>
      path.join(folder, `${name}.x86_64.rpm`),
    ),
    key: path.join(root, 'RPM-GPG-KEY-lab'),
  };
}

const emptySpecs: readonly PackageSpec[] = [
  { name: 'lab-system', version: '1', revision: '1', summary: 'What the lab node brings', provides: onBoard },
  {
    name: 'rocky-release',
    version: enterpriseRelease.version,
    revision: '1',
    summary: 'Names the release of a lab node',
    provides: [
      'system-release',
      `system-release(releasever) = ${enterpriseRelease.major}`,
      `redhat-release = ${enterpriseRelease.version}`,
    ],
  },
  {
    name: 'container-selinux',
    version: '2.235.0',
    revision: '1.el9',
    epoch: 2,
    summary: 'Empty: the lab has no SELinux',
  },
];

const iptablesSpec: PackageSpec = {
  name: 'iptables-nft',
  version: '1.8.10',
  revision: '11.el9',
  summary: "nftables compatibility for iptables (the lab's cut of Debian's build)",
  provides: ['iptables = 1.8.10'],
};

async function collectIptables(into: string): Promise<void> {
  const work = `${into}.work`;
  mkdirSync(work);
  // libmnl and libxtables are on board with ip: they must not go when this package does.
  const libraries = ['libip4tc2', 'libip6tc2', 'libnetfilter-conntrack3', 'libnfnetlink0', 'libnftnl11'];
  for (const file of await downloadPackages('trixie', ['iptables', ...libraries], work)) {
    await runCommand(['dpkg-deb', '-x', path.join(work, file), into]);
  }
  await runCommand(['rm', '-rf', work, path.join(into, 'usr/share'), path.join(into, 'etc')]);
  // On Debian the alternatives system makes these names; on Enterprise Linux the package has them.
  for (const name of [
    'iptables',
    'iptables-save',
    'iptables-restore',
    'ip6tables',
    'ip6tables-save',
    'ip6tables-restore',
  ]) {
    symlinkSync('xtables-nft-multi', path.join(into, 'usr/sbin', name));
  }
}

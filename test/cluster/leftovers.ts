import type { System } from '../lab/lab.ts';

/** A path that an uninstallation does not make what it was, and why; everything below it counts too. */
export interface Leftover {
  readonly path: string;
  readonly reason: string;
  readonly systems: readonly System[];
}

const debian: readonly System[] = ['debian12', 'debian13'];
const redhat: readonly System[] = ['rocky9'];
const all: readonly System[] = [...debian, ...redhat];

/** The whole list; docs/uninstall.md has the same for people. */
export const leftovers: readonly Leftover[] = [
  { path: '/var/log/nomad-bootstrap.log', reason: 'tells what was taken away', systems: all },
  ...['/etc/passwd-', '/etc/group-', '/etc/shadow-', '/etc/gshadow-'].map(path => ({
    path,
    reason: 'the last but one state of the accounts, kept by useradd and userdel',
    systems: all,
  })),
  ...['/var/lib/apt/lists', '/var/cache/apt'].map(path => ({
    path,
    reason: "apt's indexes and caches, refreshed by its next update",
    systems: debian,
  })),
  { path: '/var/lib/dpkg/status-old', reason: "dpkg's backup of its database", systems: debian },
  ...['/var/cache/debconf/config.dat-old', '/var/cache/debconf/templates.dat-old'].map(path => ({
    path,
    reason: "debconf's backups of its databases",
    systems: debian,
  })),
  ...['/var/log/apt', '/var/log/dpkg.log', '/var/log/alternatives.log'].map(path => ({
    path,
    reason: "the package manager's logs",
    systems: debian,
  })),
  { path: '/var/cache/dnf', reason: "dnf's indexes and caches, refreshed by themselves", systems: redhat },
  { path: '/var/lib/dnf', reason: "dnf's history of transactions", systems: redhat },
  { path: '/var/lib/rpm', reason: "rpm's database: the same packages in a file of another layout", systems: redhat },
  ...['/var/log/dnf.log', '/var/log/dnf.librepo.log', '/var/log/dnf.rpm.log', '/var/log/hawkey.log'].map(path => ({
    path,
    reason: "the package manager's logs",
    systems: redhat,
  })),
];

/** Whether the list has the path, for this system. */
export function isLeftover(path: string, system: System): boolean {
  return leftovers.some(
    leftover => leftover.systems.includes(system) && (path === leftover.path || path.startsWith(`${leftover.path}/`)),
  );
}

import type { Host, HostReader, Resource, ResourceId } from '../core/types.ts';
import type { PackageVersion } from '../resolution/resolution.ts';

/** What installs packages: apt or dnf. Every reader is cheap and writes nothing. */
export interface PackageManager {
  readonly id: 'apt' | 'dnf';
  /** Full version of each of `names` that is installed and configured; the others are not in the map. */
  installed(host: HostReader, names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Names of all packages that are there, sorted. */
  all(host: HostReader): Promise<readonly string[]>;
  /** Which of `names` an upgrade of the system would leave alone. */
  held(host: HostReader, names: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Refreshes the indexes, then installs exactly `packages` in one transaction, without recommended packages, without a
   * prompt and without removing anything. Waits for a busy package manager.
   */
  install(host: Host, packages: readonly PackageVersion[]): Promise<void>;
  /**
   * Removes `names`, and what had come along with them and nothing needs any more; never one of `before`, the packages
   * that were there when they were installed. Their data and changed configuration stay.
   */
  remove(host: Host, names: readonly string[], before: readonly string[]): Promise<void>;
  /** How packages are kept at their version; absent where the repository's source file does that. */
  readonly holding?: {
    hold(host: Host, names: readonly string[]): Promise<void>;
    release(host: Host, names: readonly string[]): Promise<void>;
  };
}

/** The one resource that installs packages. */
export function packagesId(manager: PackageManager): ResourceId {
  return `packages:${manager.id}`;
}

/** Those of `wanted` that are missing or have another version than the one named. */
export async function pendingPackages(
  host: HostReader,
  manager: PackageManager,
  wanted: readonly PackageVersion[],
): Promise<readonly PackageVersion[]> {
  const installed = await manager.installed(host, namesOf(wanted));
  return wanted.filter(({ name, version }) => {
    const present = installed.get(name);
    return present === undefined || (version !== undefined && version !== present);
  });
}

/** All of `wanted`, brought by one transaction that contains only what is missing. Undo: kind `packages`. */
export function packages(manager: PackageManager, wanted: readonly PackageVersion[]): Resource {
  return {
    id: packagesId(manager),
    async plan(host) {
      const pending = await pendingPackages(host, manager, wanted);
      if (pending.length === 0) return undefined;

      const names = namesOf(pending);
      const [installed, before] = await Promise.all([manager.installed(host, names), manager.all(host)]);
      return {
        summary: `install ${pending.map(label).join(', ')}`,
        diff: pending
          .map(({ name, version }) => `${name}: ${installed.get(name) ?? 'absent'} -> ${version ?? 'present'}\n`)
          .join(''),
        undo: { kind: 'packages', manager: manager.id, names: names.filter(name => !installed.has(name)), before },
        apply: target => manager.install(target, pending),
      };
    },
  };
}

/** `names` stay at their version until this program changes it. Undo: kind `package-hold`. */
export function packageHold(
  manager: PackageManager,
  holding: NonNullable<PackageManager['holding']>,
  names: readonly string[],
): Resource {
  return {
    id: `package-hold:${names.join(',')}`,
    async plan(host) {
      const held = await manager.held(host, names);
      const free = names.filter(name => !held.has(name));
      if (free.length === 0) return undefined;
      return {
        summary: `hold ${free.join(' and ')} against upgrades`,
        undo: { kind: 'package-hold', manager: manager.id, names: free },
        apply: target => holding.hold(target, free),
      };
    },
  };
}

function label({ name, version }: PackageVersion): string {
  return version === undefined ? name : `${name} ${version}`;
}

function namesOf(packages: readonly PackageVersion[]): readonly string[] {
  return packages.map(({ name }) => name);
}

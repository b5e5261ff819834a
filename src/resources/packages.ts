import type { Host, HostReader, Resource, ResourceId, Undo } from '../core/types.ts';
import type { PackageVersion } from '../resolution/resolution.ts';
import { type Existing, existingResidue } from './residue.ts';

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
  /** What removing `names` comes to; `before` are the packages that were there when they were installed. Reads only. */
  removal(host: HostReader, names: readonly string[], before: readonly string[]): Promise<Removal>;
  /** Which of `names` have left anything with the package manager. */
  present(host: HostReader, names: readonly string[]): Promise<readonly string[]>;
  /** Removes exactly `names`, with their configuration; never what they keep data in. */
  remove(host: Host, names: readonly string[]): Promise<void>;
  /** Signing keys that the package manager copies into a store of its own, by their ids; absent where it has none. */
  readonly keyring?: {
    keys(host: HostReader): Promise<readonly string[]>;
    remove(host: Host, keys: readonly string[]): Promise<void>;
  };
  /** How packages are kept at their version; absent where the repository's source file does that. */
  readonly holding?: {
    hold(host: Host, names: readonly string[]): Promise<void>;
    release(host: Host, names: readonly string[]): Promise<void>;
  };
}

/** What can be removed, and what cannot. */
export interface Removal {
  /** The packages asked for that are there, and what had come along with them and nothing needs any more. */
  readonly packages: readonly string[];
  /** Those that somebody else's packages need by now: they stay. By name: who needs it. */
  readonly needed: Readonly<Record<string, readonly string[]>>;
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

/** How a transaction is taken back. */
export interface PackagesUndo extends Undo {
  readonly kind: 'packages';
  readonly manager: PackageManager['id'];
  /** Those that were not there. */
  readonly names: readonly string[];
  /** All packages that were there. */
  readonly before: readonly string[];
  /** The keys that the package manager knew. */
  readonly keys?: readonly string[];
  readonly existing: Existing;
}

/** All of `wanted`, brought by one transaction that contains only what is missing. Undo: kind `packages`. */
export function packages(manager: PackageManager, wanted: readonly PackageVersion[]): Resource {
  return {
    id: packagesId(manager),
    async plan(host) {
      const pending = await pendingPackages(host, manager, wanted);
      if (pending.length === 0) return undefined;

      const names = namesOf(pending);
      const [installed, before, keys] = await Promise.all([
        manager.installed(host, names),
        manager.all(host),
        manager.keyring?.keys(host),
      ]);
      const brought = names.filter(name => !installed.has(name));
      return {
        summary: `install ${pending.map(label).join(', ')}`,
        diff: pending
          .map(({ name, version }) => `${name}: ${installed.get(name) ?? 'absent'} -> ${version ?? 'present'}\n`)
          .join(''),
        undo: {
          kind: 'packages',
          manager: manager.id,
          names: brought,
          before,
          ...(keys === undefined ? {} : { keys }),
          existing: await existingResidue(host, brought),
        } satisfies PackagesUndo,
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

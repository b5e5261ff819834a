import { BootstrapError, hasCode } from '../core/errors.ts';
import type { JournalEntry } from '../core/journal.ts';
import type { Change, Host, HostReader, Resource, ResourceId, Undo } from '../core/types.ts';
import type { PackageVersion } from '../resolution/resolution.ts';
import { type Existing, existingResidue } from './residue.ts';

/** What installs packages: apt or dnf. Every reader is cheap and writes nothing. */
export interface PackageManager {
  readonly id: 'apt' | 'dnf';
  /** Full version of each of `names` that is installed and configured; the others are not in the map. */
  installed(host: HostReader, names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** The same, and those that a transaction has brought which was cut off before it had configured them. */
  unpacked(host: HostReader, names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Names of all packages that are there, sorted. */
  all(host: HostReader): Promise<readonly string[]>;
  /** Which of `names` an upgrade of the system would leave alone. */
  held(host: HostReader, names: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Refreshes the indexes that are needed, then installs exactly `packages`, without recommended packages, without a prompt and
   * without removing anything. Waits for a busy package manager. Tells of its parts, where they end before the whole.
   */
  install(host: Host, packages: readonly PackageVersion[], endPart?: (part: InstallationPart) => void): Promise<void>;
  /**
   * Puts exactly `packages` in the place of other versions of them, as {@link install} does, but nothing is started, stopped or
   * restarted by their scripts: when an agent takes its new program into use is not theirs to say. Older ones only `back`.
   */
  exchange(host: Host, packages: readonly PackageVersion[], direction: 'forward' | 'back'): Promise<void>;
  /** What a transaction that was cut off can leave behind when all of its packages are there; absent where that is nothing. */
  readonly remains?: {
    /** Packages that still have something to do. */
    of(host: HostReader): Promise<readonly string[]>;
    /** Has them do it. */
    settle(host: Host): Promise<void>;
  };
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

/** `pinned`: the packages with a version are installed. `downloads`: nothing of weight is left to download. */
export type InstallationPart = 'pinned' | 'downloads';

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

/** The packages that the runs of the journal brought, whether or not they came to their end. */
export function packagesBrought(entries: readonly JournalEntry[]): ReadonlySet<string> {
  const undos = entries.map(({ undo }) => undo).filter((undo): undo is PackagesUndo => undo.kind === 'packages');
  return new Set(undos.flatMap(({ names }) => names));
}

/** Whether the last of the runs that changed packages was ended in the middle of it. */
export function wasCutOff(entries: readonly JournalEntry[]): boolean {
  return entries.findLast(({ id }) => id.startsWith('packages:'))?.done === false;
}

/** What belongs to the exchange of packages that are there for others of the same names. */
export interface Exchange {
  /** What {@link prepare} does, for people: `save the state of nomad`. */
  announce(names: readonly string[]): readonly string[];
  /** Comes first, and throws what forbids the exchange; `installed` has the former versions by name. */
  prepare(host: Host, installed: ReadonlyMap<string, string>): Promise<void>;
  /** Says whether the new programs can be taken into use, before anything runs with them. Throws `config-refused` when not. */
  judge(host: Host, names: readonly string[]): Promise<void>;
}

const plain: Exchange = { announce: () => [], prepare: async () => {}, judge: async () => {} };

/**
 * All of `wanted`, of which only what is missing is installed. Packages that are there in another version are exchanged, and put
 * back when their new programs are refused. After a transaction that was `cutOff`, its remains are settled as well. Its step has the parts of {@link InstallationPart}. Undo: kind `packages`.
 */
export function packages(
  manager: PackageManager,
  wanted: readonly PackageVersion[],
  exchange: Exchange = plain,
  cutOff = false,
): Resource {
  return {
    id: packagesId(manager),
    async plan(host) {
      const pending = await pendingPackages(host, manager, wanted);
      if (pending.length === 0) return cutOff ? planSettling(host, manager) : undefined;

      const names = namesOf(pending);
      const [installed, before, keys] = await Promise.all([
        manager.installed(host, names),
        manager.all(host),
        manager.keyring?.keys(host),
      ]);
      const brought = names.filter(name => !installed.has(name));
      return {
        summary: [
          ...exchange.announce(names.filter(name => installed.has(name))),
          `install ${pending.map(label).join(', ')}`,
        ].join(', '),
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
        async apply(target, course) {
          // Also one that a transaction that was cut off has half replaced.
          const there = await manager.present(target, names);
          const missing = pending.filter(({ name }) => !there.includes(name));
          const differing = pending.filter(({ name }) => there.includes(name));
          // Those that are there first: apt brings a half-unpacked one along with any other transaction, in its newest version.
          if (differing.length > 0) await exchangeJudged(target, manager, differing, installed, exchange);
          if (missing.length > 0) await manager.install(target, missing, course?.endPart);
        },
      };
    },
  };
}

async function planSettling(host: HostReader, { remains }: PackageManager): Promise<Change | undefined> {
  const names = (await remains?.of(host)) ?? [];
  if (remains === undefined || names.length === 0) return undefined;
  return {
    summary: `end the transaction that was cut off, for ${names.join(' and ')}`,
    undo: { kind: 'none' },
    apply: target => remains.settle(target),
  };
}

async function exchangeJudged(
  host: Host,
  manager: PackageManager,
  wanted: readonly PackageVersion[],
  installed: ReadonlyMap<string, string>,
  { prepare, judge }: Exchange,
): Promise<void> {
  await prepare(host, new Map([...installed].filter(([name]) => wanted.some(each => each.name === name))));
  await manager.exchange(host, wanted, 'forward');
  try {
    await judge(host, namesOf(wanted));
  } catch (error) {
    if (!hasCode(error, 'config-refused')) throw error;
    throw await putBack(host, manager, wanted, installed, error);
  }
}

/** Takes an exchange back: no agent has run with it, so no data was changed. Returns the error to throw. */
async function putBack(
  host: Host,
  manager: PackageManager,
  refused: readonly PackageVersion[],
  installed: ReadonlyMap<string, string>,
  refusal: BootstrapError,
): Promise<BootstrapError> {
  const former = refused.flatMap(({ name }) => {
    const version = installed.get(name);
    return version === undefined ? [] : [{ name, version }];
  });
  const told = { hint: refusal.hint, detail: refusal.detail, cause: refusal };
  try {
    if (former.length > 0) await manager.exchange(host, former, 'back');
    const put = former.length > 0 ? `; put back: ${former.map(label).join(' and ')}` : '';
    return new BootstrapError('config-refused', `${refusal.message}${put}; nothing was restarted`, told);
  } catch (error) {
    return new BootstrapError(
      'config-refused',
      `${refusal.message}; could not be put back: ${former.map(label).join(' and ')} (${(error as Error).message}); what ran before still runs`,
      { ...told, hint: `${refusal.hint}. Do that before this machine restarts: it would start the new program` },
    );
  }
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

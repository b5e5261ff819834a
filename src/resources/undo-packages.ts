import type { HostReader, Path, Resource } from '../core/types.ts';
import { readOpenPgpKeys } from './openpgp-keys.ts';
import { type PackageManager, packagesId } from './packages.ts';
import { accounts } from './residue.ts';
import { existingDirectories, goingResidues, type Made, type PackagesRemoved, type Undoing, undone } from './undo.ts';

/** Packages that stay and were not held are free again. */
export function holdReleased(manager: PackageManager, names: readonly string[]): Resource {
  return {
    id: `package-hold:${names.join(',')}`,
    async plan(host) {
      const held = [...(await manager.held(host, names))];
      if (held.length === 0 || manager.holding === undefined) return undefined;
      const { release } = manager.holding;
      return {
        summary: `let upgrades have ${held.join(' and ')} again`,
        undo: undone,
        apply: target => release(target, held),
      };
    },
  };
}

/** The packages that go, and the folders that they leave behind empty. */
export function packagesGone(manager: PackageManager, undoing: Undoing): Resource {
  const { packages, remark } = undoing;
  return {
    id: packagesId(manager),
    async plan(host, before) {
      const present = await manager.present(host, packages);
      const { empty, orphans } = await whatIsLeft(host, undoing);
      // What will have gone by then may leave more folders empty.
      const mayBeMore = [...before].some(id => /^(?:agent|data|file|directory):/.test(id));
      if (present.length === 0 && empty.length === 0 && orphans.length === 0 && !mayBeMore) return undefined;
      return {
        summary: present.length === 0 ? 'tidy up after the removed packages' : `remove ${present.join(', ')}`,
        undo: { kind: 'packages-removed', packages: present } satisfies PackagesRemoved,
        async apply(target) {
          if (present.length > 0) await manager.remove(target, present);
          const { empty, orphans, kept } = await whatIsLeft(target, undoing);
          for (const path of empty) await target.remove(path);
          for (const { path, mode } of orphans) await target.setAttributes(path, { mode, owner: 'root:root' });
          for (const [folder, names] of kept)
            remark(`${folder} keeps what is not nomad-bootstrap's: ${names.join(', ')}`);
        },
      };
    },
  };
}

interface Leftovers {
  /** Folders to remove, inner ones first. */
  readonly empty: readonly Path[];
  /** Files whose user goes, or is gone already and only a number. */
  readonly orphans: readonly { readonly path: Path; readonly mode: number }[];
  readonly kept: ReadonlyMap<Path, readonly string[]>;
}

async function whatIsLeft(host: HostReader, undoing: Undoing): Promise<Leftovers> {
  const existed = existingDirectories(undoing);
  const empty: Path[] = [];
  const orphans: { path: Path; mode: number }[] = [];
  const kept = new Map<Path, readonly string[]>();
  for (const { users = [], configuration = [], directories = [] } of goingResidues(undoing)) {
    for (const path of [...configuration, ...directories].filter(path => !existed.has(path))) {
      const names = ((await host.list(path)) ?? ['']).filter(name => !empty.includes(`${path}/${name}`));
      if (names.length === 0) empty.push(path);
      if (names.length === 0 || names[0] === '' || !configuration.includes(path)) continue;
      kept.set(path, names);
      for (const inside of [path, ...names.map(name => `${path}/${name}`)]) {
        const stat = await host.stat(inside);
        const user = stat?.owner.split(':')[0] ?? '';
        if (stat !== undefined && (users.includes(user) || /^\d+$/.test(user))) {
          orphans.push({ path: inside, mode: stat.mode });
        }
      }
    }
  }
  return { empty, orphans, kept };
}

/** A user that a package's script made, with its group. On Debian, purging the package does the same. */
export function userGone(name: string): Resource {
  return accountGone('user', name, '/etc/passwd', 'userdel');
}

/** A group that a package's script made. */
export function groupGone(name: string): Resource {
  return accountGone('group', name, '/etc/group', 'groupdel');
}

function accountGone(
  kind: 'user' | 'group',
  name: string,
  database: '/etc/passwd' | '/etc/group',
  program: string,
): Resource {
  return {
    id: `${kind}:${name}`,
    async plan(host) {
      if (!(await accounts(host, database)).has(name)) return undefined;
      return {
        summary: `delete the ${kind} ${name}`,
        undo: undone,
        async apply(target) {
          await target.run([program, name]);
        },
      };
    },
  };
}

/** Keys from files of ours that the package manager did not know before, out of its own store. */
export function keysGone(
  manager: PackageManager,
  keyring: NonNullable<PackageManager['keyring']>,
  { made }: Undoing,
): Resource {
  const known = new Set(made.firstTransaction?.keys);
  return {
    id: `package-keys:${manager.id}`,
    async plan(host) {
      const ours = await fingerprints(host, made);
      // The id begins with the end of the fingerprint, or with all of it.
      const keys = (await keyring.keys(host)).filter(
        key => !known.has(key) && ours.some(fingerprint => fingerprint.endsWith(key.split('-')[0] ?? '-')),
      );
      if (keys.length === 0) return undefined;
      return {
        summary: `no longer trust the signing ${keys.length === 1 ? 'key' : 'keys'} ${keys.join(' and ')}`,
        undo: undone,
        apply: target => keyring.remove(target, keys),
      };
    },
  };
}

async function fingerprints(host: HostReader, { files }: Made): Promise<readonly string[]> {
  const found: string[] = [];
  for (const path of files.keys()) {
    if (!/key/i.test(path)) continue;
    const content = await host.readFile(path);
    if (content === undefined) continue;
    const keys = await readOpenPgpKeys(content).catch(() => []);
    found.push(...keys.map(({ fingerprint }) => fingerprint.toLowerCase()));
  }
  return found;
}

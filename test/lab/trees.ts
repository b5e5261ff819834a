import { createHash } from 'node:crypto';
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';

/** What a snapshot knows about one path. Times are left out on purpose: content, owner and mode are what counts. */
export interface TreeEntry {
  readonly type: 'file' | 'directory' | 'symlink' | 'other';
  /** Permission bits, as in chmod. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Files only. */
  readonly size?: number;
  /** Files only: hexadecimal SHA-256 of the content. */
  readonly sha256?: string;
  /** Symbolic links only: where it points to. */
  readonly target?: string;
}

/** Absolute path on the node -> what is there. */
export type Tree = ReadonlyMap<string, TreeEntry>;

/** What changes on a node by itself: a running system's own logs, state and seeds. Mount points are seen empty. */
export const livingPaths: readonly string[] = [
  ...['/proc', '/sys', '/dev', '/run', '/tmp', '/var/tmp', '/var/log/journal', '/var/log/wtmp', '/var/log/lastlog'],
  ...['/var/lib/systemd', '/var/lib/dbus', '/etc/machine-id', '/var/cache/ldconfig', '/etc/.updated', '/var/.updated'],
];

/**
 * Reads everything below `paths` of a root file system, but what lies under `excluded`.
 * `known` keeps digests between snapshots by inode and change time, so that a second one is quick.
 */
export function readTree(
  root: string,
  paths: readonly string[],
  excluded: readonly string[],
  known: Map<string, string>,
): Tree {
  const tree = new Map<string, TreeEntry>();
  const skip = new Set(excluded);
  const pending = [...paths];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (skip.has(name)) continue;
    const file = path.join(root, name);
    const stat = lstatSync(file, { bigint: true, throwIfNoEntry: false });
    if (!stat) continue;
    tree.set(name, readEntry(file, stat, known));
    if (stat.isDirectory()) pending.push(...readdirSync(file).map(child => path.join(name, child)));
  }
  return new Map([...tree].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function readEntry(file: string, stat: BigIntStats, known: Map<string, string>): TreeEntry {
  const common = { mode: Number(stat.mode) & 0o7777, uid: Number(stat.uid), gid: Number(stat.gid) };
  if (stat.isDirectory()) return { type: 'directory', ...common };
  if (stat.isSymbolicLink()) return { type: 'symlink', ...common, target: readlinkSync(file) };
  if (!stat.isFile()) return { type: 'other', ...common };
  const identity = `${file} ${stat.ino} ${stat.size} ${stat.mtimeNs} ${stat.ctimeNs}`;
  let sha256 = known.get(identity);
  if (sha256 === undefined) {
    sha256 = createHash('sha256').update(readFileSync(file)).digest('hex');
    known.set(identity, sha256);
  }
  return { type: 'file', ...common, size: Number(stat.size), sha256 };
}

/** The paths that differ between two snapshots, each with what happened to it: `added`, `removed` or `changed`. */
export function compareTrees(before: Tree, after: Tree): ReadonlyMap<string, 'added' | 'removed' | 'changed'> {
  const differences = new Map<string, 'added' | 'removed' | 'changed'>();
  for (const [name, entry] of after) {
    const former = before.get(name);
    if (!former) differences.set(name, 'added');
    else if (JSON.stringify(former) !== JSON.stringify(entry)) differences.set(name, 'changed');
  }
  for (const name of before.keys()) if (!after.has(name)) differences.set(name, 'removed');
  return new Map([...differences].sort(([a], [b]) => (a < b ? -1 : 1)));
}

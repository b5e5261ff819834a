import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { labHome } from './cache.ts';
import { killCgroup, labCgroup, removeLegacyCgroups } from './cgroups.ts';

/** What is on disk about a lab, so that another process can use it, or clean up after it. */
export interface LabRecord {
  readonly id: string;
  /** The process that will close it; undefined: it stays until somebody takes it down. */
  readonly owner?: ProcessIdentity;
  readonly createdAt: string;
}

/** A process id that cannot be mistaken for a later process with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and the process's start (/proc/PID/stat, field 22). */
  readonly startTicks: string;
}

/** Where a lab keeps its nodes, its sockets and its record. */
export function labDirectory(id: string): string {
  return path.join(labHome(), 'labs', id);
}

export function currentProcess(): ProcessIdentity {
  return { pid: process.pid, startTicks: startTicks(process.pid) ?? '' };
}

/** True while exactly that process lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  return startTicks(identity.pid) === identity.startTicks;
}

function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]; // the command's name may hold spaces
  } catch {
    return undefined;
  }
}

/** Claims an id: throws when a lab has it already. */
export function recordLab(record: LabRecord): void {
  const directory = labDirectory(record.id);
  mkdirSync(path.dirname(directory), { recursive: true });
  try {
    mkdirSync(directory);
  } catch {
    throw new Error(`there is a lab ${record.id} already`);
  }
  writeFileSync(path.join(directory, 'lab.json.new'), JSON.stringify(record));
  renameSync(path.join(directory, 'lab.json.new'), path.join(directory, 'lab.json'));
}

/** Every lab on this machine, whether its owner lives or not. */
export function recordedLabs(): readonly LabRecord[] {
  const directory = path.join(labHome(), 'labs');
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap(id => {
    try {
      return [JSON.parse(readFileSync(path.join(directory, id, 'lab.json'), 'utf8')) as LabRecord];
    } catch {
      return []; // just being made, or just being removed
    }
  });
}

/** Removes the labs whose owner was killed before it could. Labs that live, or that were left up on purpose, stay. */
export function sweepLabs(): readonly string[] {
  const orphans = recordedLabs().filter(record => record.owner && !isAlive(record.owner));
  for (const { id } of orphans) removeLab(id);
  return orphans.map(record => record.id);
}

/**
 * Ends a lab's processes, undoes its mounts, removes its network namespaces, cgroups and files. Works from what is on the
 * machine, so it also cleans up what a killed process left, and it can be repeated. Synchronous: it runs at exit, too.
 */
export function removeLab(id: string): void {
  const directory = labDirectory(id);
  killCgroup(labCgroup(id));
  removeLegacyCgroups(`nbl-${id}`);
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map(line => line.split(' ')[1] ?? '');
  for (const target of mounts.filter(mount => mount.startsWith(`${directory}/`)).reverse())
    quietly('umount', '-l', target);
  const namespaces = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  for (const name of namespaces.filter(name => name === `nbl-${id}` || name.startsWith(`nbl-${id}-`))) {
    quietly('ip', 'netns', 'del', name);
  }
  for (const kind of ['propagate', 'unix-export']) {
    const parent = `/run/systemd/nspawn/${kind}`;
    if (!existsSync(parent)) continue;
    for (const name of readdirSync(parent).filter(name => name.startsWith(`nbl-${id}-`)))
      quietly('rm', '-rf', path.join(parent, name));
  }
  rmSync(directory, { recursive: true, force: true });
}

function quietly(program: string, ...args: readonly string[]): void {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
  } catch {
    // gone already
  }
}

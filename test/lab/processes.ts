import { readdirSync, readFileSync } from 'node:fs';
import { labCgroup, unifiedCgroupMount } from './cgroups.ts';

/** What a process of a lab was seen to be called with, at some moment of its life. */
export interface SeenProcess {
  /** Its arguments, joined by blanks. */
  readonly argv: string;
  /** Its variables, joined by newlines; empty where it had ended before they were read. */
  readonly environment: string;
}

export interface ProcessWatch {
  /** Each different pair of arguments and environment that was seen so far. */
  seen(): readonly SeenProcess[];
  stop(): void;
}

const everyMs = 25;

/**
 * Samples /proc for the arguments and the environment of every process in a lab's nodes, as any user of such a node could see the
 * arguments. A process that lives for less than the pause between two samples can be missed.
 */
export function watchProcesses(labId: string): ProcessWatch {
  const within = `0::${labCgroup(labId).slice((unifiedCgroupMount() ?? '').length)}/`;
  const ours = new Map<string, boolean>();
  const seen = new Map<string, SeenProcess>();

  const sample = () => {
    const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
    const alive = new Set(pids);
    for (const pid of ours.keys()) if (!alive.has(pid)) ours.delete(pid);
    for (const pid of pids) {
      // A process joins its node's cgroup after it was started: only yes is for ever.
      if (ours.get(pid) !== true) ours.set(pid, read(pid, 'cgroup').includes(within));
      if (ours.get(pid) !== true) continue;
      const argv = read(pid, 'cmdline').replaceAll('\0', ' ').trim();
      const environment = read(pid, 'environ').replaceAll('\0', '\n').trim();
      if (argv !== '') seen.set(`${argv}\0${environment}`, { argv, environment });
    }
  };
  const timer = setInterval(sample, everyMs);
  return { seen: () => [...seen.values()], stop: () => clearInterval(timer) };
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

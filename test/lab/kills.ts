/**
 * Kills the executable, and what it stands on, at chosen and at random moments of a run, and runs it again. Nothing is built into the
 * executable for it: it is killed from outside, by its stream of events.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import type { Event } from '../../src/core/types.ts';
import { program, type Run } from '../cluster/bootstrap.ts';
import type { LabNode } from './lab.ts';

/**
 * What a kill takes down: the program, whose package manager then goes on as an orphan; the program with everything that it started, as
 * systemd or an operator would; or the whole machine, without a goodbye.
 */
export type KillKind = 'program' | 'family' | 'power';

/** A run that may have been ended by force. */
export interface KilledRun extends Run {
  readonly killed: boolean;
}

/** When to strike: at the first event for which this is true, or so many milliseconds after the start, or after the plan. */
export type Moment =
  | { readonly event: (event: Event) => boolean }
  | { readonly since: 'start' | 'planned'; readonly afterMs: number };

/** Starts a run and kills it at the moment, if that comes before the run's own end. After `power` the machine is booted again. */
export async function killedRun(
  node: LabNode,
  argv: readonly string[],
  moment: Moment,
  kind: KillKind = 'program',
): Promise<KilledRun> {
  let killed = false;
  let down: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  const strike = (own: number | undefined) => {
    if (killed || own === undefined) return;
    killed = true;
    if (kind === 'power') down = node.kill();
    else for (const pid of kind === 'family' ? [own, ...descendantsOf(own)] : [own]) signal(pid, 'SIGKILL');
  };
  const run = await watchedRun(node, argv, {
    nice: 'event' in moment,
    onStart(pidOf) {
      if ('afterMs' in moment && moment.since === 'start') timer = setTimeout(() => strike(pidOf()), moment.afterMs);
    },
    onEvent(event, pidOf) {
      if ('event' in moment) {
        if (moment.event(event)) strike(pidOf());
      } else if (event.type === 'planned' && moment.since === 'planned') {
        timer = setTimeout(() => strike(pidOf()), moment.afterMs);
      }
    },
  });
  clearTimeout(timer);
  if (down !== undefined) {
    await down;
    await node.boot();
  }
  return { ...run, killed: killed && run.exitCode === 137 };
}

export interface Watch {
  readonly onStart?: (pidOf: () => number | undefined) => void;
  /** At once, before the next event is read. `pidOf` gives the executable's process on this machine while it runs. */
  readonly onEvent?: (event: Event, pidOf: () => number | undefined) => void;
  readonly env?: Readonly<Record<string, string>>;
  /** The run gives way to whoever watches it. */
  readonly nice?: boolean;
}

/** A run with `--json` whose events are looked at as they come. */
export async function watchedRun(node: LabNode, argv: readonly string[], watch: Watch): Promise<Run> {
  const niceness = watch.nice === true ? ['nice', '-n', '19'] : [];
  const [command = '', ...rest] = node.command([...niceness, program, ...argv, '--json']);
  const env = { ...node.environment, ...watch.env };
  const child = spawn(command, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  // nsenter is our child; the executable, in the node's own namespace of processes, is its child.
  const pidOf = () => (child.exitCode !== null || child.pid === undefined ? undefined : childrenOf(child.pid)[0]);
  const events: Event[] = [];
  let stderr = '';
  watch.onStart?.(pidOf);
  createInterface({ input: child.stdout }).on('line', line => {
    const event = parse(line);
    if (event === undefined) return;
    watch.onEvent?.(event, pidOf);
    events.push(event);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, by) => resolve(by === null ? (code ?? -1) : 128 + constants.signals[by]));
  });
  return { events, exitCode, stdout: events.map(event => JSON.stringify(event)).join('\n'), stderr };
}

/** A line that was cut off by the kill is none. */
function parse(line: string): Event | undefined {
  try {
    return JSON.parse(line) as Event;
  } catch {
    return undefined;
  }
}

export function childrenOf(pid: number): readonly number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  } catch {
    return [];
  }
}

function descendantsOf(pid: number): readonly number[] {
  return childrenOf(pid).flatMap(child => [child, ...descendantsOf(child)]);
}

/** Lets a process that was stopped go on. nsenter has stopped along with the executable, and wakes it. */
export function resume(pid: number | undefined): void {
  const parent =
    pid === undefined ? undefined : /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  signal(parent === undefined ? undefined : Number(parent), 'SIGCONT');
  signal(pid, 'SIGCONT');
}

/** Sends a signal to a process of this machine, if it is still there. */
export function signal(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, name);
  } catch {
    // it has just ended by itself
  }
}

/** What came of a series of kills on one machine, ended by a run that nobody disturbed. */
export interface Series {
  readonly title: string;
  readonly kills: readonly Kill[];
  /** Why the machine is not what an undisturbed run makes of it; empty where it is. */
  readonly unhealed: readonly string[];
}

export interface Kill {
  readonly kind: KillKind;
  /** `before X`, `after X`, or what was being made when a kill at random struck. */
  readonly at: string;
}

/** Points of a command line's runs: `before X` and `after X` for each change X that it makes. */
export interface Points {
  /** That were struck, each by a kill that came neither early nor late. */
  readonly struck: Set<string>;
  /** Of changes that any run has made. */
  readonly all: Set<string>;
  /** Points before changes that were made when the kill came: a folder is removed by one call, quicker than it can be heard of. */
  readonly tooQuick: Set<string>;
}

export function noPoints(): Points {
  return { struck: new Set(), all: new Set(), tooQuick: new Set() };
}

/** What is still to be struck. */
export function missed({ struck, all, tooQuick }: Points): readonly string[] {
  return [...all].filter(point => !struck.has(point) && !tooQuick.has(point));
}

/**
 * Kills a run at the first point that was not struck yet, runs it again, and so on. Ends with the run that went through. A change that
 * was made in the shadow of a kill, or before the kill came, is left for another machine.
 */
export async function ratchet(
  node: LabNode,
  argv: readonly string[],
  points: Points,
): Promise<{ readonly kills: readonly Kill[]; readonly last: KilledRun }> {
  const kills: Kill[] = [];
  let begun: string | undefined;
  for (;;) {
    let hit: Point | undefined;
    const run = await killedRun(node, argv, {
      event(event) {
        if (event.type === 'planned' && begun !== undefined) {
          // Wanted again: so the kill came before it was made.
          const inTime = event.changes.some(({ id }) => id === begun);
          (inTime ? points.struck : points.tooQuick).add(`before ${begun}`);
        }
        const point = pointOf(event);
        if (point !== undefined) for (const when of ['before', 'after']) points.all.add(`${when} ${point.id}`);
        if (hit !== undefined || point === undefined) return false;
        if (points.struck.has(nameOf(point)) || points.tooQuick.has(nameOf(point))) return false;
        hit = point;
        return true;
      },
    });
    begun = undefined;
    if (!run.killed || hit === undefined) return { kills, last: run };
    kills.push({ kind: 'program', at: nameOf(hit) });
    if (hit.when === 'before') begun = hit.id;
    // Told once it is in the journal as done: never too early.
    else points.struck.add(nameOf(hit));
    if (kills.length > mostKills) throw new Error(`no end of kills: ${nameOf(hit)}`);
  }
}

const mostKills = 200;

interface Point {
  readonly when: 'before' | 'after';
  readonly id: string;
}

function nameOf({ when, id }: Point): string {
  return `${when} ${id}`;
}

function pointOf(event: Event): Point | undefined {
  if (event.type === 'change-started') return { when: 'before', id: event.id };
  if (event.type === 'change-applied') return { when: 'after', id: event.id };
  return undefined;
}

/** What was being made when the last event came. */
export function amid({ events }: KilledRun): string {
  const open: string[] = [];
  let planned = false;
  for (const event of events) {
    if (event.type === 'planned') planned = true;
    if (event.type === 'change-started') open.push(event.id);
    if (event.type === 'change-applied') open.splice(open.indexOf(event.id), 1);
  }
  if (open.length > 0) return open.sort().join(' and ');
  return !planned ? 'while looking and planning' : 'between changes, or while waiting for health';
}

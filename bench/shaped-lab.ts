import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { type Lab, type LabNode, type NodeSpec, openLab } from '../test/lab/lab.ts';
import { inNamespace, nodeNamespace } from '../test/lab/network.ts';

/** What lies between a node and the upstreams: every request takes so much longer, and all of a node's share its line. */
export const line = { delayMs: 20, mbitPerSecond: 200 } as const;

/** What is measured. */
export const executable = 'dist/nomad-bootstrap';
/** The same as it is published; its archives lie beside it. */
export const release = 'dist/nomad-bootstrap-linux-amd64';

/** How long any one of the runs may take before the measurement is given up. */
const timeoutMs = 300_000;

/** Seconds that `bytes` take on the line at the least. */
export function secondsOnLine(bytes: number): number {
  return (bytes * 8) / (line.mbitPerSecond * 1e6);
}

/** A lab whose upstreams are as far away as real ones; it is gone after `work`. */
export async function inShapedLab<T>(work: (lab: Lab) => Promise<T>): Promise<T> {
  const lab = await openLab();
  try {
    await lab.mirror.break({ kind: 'delay', milliseconds: line.delayMs });
    return await work(lab);
  } finally {
    await lab.close();
  }
}

/** A fresh Linode with a shaped line. */
export async function shapedNode(lab: Lab, spec: NodeSpec): Promise<LabNode> {
  const node = await lab.node({ linode: {}, ...spec });
  await node.limitRate('eth0', line.mbitPerSecond);
  return node;
}

/** The flags with which the executable makes a node of an insecure cluster in this lab. */
export function roleFlags(lab: Lab): readonly string[] {
  return ['--insecure', '--network', 'vlan', ...lab.mirror.offer.flags];
}

/** A command on a node, watched until the events that it is to bring about have happened. */
export interface Observed {
  /** Seconds from the command's start to its end. */
  readonly seconds: number;
  /** Seconds from its start to each event. */
  readonly events: Readonly<Record<string, number>>;
  /** The most memory that its process itself had in use. */
  readonly peakMiB: number;
  readonly stdout: string;
}

/**
 * Runs `argv` on the node until it ended and every one of `events` (see watch.ts) happened. Throws when it fails, with the end
 * of what it said, and when an event does not come.
 */
export async function observe(
  lab: Lab,
  node: LabNode,
  argv: readonly string[],
  events: readonly string[] = [],
): Promise<Observed> {
  const watched = await startWatcher(lab, node, events);
  const [program = '', ...rest] = node.command(argv);
  const startedAt = Date.now();
  const child = spawn(program, rest, { env: node.environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const memory = sampleMemory(child);
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  try {
    const exitCode = await inTime(argv.join(' '), new Promise<number | null>(resolve => child.once('close', resolve)));
    const endedAt = Date.now();
    const stdout = Buffer.concat(output).toString();
    if (exitCode !== 0) throw new Error(`${argv.join(' ')}: exit ${exitCode}\n${stdout.slice(-3000)}`);
    const times = await inTime(`${events.join(', ')} after ${argv.join(' ')}`, watched.times);
    return {
      seconds: (endedAt - startedAt) / 1000,
      events: Object.fromEntries(Array.from(times, ([event, at]) => [event, (at - startedAt) / 1000])),
      peakMiB: memory.end(),
      stdout,
    };
  } finally {
    memory.end();
    watched.end();
  }
}

async function startWatcher(lab: Lab, node: LabNode, events: readonly string[]) {
  const times = new Map<string, number>();
  if (events.length === 0) return { times: Promise.resolve(times), end: () => undefined };
  const script = path.join(import.meta.dirname, 'watch.ts');
  const watch = [process.execPath, script, ...events];
  const [program = '', ...rest] = inNamespace(nodeNamespace(lab.id, node.name), watch);
  const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  const begun = Promise.withResolvers<void>();
  const all = Promise.withResolvers<typeof times>();
  createInterface({ input: child.stdout }).on('line', text => {
    const { event, at } = JSON.parse(text) as { event: string; at: number };
    if (event === 'watching') begun.resolve();
    else times.set(event, at);
  });
  child.once('close', code => {
    if (code === 0) all.resolve(times);
    else all.reject(new Error(`the watcher ended with ${code}`));
  });
  all.promise.catch(() => undefined); // ended by us, when nobody waits for it any more
  await inTime('the watcher', begun.promise);
  return { times: all.promise, end: () => void child.kill() };
}

/** The kernel keeps a process's peak as long as it lives: what was read last is it, but for the last moments. */
function sampleMemory(child: ChildProcess): { end(): number } {
  let peakKiB = 0;
  const timer = setInterval(() => {
    const pid = innermostChild(child.pid ?? 0);
    const status = existsSync(`/proc/${pid}/status`) ? read(`/proc/${pid}/status`) : '';
    peakKiB = Math.max(peakKiB, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0));
  }, 20);
  return {
    end() {
      clearInterval(timer);
      return peakKiB / 1024;
    },
  };
}

/** nsenter has one child, and that is the program. */
function innermostChild(pid: number): number {
  const child = Number(read(`/proc/${pid}/task/${pid}/children`).trim().split(' ')[0]);
  return child > 0 ? child : pid;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it ended meanwhile
  }
}

async function inTime<T>(what: string, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`waited ${timeoutMs / 1000} s for ${what}`)), timeoutMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

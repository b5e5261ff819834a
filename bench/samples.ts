import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { agents } from '../test/lab/packages/agents.ts';
import type { Round } from './scenarios/scenario.ts';

/** What one scenario gave, and on what. */
export interface Measured {
  /** Of the first round. ISO 8601. */
  readonly at: string;
  /** Of the sources; `+` when they were changed since. */
  readonly commit: string;
  readonly machine: string;
  readonly nomad: string;
  readonly consul: string;
  /** Oldest first. `machine.load` is the load average of a minute before the round, `machine.loop` the seconds of a fixed computation. */
  readonly rounds: readonly Round[];
}

/** Everything that was measured, by the id of its scenario. */
export type Samples = Readonly<Record<string, Measured>>;

/** Those in the file; none when there is no file. */
export function readSamples(file: string): Samples {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Samples) : {};
}

export function writeSamples(file: string, samples: Samples): void {
  writeFileSync(file, `${JSON.stringify(samples, rounded, 1)}\n`);
}

/** Nobody measures microseconds here. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toPrecision(5)) : value;
}

/** A scenario's record before its first round. */
export async function beginMeasuring(): Promise<Measured> {
  const { nomad, consul } = await agents();
  const git = (...args: readonly string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--', 'src', 'bin', 'scripts', 'templates', 'systemd') !== '';
  const [processor] = cpus();
  return {
    at: new Date().toISOString(),
    commit: `${git('rev-parse', '--short', 'HEAD')}${changed ? '+' : ''}`,
    machine: `${cpus().length} cores (${processor?.model.trim() || 'of an unknown kind'}), Linux ${release()}`,
    nomad: `${nomad.version}${nomad.standIn ? ' (stand-in)' : ''}`,
    consul: consul.version,
    rounds: [],
  };
}

/** How busy the machine is with other things, and how fast it is now. */
export function readMachine(): Round {
  const startedAt = performance.now();
  let sum = 0;
  for (let number = 0; number < 5e7; number += 1) sum = (sum * 31 + number) % 1_000_003;
  if (sum < 0) throw new Error('cannot be');
  return { 'machine.load': loadavg()[0] ?? Number.NaN, 'machine.loop': (performance.now() - startedAt) / 1000 };
}

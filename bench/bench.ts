// bench.ts [--only SCENARIO,...] [--resume] [--minutes N]: measures, and writes bench/samples.json, bench/results.json, docs/benchmarks.md and its
// plots. BENCH_RUNS lowers the number of rounds: then everything goes to .build/bench, and says how many there were.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { whyNoLab } from '../test/lab/lab.ts';
import { figures, resultsOf, scenarios } from './figures.ts';
import { plots, resultsText, withResults } from './report.ts';
import { beginMeasuring, readMachine, readSamples, type Samples, writeSamples } from './samples.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { executable, release } from './shaped-lab.ts';

const page = 'docs/benchmarks.md';

interface Options {
  readonly chosen: readonly Scenario[];
  /** Goes on where an earlier measurement was interrupted, instead of beginning anew. */
  readonly resume: boolean;
  /** No round begins later than this many minutes from now. */
  readonly minutes: number;
  /** Fewer rounds than a figure needs that is to be published. */
  readonly trialRuns: number | undefined;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      resume: { type: 'boolean', default: false },
      minutes: { type: 'string', default: 'Infinity' },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes is a number, not ${values.minutes}`);
  const wanted = values.only?.split(',');
  const unknown = (wanted ?? []).filter(id => !scenarios.some(scenario => scenario.id === id));
  if (unknown.length > 0) {
    const known = scenarios.map(({ id }) => id).join(', ');
    throw new Error(`there is no scenario ${unknown.join(', ')}; there are ${known}`);
  }
  const runs = process.env['BENCH_RUNS'];
  if (runs !== undefined && !/^[1-9]\d*$/.test(runs)) throw new Error(`BENCH_RUNS is a number, not ${runs}`);
  return {
    chosen: scenarios.filter(({ id }) => wanted?.includes(id) ?? true),
    resume: values.resume,
    minutes,
    trialRuns: runs === undefined ? undefined : Number(runs),
  };
}

async function measure({ chosen, resume, minutes, trialRuns }: Options, folder: string): Promise<Samples> {
  const file = path.join(folder, 'samples.json');
  const endsAt = performance.now() + minutes * 60_000;
  let samples = readSamples(file);
  for (const scenario of chosen) {
    const known = samples[scenario.id];
    let measured = resume && known !== undefined ? known : await beginMeasuring();
    const rounds = Math.min(scenario.rounds, trialRuns ?? scenario.rounds);
    while (measured.rounds.length < rounds && performance.now() < endsAt) {
      const number = measured.rounds.length + 1;
      const startedAt = performance.now();
      const machine = readMachine();
      const round = { ...(await scenario.round(number)), ...machine };
      measured = { ...measured, rounds: [...measured.rounds, round] };
      samples = { ...samples, [scenario.id]: measured };
      writeSamples(file, samples);
      const took = ((performance.now() - startedAt) / 1000).toFixed(0);
      say(`${scenario.id}: round ${number} of ${rounds} in ${took} s`);
    }
  }
  // What is published is what anybody can work out from the file.
  return readSamples(file);
}

function publish(samples: Samples): void {
  writeFileSync(page, withResults(readFileSync(page, 'utf8'), samples));
  for (const [name, svg] of plots(samples)) writeFileSync(path.join('docs/images', name), svg);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const options = readOptions();
const reason = whyNoLab();
if (reason !== undefined) throw new Error(reason);
for (const file of [executable, release, `${release}.xz`, `${release}.gz`])
  if (!existsSync(file)) throw new Error(`${file} is missing: make bench makes it`);
const folder = options.trialRuns === undefined ? 'bench' : '.build/bench';
mkdirSync(folder, { recursive: true });
say(
  `load average ${loadavg()
    .map(load => load.toFixed(2))
    .join(' ')}: the machine should be idle`,
);
const samples = await measure(options, folder);
const results = resultsOf(samples);
writeFileSync(path.join(folder, 'results.json'), `${JSON.stringify(results, undefined, 2)}\n`);
if (options.trialRuns === undefined) publish(samples);
else for (const [name, svg] of plots(samples)) writeFileSync(path.join(folder, name), svg);
say(`\n${resultsText(samples)}`);
if (options.trialRuns !== undefined)
  say(`A trial of ${options.trialRuns} rounds: nothing is published; see ${folder}.`);
const missed = results.filter(({ met }) => met === false).map(({ figure }) => figure);
say(missed.length === 0 ? 'Every target that was measured is met.' : `Not met: ${missed.join(', ')}.`);
const absent = figures.filter(({ id }) => !results.some(({ figure }) => figure === id)).map(({ id }) => id);
if (absent.length > 0) say(`Not measured: ${absent.join(', ')}.`);
// What the lab holds open keeps nobody waiting.
process.exit(0);

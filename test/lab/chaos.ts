// chaos.ts [--only ID,...] [--jobs N] [--random N] [--seed N]: faults and kills around a bootstrap; does it always converge, or leave the node
// as it was with the reason, and does a rerun always go on? ID: a fault's, `faults`, `ratchet`, `random`, `kills`.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { bootstrap, eventsNamed, failure, freshNode } from '../cluster/bootstrap.ts';
import { isLeftover } from '../cluster/leftovers.ts';
import {
  forgetResults,
  isGood,
  keepResults,
  lastLine,
  noResults,
  noteFault,
  noteSeries,
  type Results,
  writeTables,
} from './chaos-report.ts';
import { type BootstrapFault, faultGroups } from './faults/index.ts';
import {
  amid,
  type Kill,
  type KillKind,
  killedRun,
  type Moment,
  missed,
  noPoints,
  ratchet,
  type Series,
} from './kills.ts';
import { compareTrees, type Lab, type LabNode, openLab, type System, whyNoLab } from './lab.ts';
import { differencesOf, type NodeState, stateOf } from './node-state.ts';
import { foreseen, type SharedNodes, strike } from './strike.ts';

const project = path.resolve(import.meta.dirname, '../..');
/** One with apt, one with dnf. */
const killedSystems = ['debian12', 'rocky9'] as const;
/** All that a bootstrap can bring: both agents, both roles, Docker, CNI. */
const killedArgv = ['server', '--insecure', '--network', 'eth1', '--with-client'];
const mostChains = 6;
/** A node takes up to a gigabyte of this machine's disk until its lab is closed. */
const mostNodes = 8;

/** A piece of the work, in a lab that it has for itself. */
type Task = (worker: Worker) => Promise<void>;

interface Worker {
  /** A lab whose nodes strike faults one after another. */
  lab(): Promise<Lab>;
  readonly shared: SharedNodes;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<number> {
  process.setMaxListeners(0); // every lab is removed at the end, whatever ends this process
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: 'faults,kills' },
      jobs: { type: 'string', default: '2' },
      random: { type: 'string', default: '200' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  const reason = whyNoLab();
  if (reason !== undefined) {
    say(`skipped: ${reason}`);
    return 0;
  }
  if (!existsSync(path.join(project, 'dist/nomad-bootstrap')))
    throw new Error('dist/nomad-bootstrap is missing: make build');
  const only = values.only.split(',');
  const faults = chosenFaults(only);
  const wants = (kind: string) => only.includes('kills') || only.includes(kind);
  const complete = faults.length === allFaults().length && wants('ratchet') && wants('random');
  const results = noResults();
  if (complete) forgetResults();
  const random = Number(values.random);
  const seed = Number(values.seed);
  const reference = references();
  const tasks: Task[] = [
    ...(wants('ratchet') ? killedSystems.map(system => () => killAtEveryChange(system, reference, results)) : []),
    ...(wants('random') && random > 0
      ? killedSystems.map(
          (system, at) => () => killAtRandom(system, reference, results, Math.ceil(random / 2), seed + at),
        )
      : []),
    ...faults.map(fault => (worker: Worker) => strikeOne(fault, worker, results)),
  ];
  await workOff(tasks, Number(values.jobs));
  return report(results, complete, seed);
}

function allFaults(): readonly BootstrapFault[] {
  return faultGroups.flatMap(({ faults }) => faults);
}

function chosenFaults(only: readonly string[]): readonly BootstrapFault[] {
  const all = allFaults();
  const unknown = only.filter(
    id => !['faults', 'kills', 'ratchet', 'random'].includes(id) && !all.some(fault => fault.id === id),
  );
  if (unknown.length > 0) throw new Error(`there is no fault ${unknown.join(', ')}`);
  return only.includes('faults') ? all : all.filter(({ id }) => only.includes(id));
}

/** Several at a time: much of the work is waiting for what stands still. */
async function workOff(tasks: readonly Task[], jobs: number): Promise<void> {
  const pending = [...tasks];
  await Promise.all(
    Array.from({ length: jobs }, async () => {
      let lab: Lab | undefined;
      const shared: SharedNodes = new Map();
      const close = async () => {
        await lab?.close();
        lab = undefined;
        shared.clear();
      };
      const worker: Worker = {
        shared,
        async lab() {
          if ((lab?.nodes().length ?? 0) > mostNodes) await close();
          lab ??= await openLab();
          return lab;
        },
      };
      for (let task = pending.shift(); task !== undefined; task = pending.shift()) await task(worker);
      await close();
    }),
  );
}

async function strikeOne(fault: BootstrapFault, worker: Worker, results: Results): Promise<void> {
  const result = await strike(await worker.lab(), worker.shared, fault);
  noteFault(results, result);
  const verdict = foreseen(result) ? result.outcome : `NOT AS FORESEEN: ${result.outcome}`;
  say(`${fault.id}: ${verdict} (${result.seconds.toFixed(1)} s)`);
  for (const line of result.unforeseen) say(`  ${line.replaceAll('\n', '\n  ')}`);
  for (const line of result.unhealed) say(`  UNHEALED: ${line.replaceAll('\n', '\n  ')}`);
}

/** What a run that nobody disturbs makes of a node; every lab has the same names and addresses. */
function references(): (system: System) => Promise<NodeState> {
  const known = new Map<System, Promise<NodeState>>();
  const make = (system: System) =>
    inFreshLab(system, async (node, argv) => {
      const run = await bootstrap(node, argv);
      if (run.exitCode !== 0) throw new Error(`undisturbed, and yet: ${failure(run)?.message}`);
      return stateOf(node);
    });
  return system => {
    const state = known.get(system) ?? make(system);
    known.set(system, state);
    return state;
  };
}

async function inFreshLab<T>(system: System, work: (node: LabNode, argv: readonly string[]) => Promise<T>): Promise<T> {
  const lab = await openLab();
  try {
    return await work(await freshNode(lab, { name: 'node', system }), [...killedArgv, ...lab.mirror.offer.flags]);
  } finally {
    await lab.close();
  }
}

/** As it begins and as it is made: every change of a bootstrap, and of an uninstallation. */
async function killAtEveryChange(
  system: System,
  reference: (system: System) => Promise<NodeState>,
  results: Results,
): Promise<void> {
  const expected = await reference(system);
  const made = { points: noPoints(), kills: [] as Kill[], unhealed: [] as string[] };
  const removed = { points: noPoints(), kills: [] as Kill[], unhealed: [] as string[] };
  // What was made in the shadow of a kill elsewhere, or before the kill came, is struck on another machine.
  for (let chain = 1; chain === 1 || missed(made.points).length + missed(removed.points).length > 0; chain += 1) {
    if (chain > mostChains) {
      made.unhealed.push(...missed(made.points).map(point => `never struck: ${point}`));
      removed.unhealed.push(...missed(removed.points).map(point => `never struck: ${point}`));
      break;
    }
    await inFreshLab(system, async (node, argv) => {
      const fresh = await node.snapshotTree();
      const bootstrapped = await ratchet(node, argv, made.points);
      made.kills.push(...bootstrapped.kills);
      made.unhealed.push(...(await unhealedAfter(node, bootstrapped.last, expected)));
      if (chain > 1 && missed(removed.points).length === 0) return;
      const uninstalled = await ratchet(node, ['uninstall', '--purge-data'], removed.points);
      removed.kills.push(...uninstalled.kills);
      if (uninstalled.last.exitCode !== 0) removed.unhealed.push(`uninstall: ${failure(uninstalled.last)?.message}`);
      const left = [...compareTrees(fresh, await node.snapshotTree())];
      removed.unhealed.push(
        ...left
          .filter(([name]) => !isLeftover(name, system) && name !== ofTheLab)
          .map(([name, what]) => `${what} ${name}`),
      );
    });
  }
  noteSeries(results, tell({ title: `every change of a bootstrap, ${system}`, ...made }));
  noteSeries(results, tell({ title: `every change of an uninstallation, ${system}`, ...removed }));
}

/** The lab's rpm of iptables does not own this folder, as the real one does. */
const ofTheLab = '/usr/lib/x86_64-linux-gnu/xtables';

/** At moments at random, on one fresh node after another. */
async function killAtRandom(
  system: System,
  reference: (system: System) => Promise<NodeState>,
  results: Results,
  count: number,
  seed: number,
): Promise<void> {
  const expected = await reference(system);
  const random = generator(seed);
  const kills: Kill[] = [];
  const unhealed: string[] = [];
  while (kills.length < count) {
    await inFreshLab(system, async (node, argv) => {
      for (;;) {
        const enough = kills.length >= count;
        const kind = kindAt(random());
        const moment = enough ? { event: () => false } : momentAt(random(), random());
        const run = await killedRun(node, argv, moment, kind);
        if (!run.killed) {
          unhealed.push(...(await unhealedAfter(node, run, expected)));
          return;
        }
        kills.push({ kind, at: amid(run) });
      }
    });
  }
  noteSeries(results, tell({ title: `moments at random, ${system}`, kills, unhealed }));
}

/** Mostly while changes are made, from 3 ms to 6 s after the plan: of each order of magnitude as many. */
function momentAt(which: number, when: number): Moment {
  return which < 0.15 ? { since: 'start', afterMs: 1500 * when } : { since: 'planned', afterMs: 3 * 2000 ** when };
}

function kindAt(chance: number): KillKind {
  return chance < 0.6 ? 'program' : chance < 0.9 ? 'family' : 'power';
}

/** Why the run that nobody killed did not make what it should. */
async function unhealedAfter(
  node: LabNode,
  last: Awaited<ReturnType<typeof killedRun>>,
  expected: NodeState,
): Promise<readonly string[]> {
  if (last.exitCode !== 0) {
    const failed = eventsNamed(last, 'failed').at(-1);
    return [`the last run: exit ${last.exitCode} ${failed?.message ?? last.stderr} ${failed?.detail ?? ''}`];
  }
  const again = await bootstrap(node, ['server']);
  const changes = again.events.findLast(event => event.type === 'finished')?.changes;
  return [
    ...differencesOf(expected, await stateOf(node)),
    ...(changes === 0 ? [] : [`a rerun makes ${changes} changes`]),
  ];
}

function tell(series: Series): Series {
  const seconds = (performance.now() / 1000).toFixed(0);
  say(
    `${series.title}: ${series.kills.length} kills, ${series.unhealed.length === 0 ? 'healed' : 'UNHEALED'} (at ${seconds} s)`,
  );
  for (const line of series.unhealed) say(`  ${line}`);
  return series;
}

/** Mulberry32: the same moments for the same seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function report(results: Results, complete: boolean, seed: number): number {
  const all = keepResults(results);
  // Parts that were run anew are in the tables as well, once there is a result of every one.
  if (
    allFaults().every(({ id }) => all.faults[id] !== undefined) &&
    Object.keys(all.series).length === 3 * killedSystems.length
  ) {
    writeTables(all);
    if (!complete) say(`with the results of earlier runs: ${lastLine(all)}`);
  }
  for (const [id, { foreseen }] of Object.entries(results.faults)) if (!foreseen) say(`not as foreseen: ${id}`);
  if (Object.keys(results.series).length > 0) say(`moments at random: --seed ${seed}`);
  say(lastLine(results));
  return isGood(results) ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return 1;
});

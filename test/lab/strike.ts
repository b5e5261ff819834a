import { errorCodes } from '../../src/core/errors.ts';
import {
  bootstrap,
  ending,
  eventsNamed,
  failure,
  freshNode,
  type Run,
  type Traces,
  touched,
  traces,
} from '../cluster/bootstrap.ts';
import type { BootstrapFault, World } from './faults/bootstrap-fault.ts';
import type { Lab, LabNode, System } from './lab.ts';

/** What came of a fault. */
export interface Struck {
  readonly fault: BootstrapFault;
  /** `survived`, or the code with which the run ended; what else it was, where it was neither. */
  readonly outcome: string;
  /** What is not as it was expected; empty where all is. */
  readonly unforeseen: readonly string[];
  /** Why the machine is not what it should be once the fault is gone; empty where it is. */
  readonly unhealed: readonly string[];
  readonly seconds: number;
}

/** Machines on which nothing was changed yet, by system. */
export type SharedNodes = Map<System, LabNode>;

const usualArgv = ['image', '--docker', 'none'];
/** What a run that failed before its first change leaves: its log, and SQLite's register of who reads rpm's database. */
const notOurs = [/^\/var\/log(\/|$)/, /^\/var\/lib(\/rpm(\/rpmdb\.sqlite-(shm|wal))?)?$/];
/** A run that takes longer hangs. */
const hangMs = 400_000;

/** Breaks something, runs the executable, mends it, and runs it again. Never throws: what goes wrong is in the result. */
export async function strike(lab: Lab, shared: SharedNodes, fault: BootstrapFault): Promise<Struck> {
  const argv = [...(fault.argv ?? usualArgv), ...lab.mirror.offer.flags];
  const unforeseen: string[] = [];
  const unhealed: string[] = [];
  let outcome = 'nothing';
  let seconds = 0;
  let world: World | undefined;
  try {
    world = { lab, node: await nodeFor(lab, shared, fault) };
    if (fault.on === 'node') {
      const before = await bootstrap(world.node, argv, { timeoutMs: hangMs });
      if (before.exitCode !== 0) throw new Error(`the bootstrap before failed: ${said(before)}`);
    }
    await lab.mirror.forgetRequests();
    const mend = await fault.inject(world);
    const before = mustStayUntouched(fault) ? await traces(world.node) : undefined;
    const startedAt = performance.now();
    const run = await (fault.run ?? usualRun(fault))(world, argv);
    seconds = (performance.now() - startedAt) / 1000;
    outcome = outcomeOf(run);
    unforeseen.push(...(await judge(fault, run, before, world)));
    await fault.after?.(world).catch((error: Error) => unforeseen.push(error.message));
    await mend?.();
    await lab.mirror.repairEverything();
    unhealed.push(...(await heal(fault, world, argv, outcome === 'survived')));
  } catch (error) {
    unforeseen.push(error instanceof Error ? error.message : String(error));
  }
  await lab.mirror.repairEverything();
  const broken = unforeseen.length > 0 || unhealed.length > 0;
  // A machine that was not left as it was is not for others.
  if (broken || fault.on !== 'shared') {
    if (fault.on === 'shared' && world !== undefined) shared.delete(world.node.system);
    for (const node of lab.nodes()) if (![...shared.values()].some(({ name }) => name === node.name)) await node.kill();
  }
  return { fault, outcome, unforeseen, unhealed, seconds };
}

async function nodeFor(lab: Lab, shared: SharedNodes, fault: BootstrapFault): Promise<LabNode> {
  if (fault.on !== 'shared') return freshNode(lab, fault.spec);
  const system = fault.spec?.system ?? 'debian12';
  const known = shared.get(system) ?? (await freshNode(lab, { system }));
  shared.set(system, known);
  return known;
}

function usualRun({ env }: BootstrapFault) {
  return ({ node }: World, argv: readonly string[]) =>
    bootstrap(node, argv, { timeoutMs: hangMs, ...(env === undefined ? {} : { env }) });
}

function mustStayUntouched({ on, expect }: BootstrapFault): boolean {
  return on === 'shared' || (expect.outcome === 'refused' && expect.untouched === true);
}

function outcomeOf(run: Run): string {
  const failed = failure(run);
  if (failed !== undefined) return failed.code;
  return run.exitCode === 0 ? 'survived' : `exit ${run.exitCode}`;
}

async function judge(
  { expect }: BootstrapFault,
  run: Run,
  before: Traces | undefined,
  { node }: World,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const wanted = expect.outcome === 'survived' ? 0 : errorCodes[expect.code].exitCode;
  if (run.exitCode !== wanted) wrong.push(`exit ${run.exitCode} instead of ${wanted}`);
  if (expect.outcome === 'refused' && failure(run)?.code !== expect.code) wrong.push(`not ${expect.code}`);
  const told =
    expect.outcome === 'refused'
      ? said(run)
      : [...eventsNamed(run, 'waiting'), ...eventsNamed(run, 'notice')].map(({ message }) => message).join('\n');
  if (expect.says !== undefined && !expect.says.test(told)) wrong.push(`does not say ${expect.says}`);
  if (/^ +at .+[(:]/m.test(`${run.stderr}\n${said(run)}`)) wrong.push('a stack trace');
  if (before !== undefined) {
    const paths = touched(before, await traces(node), notOurs);
    if (paths.length > 0) wrong.push(`touched: ${paths.slice(0, 5).join(', ')}`);
  }
  return wrong.length === 0 ? [] : [...wrong, `it said: ${told === '' ? said(run) : told}`];
}

/** Message, fix and detail of a failure. */
function said(run: Run): string {
  const failed = failure(run);
  if (failed === undefined) return run.stderr.trim() || JSON.stringify(ending(run));
  return [failed.message, failed.detail ?? '', failed.hint].join('\n');
}

async function heal(
  fault: BootstrapFault,
  world: World,
  argv: readonly string[],
  survived: boolean,
): Promise<readonly string[]> {
  if (fault.heals !== undefined) {
    return fault.heals(world).then(
      () => [],
      (error: Error) => [error.message],
    );
  }
  const again = await bootstrap(
    world.node,
    [...argv, ...(fault.on === 'shared' && !argv.includes('--dry-run') ? ['--dry-run'] : [])],
    {
      timeoutMs: hangMs,
    },
  );
  if (again.exitCode !== 0) return [`another run: ${said(again)}`];
  const changes = again.events.findLast(event => event.type === 'finished')?.changes ?? 0;
  return survived && fault.on !== 'shared' && changes > 0 ? [`another run makes ${changes} changes`] : [];
}

/** Whether the outcome is the expected one. */
export function foreseen({ unforeseen }: Struck): boolean {
  return unforeseen.length === 0;
}

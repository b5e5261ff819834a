import type { Event } from '../../src/core/types.ts';
import { type CommandResult, type ExecOptions, type Lab, type LabNode, livingPaths, openLab } from '../lab/lab.ts';

/** What `make build` made. Every node gets this one file and nothing else of the project. */
export const executable = 'dist/nomad-bootstrap';
export const program = 'nomad-bootstrap';

/** A finished run with `--json`. */
export interface Run extends CommandResult {
  readonly events: readonly Event[];
}

/** A fresh node with the executable in its PATH. */
export async function freshNode(lab: Lab, spec: Parameters<Lab['node']>[0]): Promise<LabNode> {
  const node = await lab.node(spec);
  await node.install(executable);
  return node;
}

/** Runs `work` in a lab of its own, which is gone afterwards. */
export async function inLab(work: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await openLab();
  try {
    await work(lab);
  } finally {
    await lab.close();
  }
}

/** Runs the executable with `--json` as it comes from the command line; any exit code is an answer. */
export async function bootstrap(
  node: Pick<LabNode, 'exec'>,
  argv: readonly string[],
  options: ExecOptions = {},
): Promise<Run> {
  const result = await node.exec([program, ...argv, '--json'], { check: false, ...options });
  return { ...result, events: eventsOf(result.stdout) };
}

function eventsOf(lines: string): readonly Event[] {
  return lines
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Event);
}

/** All events of one kind. */
export function eventsNamed<K extends Event['type']>(run: Run, type: K): readonly Extract<Event, { type: K }>[] {
  return run.events.filter((event): event is Extract<Event, { type: K }> => event.type === type);
}

/** Ids of the changes that a run announced. */
export function planned(run: Run): readonly string[] {
  return eventsNamed(run, 'planned')
    .flatMap(({ changes }) => changes.map(({ id }) => id))
    .sort();
}

/** Ids of the changes that a run made, or found made by another change. */
export function madeTrue(run: Run): readonly string[] {
  return [...eventsNamed(run, 'change-applied'), ...eventsNamed(run, 'change-satisfied')].map(({ id }) => id).sort();
}

/** The last line that a run has to say, whichever way it ended. */
export function ending(run: Run): Event | undefined {
  return run.events.findLast(({ type }) => type === 'finished' || type === 'failed');
}

/** The words of the failure that ended a run: code, message, hint, detail. */
export function failure(run: Run): Extract<Event, { type: 'failed' }> | undefined {
  return eventsNamed(run, 'failed').at(-1);
}

/** `verify --format json`. */
export interface Report {
  readonly ok: boolean;
  readonly node: string;
  readonly role: string;
  readonly summary: Readonly<Record<'pass' | 'warn' | 'fail' | 'skip', number>>;
  readonly checks: readonly {
    readonly id: string;
    readonly status: 'pass' | 'warn' | 'fail' | 'skip';
    readonly detail: string;
  }[];
}

export async function verify(
  node: Pick<LabNode, 'exec'>,
  argv: readonly string[] = [],
  options: ExecOptions = {},
): Promise<{ readonly exitCode: number; readonly report: Report }> {
  const command = [program, 'verify', '--format', 'json', ...argv];
  const { exitCode, stdout, stderr } = await node.exec(command, { check: false, ...options });
  if (stdout === '') throw new Error(`verify said nothing; exit ${exitCode}\n${stderr}`);
  return { exitCode, report: JSON.parse(stdout) as Report };
}

/** Checks that are not as they should be, with what they say. */
export function complaints({ report }: { readonly report: Report }): readonly string[] {
  return report.checks.filter(({ status }) => status === 'fail').map(({ id, detail }) => `${id}: ${detail}`);
}

export function statusOf({ report }: { readonly report: Report }, id: string): string | undefined {
  return report.checks.find(check => check.id === id)?.status;
}

/** Path -> everything by which a write would show. */
export type Traces = ReadonlyMap<string, string>;

/**
 * Every file and folder of the node's root file system, with the times of its last change: a file that was opened for
 * writing shows even when its content is the same, and so does a folder in which something came and went.
 */
export async function traces(node: LabNode, beside: readonly string[] = []): Promise<Traces> {
  const left = [...livingPaths, ...beside].flatMap(path => ['-path', path, '-o']).slice(0, -1);
  const { stdout } = await node.exec([
    ...['find', '/', '-xdev', '(', ...left, ')', '-prune', '-o'],
    ...['-printf', '%p\\t%y %m %U:%G %s %C@ %T@ %l\\n'],
  ]);
  const entries = stdout.split('\n').filter(line => line !== '');
  return new Map(entries.map(line => [line.slice(0, line.indexOf('\t')), line.slice(line.indexOf('\t') + 1)]));
}

/** Paths that were written to, made or removed between two readings, but those that `expected` matches. */
export function touched(before: Traces, after: Traces, expected: readonly RegExp[] = []): readonly string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths]
    .filter(path => before.get(path) !== after.get(path) && !expected.some(pattern => pattern.test(path)))
    .sort();
}

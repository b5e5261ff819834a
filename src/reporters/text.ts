import { errorCodes } from '../core/errors.ts';
import { exitCodes, isRefusal } from '../core/exit-codes.ts';
import type { AnnouncedChange, CheckResult, Event, Reporter } from '../core/types.ts';
import type { Clock } from './clock.ts';
import { type Paint, paintFor, printable, type Style, type Terminal } from './terminal.ts';

/** An output stream. */
export interface Output {
  readonly terminal: Terminal;
  write(text: string): void;
}

export interface TextOptions {
  /** Only warnings and errors, and what a dry run was asked for. */
  readonly quiet: boolean;
  /** Commands, requests and passed checks as well. */
  readonly verbose: boolean;
  /** For the answer: how the run ended, and the plan of a dry run. */
  readonly stdout: Output;
  /** For progress, warnings and errors. */
  readonly stderr: Output;
  /** Named when the run fails. */
  readonly logPath?: string | undefined;
  readonly clock: Clock;
}

/** What takes long is told again after this time. */
const reminderSeconds = 10;
/** How much of what a failed tool said is shown; the log has all of it. */
const linesOfDetail = 10;

/** Plain lines, each written once: for the log of a StackScript, of cloud-init or of a CI system. */
export function createTextReporter(options: TextOptions): Reporter {
  const { quiet, verbose, stdout, stderr, clock } = options;
  const paint = paintFor(stderr.terminal);
  const planned = new Map<string, AnnouncedChange>();
  const waitsTold = new Map<string, number>();
  const transfersTold = new Map<string, number>();
  let begun = 0;

  return { report };

  function report(event: Event): void {
    switch (event.type) {
      case 'run-started':
        tell(`nomad-bootstrap ${event.version}: ${event.command}${event.dryRun ? ' (dry run)' : ''}`, 'bold');
        break;
      case 'notice':
        if (event.level === 'info') tell(event.message);
        else stderr.write(warning(event.message, paint));
        break;
      case 'planned':
        if (event.dryRun) stdout.write(planText(event.changes, paintFor(stdout.terminal)));
        else announce(event.changes);
        break;
      case 'step-finished':
        tell(`${event.step}: done in ${duration(event.durationMs)}`);
        break;
      case 'change-started':
        tell(`${nextNumber()} ${event.step}: ${event.summary}`);
        break;
      case 'change-satisfied':
        tell(`${nextNumber()} ${event.step}: ${planned.get(event.id)?.summary ?? event.id} (already so)`);
        break;
      case 'progress': {
        const seconds = clock.now() / 1000;
        if (!transfersTold.has(event.subject)) transfersTold.set(event.subject, seconds);
        else if (isDue(transfersTold, event.subject, seconds)) {
          tell(`downloading ${event.subject}: ${size(event.doneBytes, event.totalBytes)}`);
        }
        break;
      }
      case 'waiting':
        if (isDue(waitsTold, event.message, event.waitedSeconds)) {
          const waited = event.waitedSeconds < 1 ? '' : ` (${duration(event.waitedSeconds * 1000)})`;
          tell(event.message + waited);
        }
        break;
      case 'command':
        if (verbose)
          tell(`$ ${commandLine(event.argv)} (exit ${event.exitCode}, ${duration(event.durationMs)})`, 'dim');
        break;
      case 'request':
        if (verbose) {
          tell(`${event.method} ${event.url} (${event.status ?? 'no answer'}, ${duration(event.durationMs)})`, 'dim');
        }
        break;
      case 'checked':
        if (event.result.status === 'warn' || event.result.status === 'fail')
          stderr.write(checkText(event.result, paint));
        else if (verbose) tell(`${event.result.status}: ${event.result.title} (${event.result.detail})`, 'dim');
        break;
      case 'finished':
        if (!quiet) stdout.write(finishedText(event));
        break;
      case 'failed':
        stderr.write(failureText(event, paint, options.logPath));
        break;
      // Told by the lines of its changes, and a change by its start: a log that stands still shows what it waits for.
      case 'step-started':
      case 'change-applied':
        break;
    }
  }

  function announce(changes: readonly AnnouncedChange[]): void {
    begun = 0;
    planned.clear();
    for (const change of changes) planned.set(change.id, change);
    if (changes.length > 0) tell(`plan: ${count(changes.length)}`);
  }

  function nextNumber(): string {
    begun += 1;
    const total = String(planned.size);
    return `[${String(begun).padStart(total.length)}/${total}]`;
  }

  function tell(message: string, style?: Style): void {
    if (quiet) return;
    const line = printable(message);
    stderr.write(`${style === undefined ? line : paint(style, line)}\n`);
  }
}

/** At first, when it starts anew, and when it was told long enough ago. */
function isDue(told: Map<string, number>, subject: string, seconds: number): boolean {
  const last = told.get(subject);
  if (last !== undefined && seconds >= last && seconds < last + reminderSeconds) return false;
  told.set(subject, seconds);
  return true;
}

function warning(message: string, paint: Paint): string {
  return `${paint('yellow', 'warning:')} ${printable(message)}\n`;
}

function checkText({ status, title, detail, hint }: CheckResult, paint: Paint): string {
  const finding = `${title}: ${detail}`;
  const first = status === 'warn' ? warning(finding, paint) : `${paint('red', 'failed:')} ${printable(finding)}\n`;
  return hint === undefined ? first : `${first}  ${paint('bold', 'fix:')} ${printable(hint)}\n`;
}

/** Every change of a dry run with its id and its diff, in the order in which a run would make them. */
export function planText(changes: readonly AnnouncedChange[], paint: Paint): string {
  return changes
    .map(({ id, step, summary, diff }) => {
      const line = `${step}: ${paint('bold', printable(summary))} ${paint('dim', `[${printable(id)}]`)}\n`;
      return line + (diff === undefined ? '' : diffText(diff, paint));
    })
    .join('');
}

/** A unified diff, indented and in its colours. */
export function diffText(diff: string, paint: Paint): string {
  return linesOf(diff)
    .map(line => {
      if (line.startsWith('+')) return `    ${paint('green', line)}\n`;
      if (line.startsWith('-')) return `    ${paint('red', line)}\n`;
      return line.startsWith('@@') ? `    ${paint('cyan', line)}\n` : `    ${line}\n`;
    })
    .join('');
}

/** How the run ended, in its last line; what the command has to say besides comes before it. */
export function finishedText(event: Extract<Event, { type: 'finished' }>): string {
  const { outcome, changes, durationMs } = event;
  const message = printable(event.message);
  const made = `${count(changes)} in ${duration(durationMs)}`;
  if (outcome === 'forming') return `${made}\nforming: ${message}\n`;

  const before = message === '' ? '' : `${message}\n`;
  if (outcome === 'planned') return `${before}dry run: ${count(changes)} to make, nothing was changed\n`;
  return `${before}${changes === 0 ? made : `converged: ${made}`}\n`;
}

/** What went wrong, what the tool at fault said last, what to do, and where all of it can be read. */
export function failureText(
  event: Extract<Event, { type: 'failed' }>,
  paint: Paint,
  logPath: string | undefined,
): string {
  const detail = linesOf(event.detail ?? '');
  // The stack trace of a bug is told whole.
  const shown = isBug(event.code) ? detail : detail.slice(-linesOfDetail);
  return [
    // A name of a file may hold a line break: the error is one line all the same.
    `${paint('red', 'error:')} ${printable(event.message).replaceAll('\n', ' ')} ${paint('dim', `[${event.code}]`)}`,
    ...shown.map(line => `  ${line}`),
    `${paint('bold', 'fix:')} ${printable(event.hint)}`,
    ...(logPath === undefined || leftNoLog(event.code) ? [] : [`${paint('bold', 'log:')} ${logPath}`]),
    '',
  ].join('\n');
}

function leftNoLog(code: string): boolean {
  const entry = Object.entries(errorCodes).find(([known]) => known === code)?.[1];
  return entry !== undefined && isRefusal(entry.exitCode);
}

function isBug(code: string): boolean {
  const entry = Object.entries(errorCodes).find(([known]) => known === code)?.[1];
  return entry === undefined || entry.exitCode === exitCodes.bug;
}

/** The lines of a text from elsewhere, fit to be shown, without empty ones at its end. */
export function linesOf(text: string): readonly string[] {
  const trimmed = printable(text).trimEnd();
  return trimmed === '' ? [] : trimmed.split('\n');
}

/** `1 change`, `12 changes`. */
export function count(changes: number): string {
  return `${changes} ${changes === 1 ? 'change' : 'changes'}`;
}

/** `0.4 s`, `41 s`, `2 min 5 s`. */
export function duration(milliseconds: number): string {
  const tenths = Math.round(milliseconds / 100);
  if (tenths < 100) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** `34.1 of 57.0 MiB`; `34.1 MiB` when the whole is not known. */
export function size(doneBytes: number, totalBytes: number | undefined): string {
  const [unit, bytes] = (totalBytes ?? doneBytes) < 1024 * 1024 ? ['KiB', 1024] : ['MiB', 1024 * 1024];
  const done = (doneBytes / bytes).toFixed(1);
  return totalBytes === undefined ? `${done} ${unit}` : `${done} of ${(totalBytes / bytes).toFixed(1)} ${unit}`;
}

/** The command as it could be typed into a shell. */
export function commandLine(argv: readonly string[]): string {
  return argv
    .map(argument =>
      /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${printable(argument).replaceAll("'", String.raw`'\''`)}'`,
    )
    .join(' ');
}

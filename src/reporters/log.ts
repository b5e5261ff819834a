import type { AnnouncedChange, Event, Reporter } from '../core/types.ts';
import type { Clock } from './clock.ts';
import { commandLine, count, linesOf, size } from './text.ts';

/** Everything that happens, with its time: what is told on the terminal and every command with its output. */
export function createLogReporter(append: (text: string) => void, clock: Clock): Reporter {
  return {
    report(event) {
      const entry = logEntry(event, new Date(clock.now()));
      if (entry !== '') append(entry);
    },
  };
}

/**
 * An event as the log file has it: a line that starts with the time (ISO 8601, UTC), then what belongs to it, indented.
 * A run starts with a header. Empty for what is only of the moment, the progress of a download before its end.
 */
export function logEntry(event: Event, time: Date): string {
  const at = time.toISOString();
  switch (event.type) {
    case 'run-started':
      return `\n=== ${at} nomad-bootstrap ${event.version} ${event.command}${event.dryRun ? ' (dry run)' : ''} ===\n`;
    case 'notice':
      return entry(`${event.level}: ${event.message}`);
    case 'planned':
      return entry(`plan: ${count(event.changes.length)}`, event.changes.flatMap(changeLines));
    case 'step-started':
      return entry(`step ${event.step}: started: ${event.title}`);
    case 'step-finished':
      return entry(`step ${event.step}: done in ${seconds(event.durationMs)}`);
    case 'change-started':
      return entry(`change ${event.id}: started: ${event.summary}`);
    case 'change-applied':
      return entry(`change ${event.id}: applied in ${seconds(event.durationMs)}`);
    case 'change-satisfied':
      return entry(`change ${event.id}: already so`);
    case 'progress':
      return event.doneBytes === event.totalBytes
        ? entry(`downloaded ${event.subject}: ${size(event.doneBytes, undefined)}`)
        : '';
    case 'waiting':
      return entry(`${event.message} (${event.waitedSeconds} s)`);
    case 'command':
      return entry(
        `command: ${commandLine(event.argv)}: exit ${event.exitCode} in ${seconds(event.durationMs)}`,
        linesOf(event.output),
      );
    case 'request':
      return entry(
        `request: ${event.method} ${event.url}: ${event.status ?? 'no answer'} in ${seconds(event.durationMs)}`,
      );
    case 'checked': {
      const { id, status, title, detail, hint, durationMs } = event.result;
      return entry(`check ${id}: ${status} in ${seconds(durationMs)}: ${title}: ${detail}`, fix(hint));
    }
    case 'finished':
      return entry(
        `finished: ${event.outcome}: ${count(event.changes)} in ${seconds(event.durationMs)}`,
        linesOf(event.message),
      );
    case 'failed':
      return entry(`failed: ${event.code}: ${event.message}`, [...linesOf(event.detail ?? ''), ...fix(event.hint)]);
  }

  function entry(message: string, below: readonly string[] = []): string {
    // A message of several lines must not look like several entries.
    const [first = '', ...rest] = linesOf(message);
    return [`${at} ${first}`, ...[...rest, ...below].map(line => `    ${line}`), ''].join('\n');
  }
}

function changeLines({ id, summary, diff }: AnnouncedChange): readonly string[] {
  return [...linesOf(`${id}: ${summary}`), ...linesOf(diff ?? '').map(line => `    ${line}`)];
}

function fix(hint: string | undefined): readonly string[] {
  return hint === undefined ? [] : linesOf(`fix: ${hint}`);
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(3)} s`;
}

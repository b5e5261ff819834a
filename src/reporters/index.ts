import type { Redactor } from '../core/redact.ts';
import type { Event, Reporter } from '../core/types.ts';
import { type Clock, systemClock } from './clock.ts';
import { createJsonReporter } from './json.ts';
import { createLiveReporter } from './live.ts';
import { createLogReporter } from './log.ts';
import { withoutColour } from './terminal.ts';
import { createTextReporter, type Output } from './text.ts';

export interface ReporterOptions {
  /** One event a line on stdout, and nothing on stderr. Wins over `quiet` and `verbose`. */
  readonly json: boolean;
  /** Only warnings and errors, and what a dry run was asked for. */
  readonly quiet: boolean;
  /** Commands, requests and passed checks as well. */
  readonly verbose: boolean;
  /** `false`: no colours on any terminal (--no-color). Default: as each terminal has it. */
  readonly colour?: boolean;
  readonly stdout: Output;
  readonly stderr: Output;
  /** The log file: it gets everything, whatever is shown. Absent for what must not touch the host. */
  readonly log?: { readonly path: string; append(text: string): void };
  /** Every event passes it before anything is shown or logged. */
  readonly redactor: Redactor;
  readonly clock?: Clock;
}

/** The reporter of a run. Close it when the run ended, however it ended: a bug leaves no moving lines behind. */
export interface RunReporter extends Reporter {
  close(): void;
}

/**
 * Chooses how a run is told: JSON lines, a live view where stderr is a terminal, plain lines elsewhere; and the log. Never
 * throws: what cannot be shown is not, and a log that cannot be written is told once and then left.
 */
export function createReporter(options: ReporterOptions): RunReporter {
  const { redactor, log, clock = systemClock } = options;
  const shown = createShownReporter(options, clock);
  let logReporter = log === undefined ? undefined : createLogReporter(text => log.append(text), clock);

  return {
    report(event) {
      const redacted = redactor.data(event);
      attempt(() => shown.report(redacted));
      const failure = attempt(() => logReporter?.report(redacted));
      if (failure !== undefined) {
        logReporter = undefined;
        attempt(() => shown.report(logGivenUp(log?.path ?? '', failure)));
      }
    },
    close() {
      attempt(() => shown.close());
    },
  };
}

function createShownReporter(options: ReporterOptions, clock: Clock): RunReporter {
  const { json, quiet, verbose, log } = options;
  const [stdout, stderr] =
    options.colour === false ? [bleached(options.stdout), bleached(options.stderr)] : [options.stdout, options.stderr];
  const textOptions = { quiet, verbose, stdout, stderr, logPath: log?.path, clock };
  if (!json && !quiet && stderr.terminal.live) return createLiveReporter(textOptions);
  const reporter = json ? createJsonReporter(text => stdout.write(text), clock) : createTextReporter(textOptions);
  return { report: reporter.report, close: () => {} };
}

function bleached(output: Output): Output {
  return { terminal: withoutColour(output.terminal), write: text => output.write(text) };
}

function logGivenUp(path: string, failure: Error): Event {
  return {
    type: 'notice',
    level: 'warning',
    message: `the log ${path} cannot be written (${failure.message}); this run goes on without it`,
  };
}

function attempt(action: () => void): Error | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

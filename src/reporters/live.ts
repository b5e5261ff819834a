import type { AnnouncedChange, Event, Reporter } from '../core/types.ts';
import { paintFor, printable, type Terminal, truncate, widthOf } from './terminal.ts';
import { count, createTextReporter, duration, type Output, size, type TextOptions } from './text.ts';

/** A reporter that owns part of the screen until it is closed. */
export interface LiveReporter extends Reporter {
  /** Takes the moving lines away. Safe to call at any time, and more than once. */
  close(): void;
}

const frameMs = 100;
/** A wait that was not heard of for so long is over. */
const waitForgottenMs = 15_000;
const barColumns = 20;
/** Below this width a bar would leave no room for the name of what is downloaded. */
const leastColumnsForBar = 60;

interface RunningStep {
  readonly title: string;
  readonly startedAt: number;
  readonly changes: number;
  begun: number;
  doing: string;
}

interface Transfer {
  readonly doneBytes: number;
  readonly totalBytes: number | undefined;
}

interface Wait {
  readonly message: string;
  readonly startedAt: number;
  readonly heardAt: number;
}

/**
 * For a person at a terminal: a line for each step, download and wait that is under way, drawn anew ten times a second
 * below the lines that stay. Everything else is told as by the text reporter. The cursor is hidden only within the
 * single write of a frame, so it is there however the process ends; no line is wider than the terminal, now or after it
 * was resized.
 */
export function createLiveReporter(options: TextOptions): LiveReporter {
  const { stdout, stderr, verbose, clock } = options;
  const { terminal } = stderr;
  const paint = paintFor(terminal);
  const glyphs = terminal.unicode ? unicodeGlyphs : asciiGlyphs;
  const text = createTextReporter({
    ...options,
    stdout: { terminal: stdout.terminal, write: above(stdout) },
    stderr: { terminal, write: above(stderr) },
  });

  const planned = new Map<string, AnnouncedChange>();
  const steps = new Map<string, RunningStep>();
  const transfers = new Map<string, Transfer>();
  let wait: Wait | undefined;
  let drawn: readonly string[] = [];
  let frame = 0;
  let stopTicking: (() => void) | undefined;

  return { report, close };

  function report(event: Event): void {
    switch (event.type) {
      case 'planned':
        planned.clear();
        for (const change of event.changes) planned.set(change.id, change);
        text.report(event);
        break;
      case 'step-started':
        steps.set(event.step, {
          title: event.title,
          startedAt: clock.now(),
          changes: [...planned.values()].filter(({ step }) => step === event.step).length,
          begun: 0,
          doing: '',
        });
        draw();
        break;
      case 'change-started':
      case 'change-satisfied': {
        wait = undefined;
        const step = steps.get(event.step);
        if (step !== undefined) {
          step.begun += 1;
          step.doing = event.type === 'change-started' ? event.summary : '';
        }
        if (verbose) text.report(event);
        break;
      }
      case 'change-applied':
        wait = undefined;
        break;
      case 'step-finished':
        finishStep(event.step, event.durationMs);
        break;
      case 'progress':
        if (event.doneBytes === event.totalBytes) transfers.delete(event.subject);
        else transfers.set(event.subject, { doneBytes: event.doneBytes, totalBytes: event.totalBytes });
        tick();
        break;
      case 'waiting':
        wait = {
          message: event.message,
          startedAt: clock.now() - event.waitedSeconds * 1000,
          heardAt: clock.now(),
        };
        tick();
        break;
      case 'finished':
        close();
        text.report(event);
        break;
      case 'failed':
        leaveUnfinished();
        close();
        text.report(event);
        break;
      default:
        text.report(event);
    }
  }

  function close(): void {
    steps.clear();
    transfers.clear();
    wait = undefined;
    draw();
  }

  function finishStep(id: string, durationMs: number): void {
    const step = steps.get(id);
    steps.delete(id);
    // What has no known size has no known end; it does not outlast the step that may have asked for it.
    for (const [subject, { totalBytes }] of transfers) if (totalBytes === undefined) transfers.delete(subject);
    wait = undefined;
    const what = `${step?.title ?? id}${paint('dim', `: ${count(step?.changes ?? 0)}, ${duration(durationMs)}`)}`;
    draw(() => stderr.write(`${paint('green', glyphs.done)} ${what}\n`));
  }

  /** What was under way when the run failed stays on the screen. */
  function leaveUnfinished(): void {
    const lines = [...steps.values()].map(step => `${paint('red', glyphs.failed)} ${stepText(step)}\n`);
    steps.clear();
    if (lines.length > 0) draw(() => stderr.write(lines.join('')));
  }

  /** Lets lines that stay be written where the moving ones were. */
  function above(output: Output): (text: string) => void {
    return content => draw(() => output.write(content));
  }

  function tick(): void {
    stopTicking ??= clock.every(frameMs, () => {
      frame += 1;
      draw();
    });
  }

  function draw(writeAbove?: () => void): void {
    const former = moveToStart(drawn, terminal);
    if (writeAbove !== undefined) {
      if (former !== '') stderr.write(`${former}${eraseBelow}`);
      writeAbove();
    }
    drawn = movingLines().slice(0, Math.max(1, terminal.rows - 1));
    if (drawn.length > 0) {
      const start = writeAbove === undefined ? former : '';
      stderr.write(
        `${hideCursor}${start}${drawn.map(line => `${line}${eraseRest}\n`).join('')}${eraseBelow}${showCursor}`,
      );
      tick();
    } else {
      if (writeAbove === undefined && former !== '') stderr.write(`${former}${eraseBelow}`);
      stopTicking?.();
      stopTicking = undefined;
    }
  }

  function movingLines(): readonly string[] {
    const now = clock.now();
    if (wait !== undefined && now - wait.heardAt > waitForgottenMs) wait = undefined;
    const spinner = paint('cyan', glyphs.frames[frame % glyphs.frames.length] ?? '');
    return [
      ...[...steps.values()].map(step => `${spinner} ${fitted(stepText(step), `  ${duration(now - step.startedAt)}`)}`),
      ...[...transfers].map(([subject, transfer]) => `  ${fitted(subject, transferText(transfer))}`),
      ...(wait === undefined ? [] : [`${spinner} ${fitted(wait.message, `  ${duration(now - wait.startedAt)}`)}`]),
    ];
  }

  function stepText({ title, doing, begun, changes }: RunningStep): string {
    const position = begun === 0 ? '' : ` [${begun}/${changes}]`;
    return `${title}${position}${doing === '' ? '' : `: ${printable(doing)}`}`;
  }

  function transferText({ doneBytes, totalBytes }: Transfer): string {
    const bytes = `  ${size(doneBytes, totalBytes)}`;
    if (totalBytes === undefined || terminal.columns < leastColumnsForBar) return bytes;
    const full = Math.floor((Math.min(1, doneBytes / totalBytes) || 0) * barColumns);
    return `  ${glyphs.full.repeat(full)}${glyphs.empty.repeat(barColumns - full)}${bytes}`;
  }

  /** A text and what must stay visible after it, in what two columns for the mark and one for the cursor leave. */
  function fitted(content: string, end: string): string {
    const columns = terminal.columns - 3;
    const line = printable(content).replaceAll('\n', ' ');
    return `${truncate(line, columns - widthOf(end), glyphs.cut)}${paint('dim', truncate(end, columns, glyphs.cut))}`;
  }
}

const unicodeGlyphs = {
  done: '✓',
  failed: '✗',
  frames: [...'⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏'],
  full: '█',
  empty: '░',
  cut: '…',
};
const asciiGlyphs = { done: '+', failed: 'x', frames: [...'|/-\\'], full: '#', empty: '.', cut: '~' };

const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
const eraseRest = '\x1b[K';
const eraseBelow = '\x1b[J';

/** Moves to where the first of these lines starts: a terminal that became narrower has wrapped them. */
function moveToStart(lines: readonly string[], terminal: Terminal): string {
  let rows = 0;
  for (const line of lines) rows += Math.max(1, Math.ceil(widthOf(printable(line)) / terminal.columns));
  return rows === 0 ? '' : `\x1b[${rows}A\r`;
}

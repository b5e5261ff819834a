import type { Event, Reporter } from '../core/types.ts';
import { type Clock, systemClock } from './clock.ts';
import { commandLine, duration } from './text.ts';

/** Where a run's time went. */
export interface Timings extends Reporter {
  /** The steps, and the longest of the changes, commands and requests, for people. */
  table(): string;
  /**
   * Everything, as JSON that a browser's trace viewer opens (chrome://tracing, https://ui.perfetto.dev). Source of the
   * format: "Trace Event Format", complete events.
   */
  trace(): string;
}

interface Span {
  readonly track: string;
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
}

const longest = 12;

export function createTimings(clock: Clock = systemClock): Timings {
  const startedAt = clock.now();
  const begun = new Map<string, number>();
  const spans: Span[] = [];

  function end(track: string, name: string, durationMs: number): void {
    spans.push({ track, name, startMs: clock.now() - startedAt - durationMs, durationMs });
  }

  function endOf(key: string, track: string, name: string): void {
    const startMs = begun.get(key);
    if (startMs !== undefined) end(track, name, clock.now() - startMs);
  }

  return {
    report(event: Event): void {
      switch (event.type) {
        case 'step-started':
          begun.set(event.step, clock.now());
          break;
        case 'step-finished':
          endOf(event.step, 'steps', event.step);
          break;
        case 'change-started':
          begun.set(event.id, clock.now());
          break;
        case 'change-applied':
          endOf(event.id, event.step, event.id);
          break;
        case 'command':
          end('commands', commandLine(event.argv), event.durationMs);
          break;
        case 'request':
          end('requests', `${event.method} ${event.url}`, event.durationMs);
          break;
        case 'checked':
          end('checks', event.result.id, event.result.durationMs);
          break;
        case 'planned':
          end('run', 'facts, resolution and plan', clock.now() - startedAt);
          break;
        case 'finished':
          end('run', 'run', clock.now() - startedAt);
          break;
        default:
      }
    },
    table() {
      const rows = [
        ...spans.filter(({ track }) => track === 'run' || track === 'steps').sort((a, b) => a.startMs - b.startMs),
        ...spans
          .filter(({ track }) => track !== 'run' && track !== 'steps')
          .sort((a, b) => b.durationMs - a.durationMs)
          .slice(0, longest),
      ];
      return rows
        .map(({ track, name, startMs, durationMs }) =>
          [duration(startMs).padStart(9), duration(durationMs).padStart(9), track.padEnd(12), name.slice(0, 90)].join(
            '  ',
          ),
        )
        .map(row => `${row}\n`)
        .join('')
        .replace(/^/, `${'at'.padStart(9)}  ${'took'.padStart(9)}  ${'track'.padEnd(12)}  what\n`);
    },
    trace() {
      const tracks = [...new Set(spans.map(({ track }) => track))];
      return `${JSON.stringify({
        displayTimeUnit: 'ms',
        traceEvents: [
          ...tracks.map((track, tid) => ({ ph: 'M', name: 'thread_name', pid: 1, tid, args: { name: track } })),
          ...spans.map(({ track, name, startMs, durationMs }) => ({
            ph: 'X',
            name,
            cat: track,
            pid: 1,
            tid: tracks.indexOf(track),
            // Microseconds.
            ts: startMs * 1000,
            dur: durationMs * 1000,
          })),
        ],
      })}\n`;
    },
  };
}

import type { Event, Reporter } from '../core/types.ts';
import type { Clock } from './clock.ts';

/** A download is told of at most this often, besides its end. */
const progressIntervalMs = 1000;

/** One event a line, as docs/events.md describes them: `time` (ISO 8601, UTC), then the event's own fields. */
export function createJsonReporter(write: (text: string) => void, clock: Clock): Reporter {
  const progressTold = new Map<string, number>();

  return {
    report(event) {
      const now = clock.now();
      if (event.type === 'progress' && !isNews(event, now)) return;
      write(`${JSON.stringify({ time: new Date(now).toISOString(), ...event })}\n`);
    },
  };

  function isNews(event: Extract<Event, { type: 'progress' }>, now: number): boolean {
    const told = progressTold.get(event.subject);
    if (event.doneBytes === event.totalBytes) {
      progressTold.delete(event.subject);
      return true;
    }
    if (told !== undefined && now - told < progressIntervalMs) return false;
    progressTold.set(event.subject, now);
    return true;
  }
}

import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/core/types.ts';
import { createTimings } from '../../src/reporters/timings.ts';

/** Events at their times, in milliseconds from the start. */
function timed(events: readonly (readonly [number, Event])[]) {
  let now = 1_000_000;
  const timings = createTimings({ now: () => now, every: () => () => {} });
  for (const [at, event] of events) {
    now = 1_000_000 + at;
    timings.report(event);
  }
  return timings;
}

const run = timed([
  [120, { type: 'planned', changes: [], dryRun: false }],
  [130, { type: 'step-started', step: 'packages', title: 'Packages' }],
  [130, { type: 'change-started', id: 'packages:apt', step: 'packages', summary: 'install nomad' }],
  [4130, { type: 'command', argv: ['apt-get', 'install', 'nomad'], exitCode: 0, durationMs: 3900, output: '' }],
  [4150, { type: 'change-applied', id: 'packages:apt', step: 'packages', durationMs: 4020 }],
  [4151, { type: 'step-finished', step: 'packages', durationMs: 4021 }],
  [4500, { type: 'finished', outcome: 'converged', changes: 1, message: '', durationMs: 4500 }],
]);

describe('the timings of a run', () => {
  it('are a table of the steps in their order, and of what took longest', () => {
    expect(run.table()).toBe(
      [
        '       at       took  track         what',
        '    0.0 s      0.1 s  run           facts, resolution and plan',
        '    0.0 s      4.5 s  run           run',
        '    0.1 s      4.0 s  steps         packages',
        '    0.1 s      4.0 s  packages      packages:apt',
        '    0.2 s      3.9 s  commands      apt-get install nomad',
        '',
      ].join('\n'),
    );
  });

  it('are a trace of complete events in microseconds, each on a track of its own kind', () => {
    const { traceEvents } = JSON.parse(run.trace());

    expect(traceEvents).toContainEqual({
      ph: 'X',
      name: 'apt-get install nomad',
      cat: 'commands',
      pid: 1,
      tid: expect.any(Number),
      ts: 230_000,
      dur: 3_900_000,
    });
    const tracks = traceEvents.filter(({ ph }: { ph: string }) => ph === 'M');
    expect(tracks.map(({ args }: { args: { name: string } }) => args.name)).toEqual([
      'run',
      'commands',
      'packages',
      'steps',
    ]);
  });
});

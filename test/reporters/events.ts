import type { Event } from '../../src/core/types.ts';
import type { Clock } from '../../src/reporters/clock.ts';

type EventOf<Type extends Event['type']> = Extract<Event, { type: Type }>;

/** One event of every type with every field it can have. A new type or field does not compile until it is here. */
export const everyEvent: { readonly [Type in Event['type']]: Required<EventOf<Type>> } = {
  'run-started': { type: 'run-started', command: 'server', version: '0.1.0', dryRun: false },
  notice: { type: 'notice', level: 'warning', message: 'an even number of servers tolerates no more failures' },
  planned: {
    type: 'planned',
    changes: [
      {
        id: 'file:/etc/modules-load.d/nomad.conf',
        step: 'kernel',
        summary: 'write /etc/modules-load.d/nomad.conf',
        diff: '--- /etc/modules-load.d/nomad.conf\n+++ /etc/modules-load.d/nomad.conf\n@@ -0,0 +1 @@\n+br_netfilter\n',
      },
    ],
    dryRun: false,
  },
  'step-started': { type: 'step-started', step: 'kernel', title: 'Kernel features for bridge networking' },
  'step-finished': { type: 'step-finished', step: 'kernel', durationMs: 412 },
  'change-started': {
    type: 'change-started',
    id: 'file:/etc/modules-load.d/nomad.conf',
    step: 'kernel',
    summary: 'write /etc/modules-load.d/nomad.conf',
  },
  'change-applied': {
    type: 'change-applied',
    id: 'file:/etc/modules-load.d/nomad.conf',
    step: 'kernel',
    durationMs: 12,
  },
  'change-satisfied': { type: 'change-satisfied', id: 'service:docker', step: 'docker' },
  progress: {
    type: 'progress',
    subject: 'cni-plugins-linux-amd64-v1.9.1.tgz',
    doneBytes: 20_971_520,
    totalBytes: 52_428_800,
  },
  waiting: {
    type: 'waiting',
    message: 'waiting for unattended-upgr (pid 812) to release /var/lib/dpkg/lock',
    waitedSeconds: 20,
  },
  command: {
    type: 'command',
    argv: ['systemctl', 'enable', 'nomad.service'],
    exitCode: 0,
    durationMs: 230,
    output: 'Created symlink /etc/systemd/system/multi-user.target.wants/nomad.service\n',
  },
  request: {
    type: 'request',
    method: 'GET',
    url: 'http://127.0.0.1:4646/v1/status/leader',
    status: 200,
    durationMs: 3,
  },
  checked: {
    type: 'checked',
    result: {
      id: 'nomad-leader',
      title: 'Nomad has a leader',
      status: 'fail',
      detail: 'no leader for 12 s',
      hint: 'open TCP 4647 and 4648 between the servers, then run: nomad server members',
      durationMs: 31,
    },
  },
  finished: {
    type: 'finished',
    outcome: 'forming',
    changes: 12,
    message: '1 of 3 servers',
    durationMs: 41_000,
  },
  failed: {
    type: 'failed',
    code: 'packages-failed',
    message: 'the package transaction failed',
    hint: 'free space under /var, then run the same command again',
    detail: 'E: You do not have enough free space in /var/cache/apt/archives/.',
  },
};

/** A clock that stands still until it is told how much time has passed. */
export interface TestClock extends Clock {
  pass(milliseconds: number): void;
}

/** Starts at 2026-10-01T12:00:00Z. */
export function createTestClock(): TestClock {
  let now = Date.UTC(2026, 9, 1, 12);
  const timers = new Set<{ dueAt: number; readonly intervalMs: number; readonly tick: () => void }>();

  return {
    now: () => now,
    every(intervalMs, tick) {
      const timer = { dueAt: now + intervalMs, intervalMs, tick };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    pass(milliseconds) {
      const end = now + milliseconds;
      while (now < end) {
        now = Math.min(end, ...[...timers].map(({ dueAt }) => dueAt));
        for (const timer of [...timers].filter(({ dueAt }) => dueAt <= now)) {
          timer.dueAt += timer.intervalMs;
          timer.tick();
        }
      }
    },
  };
}

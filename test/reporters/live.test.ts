import { describe, expect, test } from 'vitest';
import type { Event } from '../../src/core/types.ts';
import { createLiveReporter } from '../../src/reporters/live.ts';
import { describeTerminal, noTerminal } from '../../src/reporters/terminal.ts';
import { createTestClock } from './events.ts';
import { createScreen } from './screen.ts';

const module = { id: 'kernel-module:bridge', step: 'kernel', summary: 'load the kernel module bridge' };
const packages = { id: 'packages:nomad', step: 'packages', summary: 'install nomad 2.0.7 and consul 1.22.3' };
const cni = { id: 'archive:/opt/cni/bin', step: 'cni-plugins', summary: 'unpack the CNI plugins 1.9.1' };
const docker = { id: 'service:docker', step: 'packages', summary: 'enable docker.service' };

const start: readonly Event[] = [
  { type: 'run-started', command: 'client', version: '0.1.0', dryRun: false },
  { type: 'planned', changes: [module, packages, docker, cni], dryRun: false },
  { type: 'step-started', step: 'kernel', title: 'Kernel features' },
  { type: 'change-started', ...module },
  { type: 'change-applied', id: module.id, step: 'kernel', durationMs: 52 },
  { type: 'step-finished', step: 'kernel', durationMs: 412 },
  { type: 'step-started', step: 'packages', title: 'Packages' },
  { type: 'step-started', step: 'cni-plugins', title: 'CNI plugins' },
  { type: 'change-started', ...packages },
  { type: 'change-started', ...cni },
];

describe('the live view', () => {
  test('keeps finished steps above a line for each step, download and wait under way', () => {
    const { tell, screen, clock } = view();

    tell(...start, { type: 'progress', subject: 'cni.tgz', doneBytes: 20_971_520, totalBytes: 52_428_800 });
    clock.pass(11_000);
    tell({ type: 'waiting', message: 'waiting for apt-get (pid 812)', waitedSeconds: 4 });
    clock.pass(1000);

    expect(screen.lines()).toEqual([
      'nomad-bootstrap 0.1.0: client',
      'plan: 4 changes',
      '✓ Kernel features: 1 change, 0.4 s',
      '⠋ Packages [1/2]: install nomad 2.0.7 and consul 1.22.3  12 s',
      '⠋ CNI plugins [1/1]: unpack the CNI plugins 1.9.1  12 s',
      '  cni.tgz  ████████░░░░░░░░░░░░  20.0 of 50.0 MiB',
      '⠋ waiting for apt-get (pid 812)  5.0 s',
    ]);
  });

  test('moves while nothing is reported, and stands still when nothing is under way', () => {
    const { tell, screen, clock } = view();

    tell(...start.slice(0, 4));
    const frames = [100, 100, 100].map(milliseconds => {
      clock.pass(milliseconds);
      return screen.lines().at(-1);
    });
    tell({ type: 'step-finished', step: 'kernel', durationMs: 300 });
    screen.taken();
    clock.pass(5000);

    expect(frames).toEqual([
      '⠙ Kernel features [1/1]: load the kernel module bridge  0.1 s',
      '⠹ Kernel features [1/1]: load the kernel module bridge  0.2 s',
      '⠸ Kernel features [1/1]: load the kernel module bridge  0.3 s',
    ]);
    expect(screen.taken()).toEqual([]);
  });

  test('puts what is to stay above what moves', () => {
    const { tell, screen } = view();

    tell(...start, { type: 'notice', level: 'warning', message: 'the clock is not synchronised' });

    expect(screen.lines().slice(2)).toEqual([
      '✓ Kernel features: 1 change, 0.4 s',
      'warning: the clock is not synchronised',
      '⠋ Packages [1/2]: install nomad 2.0.7 and consul 1.22.3  0.0 s',
      '⠋ CNI plugins [1/1]: unpack the CNI plugins 1.9.1  0.0 s',
    ]);
  });

  test('counts what had already been done, and shows a short download not at all', () => {
    const { tell, screen } = view();

    tell(
      ...start.slice(0, 7),
      { type: 'change-started', ...packages },
      { type: 'progress', subject: 'key.asc', doneBytes: 10, totalBytes: 20 },
      { type: 'progress', subject: 'key.asc', doneBytes: 20, totalBytes: 20 },
      { type: 'change-satisfied', id: docker.id, step: 'packages' },
      { type: 'notice', level: 'info', message: 'x' },
    );

    expect(screen.lines().slice(3)).toEqual(['x', '⠋ Packages [2/2]  0.0 s']);
  });

  test('forgets a wait of which nothing is heard any more', () => {
    const { tell, screen, clock } = view();

    tell(...start, { type: 'waiting', message: 'no leader yet', waitedSeconds: 0 });
    clock.pass(14_000);
    expect(screen.lines().at(-1)).toBe('⠋ no leader yet  14 s');

    clock.pass(2000);
    expect(screen.lines().at(-1)).toBe('⠋ CNI plugins [1/1]: unpack the CNI plugins 1.9.1  16 s');
  });

  test('ends with the steps and how the run ended', () => {
    const { tell, screen, stdout, clock } = view();

    tell(
      ...start,
      { type: 'step-finished', step: 'cni-plugins', durationMs: 3000 },
      { type: 'step-finished', step: 'packages', durationMs: 31_000 },
      { type: 'progress', subject: 'of.unknown.size', doneBytes: 1 },
      { type: 'finished', outcome: 'converged', changes: 4, message: '', durationMs: 41_000 },
    );
    clock.pass(1000);

    expect(screen.lines().slice(2)).toEqual([
      '✓ Kernel features: 1 change, 0.4 s',
      '✓ CNI plugins: 1 change, 3.0 s',
      '✓ Packages: 2 changes, 31 s',
    ]);
    expect(stdout()).toBe('converged: 4 changes in 41 s\n');
  });

  test('leaves the steps that a failure ended, then tells the failure', () => {
    const { tell, screen, clock } = view();

    tell(
      ...start,
      { type: 'step-finished', step: 'cni-plugins', durationMs: 3000 },
      { type: 'waiting', message: 'waiting for apt-get', waitedSeconds: 4 },
      {
        type: 'failed',
        code: 'package-lock',
        message: 'the lock was not released',
        hint: 'end apt-get',
        detail: 'E: x',
      },
    );
    clock.pass(1000);

    expect(screen.lines().slice(3)).toEqual([
      '✓ CNI plugins: 1 change, 3.0 s',
      '✗ Packages [1/2]: install nomad 2.0.7 and consul 1.22.3',
      'error: the lock was not released [package-lock]',
      '  E: x',
      'fix: end apt-get',
      'log: /var/log/nomad-bootstrap.log',
    ]);
  });

  test('leaves no moving line when it is closed after a bug, however often', () => {
    const { tell, screen, reporter, clock } = view();

    tell(...start);
    reporter.close();
    reporter.close();
    clock.pass(1000);

    expect(screen.lines().slice(2)).toEqual(['✓ Kernel features: 1 change, 0.4 s']);
  });

  test('prints the answer on stdout, without anything of the view', () => {
    const { tell, stdout } = view();

    tell(...start, { type: 'planned', changes: [module], dryRun: true });

    expect(stdout()).toBe('kernel: load the kernel module bridge [kernel-module:bridge]\n');
  });

  test('with --verbose keeps a line for each change and command as well', () => {
    const { tell, screen } = view({ verbose: true });

    tell(...start.slice(0, 4), {
      type: 'command',
      argv: ['modprobe', 'bridge'],
      exitCode: 0,
      durationMs: 40,
      output: '',
    });

    expect(screen.lines().slice(2)).toEqual([
      '[1/4] kernel: load the kernel module bridge',
      '$ modprobe bridge (exit 0, 0.0 s)',
      '⠋ Kernel features [1/1]: load the kernel module bridge  0.0 s',
    ]);
  });
});

describe('the terminal', () => {
  test('has its cursor after every single write', () => {
    const { tell, screen, clock } = view();

    for (const event of start) {
      tell(event);
      expect(screen.cursorVisible()).toBe(true);
    }
    clock.pass(500);

    const frames = screen.taken().filter(text => text.includes('\x1b[?25l'));
    expect(frames.length).toBeGreaterThan(5);
    for (const frame of frames) expect(frame.endsWith('\x1b[?25h')).toBe(true);
  });

  test.each([20, 40, 58, 80])('of %i columns is never written past its edge', columns => {
    const { tell, screen, clock } = view({ columns });

    tell(
      { type: 'step-started', step: 'packages', title: 'Packages' },
      { type: 'change-started', ...packages, summary: '日本'.repeat(40) },
      { type: 'progress', subject: `${'long-'.repeat(20)}.tgz`, doneBytes: 1_000_000, totalBytes: 52_428_800 },
      { type: 'waiting', message: 'a\nb '.repeat(30), waitedSeconds: 4 },
    );
    clock.pass(300);

    expect(screen.hasWrapped()).toBe(false);
    expect(screen.lines()).toHaveLength(3);
    expect(screen.lines()[0]).toContain('0.3 s');
  });

  test('keeps its earlier lines when it is made narrower or wider during a run', () => {
    const { tell, screen, clock } = view({ columns: 80 });

    tell(...start);
    clock.pass(100);
    screen.columns = 100;
    clock.pass(100);
    screen.columns = 80;
    clock.pass(100);

    expect(screen.lines()).toEqual([
      'nomad-bootstrap 0.1.0: client',
      'plan: 4 changes',
      '✓ Kernel features: 1 change, 0.4 s',
      '⠸ Packages [1/2]: install nomad 2.0.7 and consul 1.22.3  0.3 s',
      '⠸ CNI plugins [1/1]: unpack the CNI plugins 1.9.1  0.3 s',
    ]);
  });

  test('is moved up by as many rows as a narrower window has wrapped the lines to', () => {
    const { tell, screen, clock } = view({ columns: 80 });

    tell(...start);
    clock.pass(100);
    screen.taken();
    screen.columns = 40;
    clock.pass(100);

    // 62 and 55 columns wide: two rows each.
    expect(screen.taken()[0]).toContain('\x1b[4A\r');
  });

  test('of few rows shows only as many moving lines as fit', () => {
    const { tell, screen } = view({ rows: 3 });

    tell(
      ...start,
      { type: 'waiting', message: 'x', waitedSeconds: 0 },
      { type: 'notice', level: 'info', message: 'y' },
    );

    expect(screen.lines().slice(3)).toEqual([
      'y',
      '⠋ Packages [1/2]: install nomad 2.0.7 and consul 1.22.3  0.0 s',
      '⠋ CNI plugins [1/1]: unpack the CNI plugins 1.9.1  0.0 s',
    ]);
  });

  test('with NO_COLOR gets none, and one without UTF-8 gets ASCII', () => {
    const plain = view({ environment: { TERM: 'xterm', NO_COLOR: '1', LANG: 'C' } });
    const colourful = view({ environment: { TERM: 'xterm', LANG: 'C.UTF-8' } });
    const download: Event = { type: 'progress', subject: 'cni.tgz', doneBytes: 25, totalBytes: 50 };

    for (const { tell, clock } of [plain, colourful]) {
      tell(...start, download);
      clock.pass(100);
    }

    expect(plain.screen.lines().slice(2)).toEqual([
      '+ Kernel features: 1 change, 0.4 s',
      '/ Packages [1/2]: install nomad 2.0.7 and consul 1.22.3  0.1 s',
      '/ CNI plugins [1/1]: unpack the CNI plugins 1.9.1  0.1 s',
      '  cni.tgz  ##########..........  0.0 of 0.0 KiB',
    ]);
    expect(plain.screen.taken().join('')).not.toMatch(/\[\d+m/);
    expect(colourful.screen.taken().join('')).toContain('\x1b[32m✓\x1b[39m');
  });
});

interface Settings {
  readonly columns?: number;
  readonly rows?: number;
  readonly verbose?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
}

function view({
  columns = 80,
  rows = 24,
  verbose = false,
  environment = { TERM: 'xterm', LANG: 'C.UTF-8' },
}: Settings = {}) {
  const screen = createScreen(columns, rows);
  const clock = createTestClock();
  const stdout: string[] = [];
  const reporter = createLiveReporter({
    quiet: false,
    verbose,
    logPath: '/var/log/nomad-bootstrap.log',
    clock,
    stdout: { terminal: noTerminal, write: text => stdout.push(text) },
    stderr: { terminal: describeTerminal(screen, environment), write: screen.write },
  });
  return {
    screen,
    clock,
    reporter,
    stdout: () => stdout.join(''),
    tell: (...events: readonly Event[]) => {
      for (const event of events) reporter.report(event);
    },
  };
}

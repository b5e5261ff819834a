import { describe, expect, test } from 'vitest';
import type { CheckResult, Event } from '../../src/core/types.ts';
import { describeTerminal, noTerminal, type Terminal } from '../../src/reporters/terminal.ts';
import { createTextReporter } from '../../src/reporters/text.ts';
import { createTestClock, everyEvent } from './events.ts';

const kernel = { id: 'kernel-module:bridge', step: 'kernel', summary: 'load the kernel module bridge' };
const packages = { id: 'packages:nomad', step: 'packages', summary: 'install nomad 2.0.7' };
const service = { id: 'service:docker', step: 'docker', summary: 'enable docker.service' };

const aRun: readonly Event[] = [
  { type: 'run-started', command: 'client', version: '0.1.0', dryRun: false },
  { type: 'notice', level: 'info', message: 'clustering on 10.0.0.4 (eth1)' },
  { type: 'notice', level: 'warning', message: 'the clock is not synchronised' },
  { type: 'planned', changes: [kernel, packages, service], dryRun: false },
  { type: 'step-started', step: 'kernel', title: 'Kernel features for bridge networking' },
  { type: 'change-started', ...kernel },
  { type: 'command', argv: ['modprobe', 'bridge'], exitCode: 0, durationMs: 40, output: 'x' },
  { type: 'change-applied', id: kernel.id, step: 'kernel', durationMs: 52 },
  { type: 'step-finished', step: 'kernel', durationMs: 60 },
  { type: 'step-started', step: 'packages', title: 'Packages' },
  { type: 'change-started', ...packages },
  { type: 'change-applied', id: packages.id, step: 'packages', durationMs: 30_400 },
  { type: 'step-finished', step: 'packages', durationMs: 30_450 },
  { type: 'step-started', step: 'docker', title: 'Docker' },
  { type: 'change-satisfied', id: service.id, step: 'docker' },
  { type: 'step-finished', step: 'docker', durationMs: 95_000 },
  { type: 'finished', outcome: 'converged', changes: 2, message: '', durationMs: 126_000 },
];

describe('a run', () => {
  test('is told by one plain line for each change and one at the end, on stdout', () => {
    const { stdout, stderr } = tell(aRun);

    expect(stderr).toBe(
      [
        'nomad-bootstrap 0.1.0: client',
        'clustering on 10.0.0.4 (eth1)',
        'warning: the clock is not synchronised',
        'plan: 3 changes',
        '[1/3] kernel: load the kernel module bridge',
        'kernel: done in 0.1 s',
        '[2/3] packages: install nomad 2.0.7',
        'packages: done in 30 s',
        '[3/3] docker: enable docker.service (already so)',
        'docker: done in 1 min 35 s',
        '',
      ].join('\n'),
    );
    expect(stdout).toBe('converged: 2 changes in 2 min 6 s\n');
  });

  test('tells a failure in one line, also of a file whose name has two', () => {
    const { stderr } = tell([
      { type: 'failed', code: 'bad-config-file', message: 'the --config file a\nb cannot be read', hint: 'mend it' },
    ]);

    expect(stderr).toBe('error: the --config file a b cannot be read [bad-config-file]\nfix: mend it\n');
  });

  test('with --quiet tells only warnings', () => {
    expect(tell(aRun, { quiet: true })).toEqual({ stdout: '', stderr: 'warning: the clock is not synchronised\n' });
  });

  test('with --verbose tells commands, requests and checks that passed', () => {
    const { stderr } = tell(
      [
        { type: 'command', argv: ['sh', '-c', "echo 'a b'"], exitCode: 3, durationMs: 1200, output: 'a b' },
        { type: 'request', method: 'GET', url: 'http://127.0.0.1:4646/v1/agent/self', status: 200, durationMs: 3 },
        { type: 'request', method: 'GET', url: 'http://127.0.0.1:8500/', durationMs: 10_000 },
        checked({ status: 'pass' }),
        checked({ status: 'skip', detail: 'no client runs here' }),
      ],
      { verbose: true },
    );

    expect(stderr).toBe(
      [
        String.raw`$ sh -c 'echo '\''a b'\''' (exit 3, 1.2 s)`,
        'GET http://127.0.0.1:4646/v1/agent/self (200, 0.0 s)',
        'GET http://127.0.0.1:8500/ (no answer, 10 s)',
        'pass: Nomad has a leader (10.0.0.2:4647)',
        'skip: Nomad has a leader (no client runs here)',
        '',
      ].join('\n'),
    );
  });

  test('tells checks that failed or warn with what to do, even with --quiet', () => {
    const { stderr } = tell(
      [
        checked({ status: 'pass' }),
        checked({ status: 'warn', detail: 'it changed twice', hint: 'look at the load' }),
        checked({ status: 'fail', detail: 'none for 12 s', hint: 'open TCP 4647' }),
      ],
      { quiet: true },
    );

    expect(stderr).toBe(
      [
        'warning: Nomad has a leader: it changed twice',
        '  fix: look at the load',
        'failed: Nomad has a leader: none for 12 s',
        '  fix: open TCP 4647',
        '',
      ].join('\n'),
    );
  });

  test('counts anew when it announces further changes', () => {
    const { stderr } = tell([
      { type: 'planned', changes: [kernel, packages], dryRun: false },
      { type: 'change-started', ...kernel },
      { type: 'planned', changes: [service], dryRun: false },
      { type: 'change-started', ...service },
    ]);

    expect(stderr).toBe(
      'plan: 2 changes\n[1/2] kernel: load the kernel module bridge\nplan: 1 change\n[1/1] docker: enable docker.service\n',
    );
  });
});

describe('the last line', () => {
  test.each([
    ['0 changes in 1.2 s\n', { outcome: 'converged', changes: 0, message: '', durationMs: 1234 }],
    ['converged: 1 change in 41 s\n', { outcome: 'converged', changes: 1, message: '', durationMs: 41_000 }],
    [
      'http://127.0.0.1:4646\nconverged: 9 changes in 41 s\n',
      { outcome: 'converged', changes: 9, message: 'http://127.0.0.1:4646', durationMs: 41_000 },
    ],
    [
      '12 changes in 41 s\nforming: 1 of 3 servers\n',
      { outcome: 'forming', changes: 12, message: '1 of 3 servers', durationMs: 41_000 },
    ],
    [
      'dry run: 3 changes to make, nothing was changed\n',
      { outcome: 'planned', changes: 3, message: '', durationMs: 900 },
    ],
  ] as const)('is %j', (line, end) => {
    expect(tell([{ type: 'finished', ...end }])).toEqual({ stdout: line, stderr: '' });
  });
});

describe('a dry run', () => {
  const plan: Event = {
    type: 'planned',
    dryRun: true,
    changes: [kernel, { ...packages, id: 'file:/etc/x', diff: '--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-a\n+b\n c\n' }],
  };
  const lines = [
    'kernel: load the kernel module bridge [kernel-module:bridge]',
    'packages: install nomad 2.0.7 [file:/etc/x]',
    '    --- /etc/x',
    '    +++ /etc/x',
    '    @@ -1 +1 @@',
    '    -a',
    '    +b',
    '     c',
    '',
  ];

  test('prints every change with its id and its diff on stdout, with --quiet too', () => {
    expect(tell([plan])).toEqual({ stdout: lines.join('\n'), stderr: '' });
    expect(tell([plan], { quiet: true }).stdout).toBe(lines.join('\n'));
  });

  test('has colours in its diff only where stdout is a terminal', () => {
    const coloured = describeTerminal({ isTTY: true }, { TERM: 'xterm' });

    expect(tell([plan], { stderrTerminal: coloured }).stdout).toBe(lines.join('\n'));
    expect(tell([plan], { stdoutTerminal: coloured }).stdout).toContain(
      '    \x1b[31m-a\x1b[39m\n    \x1b[32m+b\x1b[39m\n',
    );
  });
});

describe('a failure', () => {
  const failure: Event = {
    type: 'failed',
    code: 'packages-failed',
    message: 'the package transaction failed',
    hint: 'free space under /var',
    detail: 'E: first\nE: second\n\n',
  };

  test('is told by what, the last words of the tool, the fix and the log, with --quiet too', () => {
    const told = {
      stdout: '',
      stderr: [
        'error: the package transaction failed [packages-failed]',
        '  E: first',
        '  E: second',
        'fix: free space under /var',
        'log: /var/log/nomad-bootstrap.log',
        '',
      ].join('\n'),
    };

    expect(tell([failure], { logPath: '/var/log/nomad-bootstrap.log' })).toEqual(told);
    expect(tell([failure], { logPath: '/var/log/nomad-bootstrap.log', quiet: true })).toEqual(told);
  });

  test('without output of a tool and without a log takes two lines', () => {
    expect(tell([{ type: 'failed', code: 'locked', message: 'another run is under way', hint: 'wait' }]).stderr).toBe(
      'error: another run is under way [locked]\nfix: wait\n',
    );
  });

  test('shows the last ten lines of a tool, and all of a stack trace', () => {
    const detail = Array.from({ length: 14 }, (_, index) => `line ${index + 1}`).join('\n');

    expect(tell([{ ...failure, detail }]).stderr.match(/ {2}line \d+/g)).toHaveLength(10);
    expect(tell([{ ...failure, detail }]).stderr).toContain('  line 14\nfix:');
    expect(tell([{ ...failure, code: 'bug', detail }]).stderr.match(/ {2}line \d+/g)).toHaveLength(14);
  });

  test('cannot make the terminal do anything', () => {
    const { stderr } = tell([{ ...failure, message: 'a\x1b[2Jb\x07', detail: 'c\x1b]0;title\x07\r\nd\x9b31m' }]);

    expect(stderr).toBe('error: ab [packages-failed]\n  c\n  d\nfix: free space under /var\n');
  });
});

describe('what takes long', () => {
  test('a wait is told at once and then every ten seconds', () => {
    const waits = [0, 2, 4, 9, 10, 12, 19, 21, 30, 0, 1].map((waitedSeconds): Event => {
      return { type: 'waiting', message: 'waiting for apt-get (pid 812)', waitedSeconds };
    });

    expect(tell(waits).stderr).toBe(
      [
        'waiting for apt-get (pid 812)',
        'waiting for apt-get (pid 812) (10 s)',
        'waiting for apt-get (pid 812) (21 s)',
        'waiting for apt-get (pid 812)',
        '',
      ].join('\n'),
    );
  });

  test('a wait for something else is told at once', () => {
    const { stderr } = tell([
      { type: 'waiting', message: 'no leader yet', waitedSeconds: 3 },
      { type: 'waiting', message: '1 of 3 servers', waitedSeconds: 4 },
      { type: 'waiting', message: 'no leader yet', waitedSeconds: 5 },
    ]);

    expect(stderr).toBe('no leader yet (3.0 s)\n1 of 3 servers (4.0 s)\n');
  });

  test('a download is told of every ten seconds, a short one never', () => {
    const clock = createTestClock();
    const { reporter, told } = textReporter({}, clock);

    for (let second = 0; second <= 25; second += 1) {
      reporter.report({
        type: 'progress',
        subject: 'nomad.zip',
        doneBytes: second * 1024 * 1024,
        totalBytes: 26214400,
      });
      clock.pass(1000);
    }

    expect(told().stderr).toBe('downloading nomad.zip: 10.0 of 25.0 MiB\ndownloading nomad.zip: 20.0 of 25.0 MiB\n');
  });
});

test('no event of any type brings an escape or a character beyond ASCII into a log', () => {
  const { stdout, stderr } = tell(Object.values(everyEvent), { verbose: true });

  expect(stdout + stderr).toMatch(/^[\x20-\x7e\n]+$/);
});

interface Settings {
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly logPath?: string;
  readonly stdoutTerminal?: Terminal;
  readonly stderrTerminal?: Terminal;
}

function textReporter(settings: Settings, clock = createTestClock()) {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const reporter = createTextReporter({
    quiet: settings.quiet ?? false,
    verbose: settings.verbose ?? false,
    logPath: settings.logPath,
    clock,
    stdout: { terminal: settings.stdoutTerminal ?? noTerminal, write: text => stdout.push(text) },
    stderr: { terminal: settings.stderrTerminal ?? noTerminal, write: text => stderr.push(text) },
  });
  return { reporter, told: () => ({ stdout: stdout.join(''), stderr: stderr.join('') }) };
}

function tell(events: readonly Event[], settings: Settings = {}): { stdout: string; stderr: string } {
  const { reporter, told } = textReporter(settings);
  for (const event of events) reporter.report(event);
  return told();
}

function checked(result: Partial<CheckResult>): Event {
  const leader = { id: 'nomad-leader', title: 'Nomad has a leader', detail: '10.0.0.2:4647', durationMs: 3 };
  return { type: 'checked', result: { status: 'pass', ...leader, ...result } };
}

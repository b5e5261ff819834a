import { describe, expect, test } from 'vitest';
import { createRedactor } from '../../src/core/redact.ts';
import { Secret } from '../../src/core/secret.ts';
import { createReporter, type ReporterOptions } from '../../src/reporters/index.ts';
import { describeTerminal, noTerminal, type Terminal, withoutColour } from '../../src/reporters/terminal.ts';
import { createTestClock, everyEvent } from './events.ts';

const everything = Object.values(everyEvent);

describe('where a run is told', () => {
  test('with --json every event is a line on stdout and stderr stays empty', () => {
    const { stdout, stderr } = tell({ json: true, quiet: true, verbose: true });

    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line).type),
    ).toEqual(Object.keys(everyEvent));
    expect(stderr).toBe('');
  });

  test('without it progress goes to stderr and the answer to stdout', () => {
    const { stdout, stderr } = tell({});

    expect(stdout).toBe('12 changes in 41 s\nforming: 1 of 3 servers\n');
    expect(stderr).toMatch(
      /^nomad-bootstrap 0\.1\.0: server\n(.*\n)*\[1\/1\] kernel: .*\n(.*\n)*log: \/var\/log\/x\.log\n$/,
    );
  });

  test('the lines move only on a terminal, and there not with --json or --quiet', () => {
    const terminal = describeTerminal({ isTTY: true, columns: 80, rows: 24 }, { TERM: 'xterm' });
    const moves = (settings: Settings) => tell(settings).stderr.includes('\x1b[J');

    expect(moves({ terminal })).toBe(true);
    expect([moves({}), moves({ terminal, json: true }), moves({ terminal, quiet: true })]).toEqual([
      false,
      false,
      false,
    ]);
  });

  test('with --no-color no terminal gets colours, and the window can still be resized', () => {
    const stream = { isTTY: true, columns: 80, rows: 24 };
    const terminal = describeTerminal(stream, { TERM: 'xterm' });
    const colours = (colour: boolean): boolean => {
      const told: string[] = [];
      const output = { terminal, write: (text: string) => told.push(text) };
      const reporter = createReporter({ ...options({}), colour, stdout: output, stderr: output });
      for (const event of [...everything, { ...everyEvent.planned, dryRun: true }]) reporter.report(event);
      return /\[3\dm/.test(told.join(''));
    };

    expect([colours(true), colours(false)]).toEqual([true, false]);
    const bleached = withoutColour(terminal);
    stream.columns = 60;
    expect([bleached.columns, bleached.rows, bleached.live]).toEqual([60, 24, true]);
  });

  test('the log gets everything, whatever is shown', () => {
    const logs = [{}, { json: true }, { quiet: true }, { verbose: true }].map(settings => tell(settings).log);

    expect(new Set(logs).size).toBe(1);
    expect(logs[0]).toContain('command: systemctl enable nomad.service: exit 0');
  });
});

test.each([{}, { json: true }, { verbose: true }])(
  'a secret is in nothing that is told or logged, with %j',
  settings => {
    const secret = 'test"vector/of a secret';
    const redactor = createRedactor([new Secret(secret)]);
    const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), btoa(secret)];
    const leak = forms.join(' ');

    const told = tell({ ...settings, redactor }, [
      { type: 'planned', dryRun: true, changes: [{ id: leak, step: leak, summary: leak, diff: leak }] },
      { ...everyEvent.command, argv: ['curl', leak], output: leak },
      { ...everyEvent.request, url: leak },
      { ...everyEvent.failed, detail: leak, message: leak, hint: leak },
    ]);

    for (const text of Object.values(told)) for (const form of forms) expect(text).not.toContain(form);
    expect(told.log).toContain('[hidden]');
  },
);

describe('a reporter never throws', () => {
  test('when nothing can be written to stdout, stderr or the log', () => {
    const fail = () => {
      throw new Error('EIO');
    };

    for (const json of [true, false]) {
      const reporter = createReporter({
        ...options({ json }),
        ...outputs(fail, fail),
        log: { path: '/x', append: fail },
      });
      for (const event of everything) expect(() => reporter.report(event)).not.toThrow();
      expect(() => reporter.close()).not.toThrow();
    }
  });

  test('a log that cannot be written is told once and not tried again', () => {
    let tries = 0;
    const stderr: string[] = [];
    const reporter = createReporter({
      ...options({ quiet: true }),
      ...outputs(
        () => {},
        text => stderr.push(text),
      ),
      log: {
        path: '/var/log/x.log',
        append: () => {
          tries += 1;
          throw new Error('ENOSPC: no space left on device');
        },
      },
    });

    reporter.report(everyEvent['run-started']);
    reporter.report(everyEvent['step-started']);

    expect(tries).toBe(1);
    expect(stderr.join('')).toBe(
      'warning: the log /var/log/x.log cannot be written (ENOSPC: no space left on device); this run goes on without it\n',
    );
  });
});

interface Settings extends Partial<Pick<ReporterOptions, 'json' | 'quiet' | 'verbose' | 'redactor'>> {
  readonly terminal?: Terminal;
}

function options({ json = false, quiet = false, verbose = false, redactor = createRedactor() }: Settings) {
  return { json, quiet, verbose, redactor, clock: createTestClock() };
}

function outputs(stdout: (text: string) => void, stderr: (text: string) => void, terminal = noTerminal) {
  return { stdout: { terminal: noTerminal, write: stdout }, stderr: { terminal, write: stderr } };
}

function tell(settings: Settings, events = everything): { stdout: string; stderr: string; log: string } {
  const told = { stdout: '', stderr: '', log: '' };
  const write = (stream: keyof typeof told) => (text: string) => {
    told[stream] += text;
  };
  const reporter = createReporter({
    ...options(settings),
    ...outputs(write('stdout'), write('stderr'), settings.terminal),
    log: { path: '/var/log/x.log', append: write('log') },
  });
  for (const event of events) reporter.report(event);
  reporter.close();
  return told;
}

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseCommandLine } from '../src/cli.ts';
import { commands } from '../src/commands/index.ts';
import { flagName, namesOf, type OptionName, options } from '../src/config/options.ts';
import { BootstrapError } from '../src/core/errors.ts';
import { version } from '../src/version.ts';

const commandNames = Object.keys(commands) as (keyof typeof commands)[];
const optionNames = Object.keys(options) as OptionName[];

function parse(...argv: readonly string[]) {
  const invocation = parseCommandLine(argv, 100);
  if (invocation.kind === 'text') throw new Error(`a text: ${invocation.text}`);
  const { command, action, layer } = invocation;
  return { command, ...(action === undefined ? {} : { action }), values: layer.values };
}

function textOf(...argv: readonly string[]): string {
  const invocation = parseCommandLine(argv, 100);
  if (invocation.kind === 'command') throw new Error(`a command: ${invocation.command}`);
  return invocation.text;
}

describe('a command line', () => {
  it('names a command, and settings by their flags', () => {
    const { command, values } = parse(
      'server',
      '--expect',
      '3',
      '--join=10.0.0.1,10.0.0.2',
      '--insecure',
      '--no-color',
    );

    expect(command).toBe('server');
    expect(values).toEqual({ expect: '3', join: '10.0.0.1,10.0.0.2', insecure: true, color: false });
  });

  it('may name the settings before the command', () => {
    expect(parse('--expect', '3', 'server')).toEqual({ command: 'server', values: { expect: '3' } });
  });

  it('may repeat a setting, and use its other name', () => {
    expect(parse('client', '--meta', 'a=b', '--meta', 'c=d').values).toEqual({ meta: ['a=b', 'c=d'] });
    expect(parse('server', '--bootstrap-expect', '3').values).toEqual({ expect: '3' });
    expect(parse('server', '--bootstrap-expect', '3', '--expect', '5').values).toEqual({ expect: ['3', '5'] });
  });

  it('passes values on as they were written, also numbers and such as begin with a hyphen', () => {
    expect(parse('server', '--expect', '0x3', '--wait', '-1', '--name=a=b', '--region=').values).toEqual({
      expect: '0x3',
      wait: '-1',
      name: 'a=b',
      region: '',
    });
  });

  it('takes options before the command, switches as well', () => {
    expect(parse('--dry-run', '--insecure', 'server', '--expect', '3')).toEqual(
      parse('server', '--dry-run', '--insecure', '--expect', '3'),
    );
    expect(parse('--no-color', '--expect', '3', 'server').values).toEqual({ expect: '3', color: false });
  });

  it('passes the value of a switch on to be judged: it is never taken for false', () => {
    expect(parse('server', '--dry-run=yes').values).toEqual({ dryRun: 'yes' });
    expect(parse('server', '--dry-run=1', '--json=maybe').values).toEqual({ dryRun: '1', json: 'maybe' });
    expect(parse('server', '--dry-run=no', '--dry-run').values).toEqual({ dryRun: true });
    expect(parse('server', '--dry-run=yes', '--no-dry-run').values).toEqual({ dryRun: false });
    expect(parse('server', '--dry-run', '--no-dry-run').values).toEqual({ dryRun: false });
    expect(parse('server', '--no-dry-run', '--dry-run', '--dry-run').values).toEqual({ dryRun: true });
  });

  it('may name an action where the command has some', () => {
    expect(parse('token', 'create')).toEqual({ command: 'token', action: 'create', values: {} });
  });

  it.each(commandNames)('of %s knows its options by each of their names, and no other', command => {
    const words = command === 'token' ? [command, 'create'] : [command];
    const isOwn = (name: OptionName) => (options[name].commands as readonly string[]).includes(command);
    const flagsOf = (names: readonly OptionName[]) =>
      names.flatMap(name => namesOf(name).map(flag => (options[name].kind === 'switch' ? `--${flag}` : `--${flag}=x`)));
    const own = optionNames.filter(isOwn);
    const foreign = optionNames.filter(name => !isOwn(name));

    expect(Object.keys(parse(...words, ...flagsOf(own)).values)).toEqual(own);
    const message = foreign.flatMap(namesOf).join(', ');
    expect(() => parse(...words, ...flagsOf(foreign))).toThrow(
      expect.objectContaining({ code: 'bad-usage', message: expect.stringMatching(`^Unknown arguments?: ${message}`) }),
    );
  });

  it('says in an error which flag it means', () => {
    const invocation = parseCommandLine(['server', '--node-pool', 'x'], 100);

    expect(invocation.kind === 'command' && invocation.layer.place('nodePool')).toBe('--node-pool');
  });

  it.each<[string, string[], RegExp]>([
    ['nothing', [], /^say what this node is to be/],
    ['flags alone', ['--json'], /^say what this node is to be/],
    ['an unknown command', ['sever'], /^there is no command "sever"; the commands are server, client/],
    ['an empty command', [''], /^there is no command ""/],
    ['a command that every object has', ['constructor'], /^there is no command "constructor"/],
    ['an unknown flag', ['server', '--expct', '3'], /Unknown argument: expct/],
    ['a flag of another command', ['verify', '--dry-run'], /Unknown argument: dry-run/],
    ['a flag in the wrong case', ['server', '--nodePool', 'x'], /Unknown argument: nodePool/],
    ['a short flag', ['server', '-e', '3'], /Unknown argument: e/],
    ['a flag that every object has', ['server', '--constructor', 'x'], /Unknown argument: constructor/],
    ['its negation', ['server', '--no-toString'], /Unknown argument: no-toString/],
    ['a prototype', ['server', '--__proto__.x', 'y'], /Unknown argument/],
    ['a negation of a value', ['server', '--no-mirror'], /--no-mirror: only a switch can be taken back so/],
    ['a flag without its value', ['server', '--expect'], /Not enough arguments following: expect/],
    ['a flag in place of a value', ['server', '--expect', '--json'], /Not enough arguments following: expect/],
    ['a word too many', ['server', 'now'], /Unknown argument: now/],
    ['a word after all flags', ['server', '--', 'now'], /server takes no further words: now/],
    ['a value too many', ['server', '--join', '10.0.0.1', '10.0.0.2'], /Unknown argument: 10.0.0.2/],
    ['a switch followed by a value', ['server', '--dry-run', 'yes'], /Unknown argument: yes/],
    ['no action', ['token'], /^say what token is to do: create, client, show/],
    ['an unknown action', ['token', 'crate'], /Given: "crate", Choices: "create", "client", "show"/],
  ])('with %s is refused in one line, with a way to find out', (_, argv, message) => {
    expect(() => parseCommandLine(argv, 100)).toThrow(
      expect.objectContaining({
        code: 'bad-usage',
        exitCode: 2,
        message: expect.stringMatching(message),
        hint: expect.stringContaining('--help'),
      }),
    );
    expect(() => parseCommandLine(argv, 100)).toThrow(
      expect.objectContaining({ message: expect.not.stringMatching('\n') }),
    );
  });

  it('is understood or refused, whatever it is, and never a bug', () => {
    const flags = optionNames.flatMap(namesOf).flatMap(flag => [`--${flag}`, `--no-${flag}`, `--${flag}=`]);
    const word = fc.oneof(
      fc.constantFrom(...commandNames, ...flags, '--', '-', '--=', '--no-', '-h', '--version', 'completion', 'help'),
      fc.constantFrom(
        ...Object.getOwnPropertyNames(Object.prototype).flatMap(name => [name, `--${name}`, `--${name}=x`]),
      ),
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.string({ maxLength: 8 }).map(text => `--${text}`),
      fc.tuple(fc.constantFrom(...flags), fc.string({ maxLength: 8 })).map(([flag, value]) => `${flag}=${value}`),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), argv => {
        try {
          parseCommandLine(argv, 100);
        } catch (error) {
          expect(error).toBeInstanceOf(BootstrapError);
          expect(error).toMatchObject({ code: 'bad-usage', message: expect.stringMatching(/^.+$/) });
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('the help', () => {
  it('is printed for --help, -h and help, of the whole and of a command', () => {
    expect(textOf('--help')).toBe(textOf('help'));
    expect(textOf('--help')).toBe(textOf('-h'));
    expect(textOf('server', '--help')).toBe(textOf('help', 'server'));
    expect(textOf('server', '--help')).not.toBe(textOf('--help'));
  });

  it('lists every command with what it does', () => {
    for (const command of commandNames)
      expect(textOf('--help')).toMatch(new RegExp(`nomad-bootstrap ${command}\\b.* [A-Z]`));
  });

  it.each(commandNames)('of %s lists its options, each with what it means, and no other', command => {
    const help = textOf(command, '--help');

    for (const name of optionNames) {
      const line = new RegExp(`^ .*--${flagName(name)}(,.*)?\\s+[A-Z]`, 'm');
      expect(line.test(help), name).toBe((options[name].commands as readonly string[]).includes(command));
    }
  });

  it.each([40, 80, 100, 300])('fits into %i columns', columns => {
    for (const command of commandNames) {
      const { text } = parseCommandLine([command, '--help'], columns) as { text: string };
      expect(text.split('\n').filter(line => line.length > columns && line.includes(' '.repeat(8)))).toEqual([]);
    }
  });

  it('is there also where the rest of the line is wrong', () => {
    expect(textOf('server', '--help', '--nonsense')).toBe(textOf('server', '--help'));
  });
});

describe('the version', () => {
  it.each([[['--version']], [['server', '--version']], [['--version', 'server']], [['--version', '--json']]])(
    'is all that %j asks for: nothing is run',
    argv => {
      expect(textOf(...argv)).toBe(`nomad-bootstrap ${version}`);
    },
  );
});

describe('the completion', () => {
  it('is a script that bash understands', () => {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: textOf('completion'), encoding: 'utf8' });

    expect([status, stderr]).toEqual([0, '']);
  });

  it('offers the commands, then the options of the one that was typed', () => {
    expect(textOf('--get-yargs-completions', 'nomad-bootstrap', '').split('\n')).toEqual(
      expect.arrayContaining(commandNames),
    );
    expect(textOf('--get-yargs-completions', 'nomad-bootstrap', 'server', '--e').split('\n')).toEqual(
      expect.arrayContaining(['--expect', '--join', '--dry-run']),
    );
    expect(textOf('--get-yargs-completions', 'nomad-bootstrap', 'verify', '--').split('\n')).not.toContain('--expect');
  });

  it('completes a word in a shell that has read the script', () => {
    const folder = mkdtempSync(join(tmpdir(), 'completion-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'script'), textOf('completion'));
    writeFileSync(
      join(folder, 'nomad-bootstrap'),
      `#!/bin/sh\nexec ${process.execPath} ${process.cwd()}/bin/nomad-bootstrap.ts "$@"\n`,
      { mode: 0o755 },
    );
    const type = `
      source ${join(folder, 'script')}
      COMP_WORDS=(nomad-bootstrap ver) COMP_CWORD=1
      _nomad-bootstrap_yargs_completions
      echo "\${COMPREPLY[@]}"
    `;

    const { stdout } = spawnSync('bash', ['-c', type], {
      encoding: 'utf8',
      env: { PATH: `${folder}:${process.env['PATH']}` },
    });

    expect(stdout).toBe('verify\n');
  });
});

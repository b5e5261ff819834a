import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commands } from '../src/commands/index.ts';
import { flagName, namesOf, type OptionName, options, variableName } from '../src/config/options.ts';
import { recordPath } from '../src/config/record.ts';
import { exitCodes } from '../src/core/exit-codes.ts';
import { statPath } from '../src/host/files.ts';
import { main, type ProcessPort } from '../src/main.ts';
import { noTerminal } from '../src/reporters/terminal.ts';
import { version } from '../src/version.ts';
import { testClientToken, testServerToken } from './token/vectors.ts';

const root = 0;
const someone = 1000;
const rootCommands = Object.entries(commands).flatMap(([name, { root }]) => (root ? [name] : []));

/** Runs the program in this process, as this user, and without a terminal. */
async function run(
  argv: readonly string[],
  userId: number,
  environment: ProcessPort['environment'] = {},
  onSignal: ProcessPort['onSignal'] = () => {},
) {
  const written = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr') => ({
    terminal: noTerminal,
    write(text: string) {
      written[name] += text;
    },
  });
  const exitCode = await main({
    argv,
    environment,
    userId,
    stdout: output('stdout'),
    stderr: output('stderr'),
    onSignal,
  });
  return { exitCode, ...written };
}

function configFile(content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'main-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'nodes.yaml');
  writeFileSync(path, content);
  return path;
}

describe('asking', () => {
  it.each([[['--version']], [['server', '--version']]])('%j prints the version', async argv => {
    expect(await run(argv, someone)).toEqual({ exitCode: 0, stdout: `nomad-bootstrap ${version}\n`, stderr: '' });
  });

  it.each([[['--help']], [['help']], [['completion']], ...Object.keys(commands).map(name => [[name, '--help']])])(
    '%j prints on standard output and ends with 0, also without root',
    async argv => {
      const { exitCode, stdout, stderr } = await run(argv, someone, { NOMAD_BOOTSTRAP_NONSENSE: 'x' });

      expect([exitCode, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/nomad-bootstrap[\s\S]*\n$/);
    },
  );
});

describe('a command that needs root', () => {
  it.each(rootCommands)('is refused without it before anything else is looked at: %s', async command => {
    const argv = [command, '--config', '/nowhere/at/all.yaml'];

    const { exitCode, stdout, stderr } = await run(argv, someone, { NOMAD_BOOTSTRAP_NONSENSE: 'x' });

    expect([exitCode, stdout]).toEqual([exitCodes.unsupported, '']);
    expect(stderr).toMatch(`${command} needs root`);
    expect(stderr).toMatch(`sudo nomad-bootstrap ${command}`);
  });
});

describe('a plugin of Nagios', () => {
  it.each<[string, number, readonly string[], ProcessPort['environment'], RegExp]>([
    ['no root', someone, ['verify', '--format', 'nagios'], {}, /^NOMAD UNKNOWN - verify needs root; fix: /],
    [
      'an unknown flag',
      root,
      ['verify', '--format=nagios', '--onyl', 'x'],
      {},
      /^NOMAD UNKNOWN - Unknown argument: onyl/,
    ],
    [
      'an unknown check',
      root,
      ['verify', '--only', 'x|y'],
      { NOMAD_BOOTSTRAP_FORMAT: 'nagios' },
      /no check called x\/y/,
    ],
  ])('is told of %s by one line on standard output and exit code 3', async (_, user, argv, environment, line) => {
    const { exitCode, stdout, stderr } = await run(argv, user, environment);

    expect([exitCode, stderr]).toEqual([3, '']);
    expect(stdout).toMatch(line);
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stdout).not.toContain('|');
  });
});

describe('bad input', () => {
  // Should one of these be taken after all, then for a dry run.
  const server = ['server', '--dry-run'];

  it.each<[string, readonly string[], ProcessPort['environment'], RegExp]>([
    ['an unknown flag', [...server, '--expct', '3'], {}, /Unknown argument: expct/],
    ['an unknown command', ['sever'], {}, /there is no command "sever"/],
    ['no command', [], {}, /say what this node is to be/],
    ['a token on the command line', [...server, '--token', 'nbt-secret'], {}, /Unknown argument: token/],
    ['an address out of range', [...server, '--join', '10.0.0.256'], {}, /--join 10\.0\.0\.256: must list IPv4/],
    ['an address with a port', [...server, '--join', '10.0.0.1:4648'], {}, /must list IPv4/],
    ['a search without a tag', [...server, '--join', 'linode:region=us-east'], {}, /or be linode:tag=T/],
    [
      'a search for what is no address type',
      [...server, '--join', 'linode:tag=a,address-type=private_v6'],
      {},
      /--join linode:tag=a,address-type=private_v6: .* or be linode:tag=T/,
    ],
    ["a token of Linode's API on the command line", [...server, '--linode-token', 'x'], {}, /Unknown argument/],
    [
      "a file with a token of Linode's API that is not there",
      [...server, '--linode-token-file', '/nowhere'],
      {},
      /--linode-token-file \/nowhere cannot be read/,
    ],
    ['no servers', [...server, '--expect', '0'], {}, /--expect 0: must be at least 1/],
    ['a number in words', [...server, '--expect', 'three'], {}, /must be a whole number/],
    ['a value that is not there', [...server, '--expect='], {}, /--expect ?: must be a whole number/],
    ['a name with a quote', [...server, '--name', 'a"b'], {}, /--name a\\"b: must consist of/],
    ['a name with a line break', [...server, '--name', 'a\nb'], {}, /--name a\\nb: must consist of/],
    ['a name with a colour', [...server, '--name', '\u001b[31mred'], {}, /--name \\u001b\[31mred: must consist of/],
    ['a switch with a word', ['server', '--dry-run=perhaps'], {}, /--dry-run perhaps: must be true or false/],
    ['a setting given twice', [...server, '--name', 'a', '--name', 'b'], {}, /given more than once/],
    ['an unknown variable', server, { NOMAD_BOOTSTRAP_EXPCT: '3' }, /NOMAD_BOOTSTRAP_EXPCT is not a setting/],
    ['a variable with a bad value', server, { NOMAD_BOOTSTRAP_WAIT: 'long' }, /NOMAD_BOOTSTRAP_WAIT: ?long/],
    [
      'a --config file that is not there',
      [...server, '--config', '/nowhere/at.yaml'],
      {},
      /\/nowhere\/at\.yaml cannot be read: there is no such file/,
    ],
    ['a folder as --config file', [...server, '--config', '/etc'], {}, /\/etc cannot be read: it is a folder/],
    ['a device without end as --config file', [...server, '--config', '/dev/zero'], {}, /it is larger than 256 KiB/],
    ['a program as token file', ['token', 'client', '--token-file', process.execPath], {}, /it is larger than 16 KiB/],
    [
      'a text that is no token',
      ['token', 'client', '--token-file', '/etc/passwd'],
      {},
      /is no token of nomad-bootstrap/,
    ],
    [
      'a token file that is not there',
      ['token', 'client', '--token-file', '/nowhere'],
      {},
      /--token-file \/nowhere cannot be read/,
    ],
    ['no action', ['token'], {}, /say what token is to do/],
  ])('such as %s ends with 2, one message and a fix, and nothing is touched', async (_, argv, environment, message) => {
    const { exitCode, stdout, stderr } = await run(argv, root, environment);

    expect([exitCode, stdout]).toEqual([exitCodes.usage, '']);
    expect(stderr).toMatch(message);
    expect(stderr.split('\n').filter(line => line.startsWith('error: '))).toHaveLength(1);
    expect(stderr).toMatch(/^fix: .+/m);
    expect(stderr).not.toMatch(/^\s+at |nbt-secret/m);
    expect(stderr).not.toContain('\u001b');
  });

  it.each<[readonly string[], ProcessPort['environment']]>([
    [['token', 'client', '--token-file', testServerToken], {}],
    [['token', 'client'], { NOMAD_BOOTSTRAP_TOKEN_FILE: testServerToken }],
    [['server', '--join', testServerToken], {}],
    [['server', '--join', testClientToken, '--json'], {}],
    [['server', testServerToken], {}],
    [[testServerToken], {}],
    [['verify', '--format', 'nagios', testServerToken], {}],
  ])('such as a token in a wrong place is not repeated: line %#', async (argv, environment) => {
    const { exitCode, stdout, stderr } = await run(argv, root, environment);

    expect(exitCode === exitCodes.usage || argv.includes('nagios')).toBe(true);
    expect(stdout + stderr).toContain('[hidden]');
    expect(stdout + stderr).not.toMatch(/nb(server|client)1\./);
  });

  it.each(['e', 'type', 'failed', ' ', '\n'])(
    'such as %j for a token leaves the words of the rest alone',
    async token => {
      const { exitCode, stdout } = await run(['token', 'client', '--json'], root, { NOMAD_BOOTSTRAP_TOKEN: token });

      expect(exitCode).toBe(exitCodes.usage);
      expect(JSON.parse(stdout)).toMatchObject({ type: 'failed', code: 'bad-token' });
    },
  );

  it('such as a file that is no token is not said to hold one', async () => {
    const { exitCode, stderr } = await run(['token', 'client', '--token-file', '/etc/passwd'], root);

    expect(exitCode).toBe(exitCodes.usage);
    expect(stderr).not.toMatch(/chmod|everyone/);
  });

  it.each<[string, string, RegExp]>([
    ['is malformed', 'expect: [3', /not valid YAML/],
    ['is a list', '- expect: 3', /not a list of settings/],
    ['has an unknown key', 'expcet: 3', /unknown setting: "expcet"/],
    ['has a key that every object has', '__proto__: 3', /unknown setting: "__proto__"/],
    ['has a bad value', 'expect: 0', /expect in .*nodes\.yaml: ?0: must be at least 1/],
    ['has a list in place of a value', 'name: [a, b]', /given more than once/],
    ['has a list within a list', 'join: [[10.0.0.1]]', /must/],
    ['holds itself', 'join: &self [*self]', /not valid YAML/],
    [
      'grows without end',
      `a: &a [x]\n${'bcdefghij'.replace(/./g, '$&: &$& [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n')}`,
      /not valid YAML|unknown setting/,
    ],
    ['is binary', '\u0000\u0001\u0002', /not valid YAML|not a list/],
    ['holds two documents', 'expect: 3\n---\nexpect: 5', /not valid YAML/],
  ])('such as a --config file that %s ends with 2 and names the file', async (_, content, message) => {
    const path = configFile(content);

    const { exitCode, stderr } = await run(['server', '--dry-run', '--config', path], root);

    expect(exitCode).toBe(exitCodes.usage);
    expect(stderr).toMatch(message);
    expect(stderr).toContain(path);
  });

  it.each<[readonly string[], ProcessPort['environment']]>([
    [['server', '--json', '--expect', '0', '--dry-run'], {}],
    [['server', '--json=yes', '--nonsense'], {}],
    [['sever', '--json'], {}],
    [['verify', '--expect', '3'], { NOMAD_BOOTSTRAP_JSON: 'true' }],
    [['server', '--dry-run'], { NOMAD_BOOTSTRAP_JSON: '1', NOMAD_BOOTSTRAP_WAIT: 'x' }],
  ])('of %j %j is one event in JSON where JSON was asked for', async (argv, environment) => {
    const { exitCode, stdout, stderr } = await run(argv, root, environment);

    expect([exitCode, stderr]).toEqual([exitCodes.usage, '']);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line)),
    ).toEqual([
      expect.objectContaining({
        type: 'failed',
        code: expect.stringMatching(/^bad-/),
        message: expect.any(String),
        hint: expect.any(String),
      }),
    ]);
  });
});

describe('a signal', () => {
  it.each([
    ['SIGINT', 'interrupted', exitCodes.interrupted],
    ['SIGTERM', 'terminated', exitCodes.terminated],
  ] as const)('%s ends at once what changes nothing, however early it comes', async (signal, code, status) => {
    const { exitCode, stdout, stderr } = await run(['facts', '--json'], someone, {}, listener => listener(signal));

    expect([exitCode, stderr]).toEqual([status, '']);
    expect(JSON.parse(stdout)).toMatchObject({ type: 'failed', code });
  });
});

const isNode = (await statPath(recordPath)) !== undefined;

describe.skipIf(isNode)('verify on a machine that was never bootstrapped', () => {
  it('ends with 3 and says what to do first', async () => {
    const { exitCode, stdout, stderr } = await run(['verify'], root);

    expect([exitCode, stdout]).toEqual([exitCodes.unsupported, '']);
    expect(stderr).toMatch(/not bootstrapped[\s\S]*nomad-bootstrap server, client or dev/);
  });

  it('says so in JSON where JSON was asked for', async () => {
    const { exitCode, stdout, stderr } = await run(['verify', '--json'], root);

    expect([exitCode, stderr]).toEqual([exitCodes.unsupported, '']);
    expect(JSON.parse(stdout)).toMatchObject({ type: 'failed', code: 'not-bootstrapped' });
  });
});

describe('any command line', () => {
  const names = Object.keys(options) as OptionName[];
  const flags = names.flatMap(namesOf).flatMap(flag => [`--${flag}`, `--no-${flag}`]);
  const values = [
    '3',
    '0',
    '-1',
    '1e9',
    'true',
    '10.0.0.1',
    'a,b',
    'k=v',
    '=',
    '',
    '../..',
    '/',
    '/dev/null',
    '\u0000',
    'ü',
    '{}',
  ];
  const word = fc.oneof(
    fc.constantFrom(...flags, '--', '-x', '--=', 'constructor', '--__proto__'),
    fc.constantFrom(...values),
    fc.tuple(fc.constantFrom(...flags), fc.constantFrom(...values)).map(pair => pair.join('=')),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
  const variables = fc.dictionary(
    fc.oneof(
      fc.constantFrom(...names.map(variableName)),
      fc.string({ maxLength: 5 }).map(text => `NOMAD_BOOTSTRAP_${text}`),
    ),
    fc.oneof(fc.constantFrom(...values), fc.string({ unit: 'binary', maxLength: 20 })),
    { maxKeys: 3 },
  );

  function expectAnswer({ exitCode, stdout, stderr }: Awaited<ReturnType<typeof run>>): void {
    expect([0, 2, 3]).toContain(exitCode);
    expect(stdout + stderr).not.toMatch(/^\s+at .*:\d+|this is a bug/m);
    expect((stdout + stderr).length).toBeGreaterThan(0);
  }

  it('ends with 0, 2 or 3 without root, and never with a stack trace', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...rootCommands),
        fc.array(word, { maxLength: 5 }),
        variables,
        async (command, words, environment) => {
          expectAnswer(await run([command, ...words], someone, environment));
        },
      ),
      { numRuns: 80 },
    );
  });

  it.skipIf(isNode)('ends so too as root, where nothing was bootstrapped', async () => {
    const harmless = word.filter(text => !/timer|canary|timings/.test(text));
    const known = names.filter(name => (options[name].commands as readonly string[]).includes('verify'));
    const pair = fc
      .tuple(
        fc.constantFrom(...known.map(flagName).filter(flag => !/timer|canary|timings/.test(flag))),
        fc.constantFrom(...values),
      )
      .map(([flag, value]) => `--${flag}=${value}`);
    const harmlessVariables = variables.filter(record => !/TIMER|CANARY|TIMINGS/.test(Object.keys(record).join()));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(pair, harmless), { maxLength: 4 }),
        harmlessVariables,
        async (words, environment) => {
          expectAnswer(await run(['verify', ...words], root, environment));
        },
      ),
      { numRuns: 80 },
    );
  });

  it('and any --config file ends so as well', async () => {
    const scalar = fc.oneof(fc.constantFrom(...values), fc.integer(), fc.boolean(), fc.constant(null), fc.double());
    const content = fc.oneof(
      fc
        .dictionary(fc.constantFrom(...names.map(flagName)), fc.oneof(scalar, fc.array(scalar), fc.jsonValue()))
        .map(value => JSON.stringify(value)),
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc
        .array(
          fc.constantFrom('expect:', ' 3', '\n', '- ', '&a', '*a', '!x', '{', '}', '[', '?', '|', '"', "'", '#', '\t'),
        )
        .map(parts => parts.join('')),
    );
    const path = configFile('');
    await fc.assert(
      fc.asyncProperty(
        content.filter(text => !/timer|canary|timings/.test(text)),
        async text => {
          writeFileSync(path, text);
          // A command that goes no further than its settings, here.
          expectAnswer(await run(['verify', '--config', path], root));
        },
      ),
      { numRuns: isNode ? 0 : 80 },
    );
  });
});

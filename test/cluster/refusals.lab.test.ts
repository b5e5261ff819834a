import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namesOf, type OptionName, options, variableName } from '../../src/config/options.ts';
import { type Lab, type LabNode, openLab, whyNoLab } from '../lab/lab.ts';
import { bootstrap, eventsNamed, failure, freshNode, program, type Traces, touched, traces } from './bootstrap.ts';

const reason = whyNoLab();
if (reason !== undefined) process.stderr.write(`skipped: test/cluster/refusals.lab.test.ts: ${reason}\n`);

/** Whatever is understood after all is only looked at, and the lab's upstreams are trusted for that. */
function harmless(lab: Lab): Readonly<Record<string, string>> {
  const { flags } = lab.mirror.offer;
  const pairs = flags.flatMap((flag, at) => (at % 2 === 0 ? [[variableName(flag.slice(2)), flags[at + 1] ?? '']] : []));
  return { ...Object.fromEntries(pairs), NOMAD_BOOTSTRAP_DRY_RUN: 'true' };
}

const names = Object.keys(options) as OptionName[];
const values = fc.oneof(
  fc.constantFrom(
    ...[
      '3',
      '0',
      '-1',
      '1e9',
      'true',
      'no',
      'auto',
      'vlan',
      'eth0',
      '10.77.0.12',
      '10.77.0.0/24',
      'latest',
      '2.0.5',
      '2.00.5',
    ],
    ...[
      'web-1',
      'a b',
      'k=v',
      '=',
      '',
      '/',
      '../..',
      '/dev/null',
      '/etc',
      'https://x',
      '"',
      '\n',
      'ü',
      '__proto__',
      'a'.repeat(300),
    ],
  ),
  // What no argument of a program can hold is not among them.
  fc.string({ maxLength: 12 }).filter(text => !text.includes('\u0000')),
);
/** Neither what makes a dry run a real one, nor what writes a file that it is told to. */
const flags = names
  .filter(
    name => !['dryRun', 'timings', 'timer', 'canary', 'mirror', 'config', 'waitLock', 'wait', 'format'].includes(name),
  )
  .flatMap(namesOf);

/** A command line, variables, and what is in the --config file. Most are wrong; `token` and `facts` are not among them, which answer anybody. */
const anyInput = fc.record({
  argv: fc
    .tuple(
      fc.constantFrom('server', 'client', 'auto', 'dev', 'image', 'uninstall', 'verify', 'sever', ''),
      fc.array(
        fc.oneof(
          fc.constantFrom(...flags).map(flag => `--${flag}`),
          fc.tuple(fc.constantFrom(...flags), values).map(([flag, value]) => `--${flag}=${value}`),
          values,
        ),
        { maxLength: 4 },
      ),
      fc.constantFrom([], [], ['--config']),
    )
    .map(([command, words, config]) => [command, ...words, ...config])
    .filter(words => !words.some(word => /^--(?:no-)?(?:dry-?run|timings|timer|canary|mirror)|^--?$/i.test(word))),
  variables: fc.dictionary(
    fc.constantFrom(...flags.map(flag => variableName(flag))),
    values.filter(text => !/\n/.test(text)),
    { maxKeys: 2 },
  ),
  file: fc.oneof(
    fc
      .dictionary(
        fc.constantFrom(...flags),
        fc.oneof(values, fc.integer(), fc.boolean(), fc.constant(null), fc.array(values)),
      )
      .map(value => JSON.stringify(value)),
    fc.string({ unit: 'binary', maxLength: 40 }),
  ),
});

const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];

/** What a run that failed before its first change leaves: its log, and SQLite's register of who reads rpm's database. */
const notOurs = [/^\/var\/log(\/|$)/, /^\/var\/lib(\/rpm(\/rpmdb\.sqlite-(shm|wal))?)?$/];

describe.skipIf(reason !== undefined)('a fresh node', () => {
  let lab: Lab;
  let node: LabNode;
  let fresh: Traces;

  beforeAll(async () => {
    lab = await openLab();
    node = await freshNode(lab, { name: 'fresh', system: 'debian12' });
    await node.writeFile('/root/malformed.yaml', 'expect: [3\n');
    await node.writeFile('/root/unknown.yaml', 'expect: 3\nno-such-setting: 1\n');
    await node.writeFile('/root/list.yaml', '- expect\n');
    await node.writeFile('/root/binary.yaml', Buffer.from([0, 1, 255, 254]));
    fresh = await traces(node);
  });

  afterAll(() => lab?.close());

  const untouched = async () => touched(fresh, await traces(node));

  it('has no Node.js, and yet the executable says its version and the facts', async () => {
    const found = await node.exec([
      'find',
      '/',
      '-xdev',
      '-type',
      'f',
      '(',
      '-name',
      'node',
      '-o',
      '-name',
      'npm',
      ')',
    ]);
    expect(found.stdout).toBe('');

    expect((await node.exec([program, '--version'])).stdout).toMatch(/^nomad-bootstrap \d+\.\d+\.\d+\n$/);
    for (const user of [[], nobody]) {
      const facts = JSON.parse((await node.exec([...user, program, 'facts', '--json'])).stdout);
      expect(facts).toMatchObject({ os: { id: 'debian', versionId: '12', codename: 'bookworm' } });
      expect(JSON.stringify(facts)).toContain(node.vlanAddress);
    }
    expect(await untouched()).toEqual([]);
  });

  it.each<{ what: string; argv: readonly string[]; code: string; env?: Record<string, string> }>([
    { what: 'an unknown flag', argv: ['server', '--insecure', '--bogus'], code: 'bad-usage' },
    { what: 'an unknown command', argv: ['serve'], code: 'bad-usage' },
    { what: 'no command at all', argv: [], code: 'bad-usage' },
    { what: 'another command’s flag', argv: ['image', '--meta', 'a=b'], code: 'bad-usage' },
    { what: '--expect 0', argv: ['server', '--insecure', '--expect', '0'], code: 'bad-setting' },
    { what: '--expect many', argv: ['server', '--insecure', '--expect', 'many'], code: 'bad-setting' },
    { what: 'a bad address', argv: ['client', '--insecure', '--join', '10.0.0.999'], code: 'bad-setting' },
    { what: 'an address with a port', argv: ['client', '--insecure', '--join', '10.0.0.1:4647'], code: 'bad-setting' },
    { what: 'a quote in the name', argv: ['server', '--insecure', '--name', 'a"b'], code: 'bad-setting' },
    { what: 'a newline in the name', argv: ['server', '--insecure', '--name', 'a\nb'], code: 'bad-setting' },
    { what: 'a newline in the metadata', argv: ['dev', '--meta', 'a=b\nc'], code: 'bad-setting' },
    { what: 'an interpolation in the region', argv: ['dev', '--region', `$${'{env}'}`], code: 'bad-setting' },
    {
      what: 'a server that is not told of how many',
      argv: ['server', '--insecure', '--join', '10.77.0.99'],
      code: 'expect-missing',
    },
    { what: 'a client that is not told of servers', argv: ['client', '--insecure'], code: 'join-missing' },
    { what: 'a cluster without --insecure', argv: ['server'], code: 'insecure-not-said' },
    {
      what: 'an insecure cluster on the public address',
      argv: ['server', '--insecure', '--network', 'eth0'],
      code: 'insecure-network',
    },
    { what: 'a token', argv: ['dev'], env: { NOMAD_BOOTSTRAP_TOKEN: 'abc' }, code: 'wrong-token' },
    { what: 'a bad variable', argv: ['dev'], env: { NOMAD_BOOTSTRAP_EXPEKT: '3' }, code: 'bad-setting' },
    {
      what: 'a --config file that is not there',
      argv: ['dev', '--config', '/root/none.yaml'],
      code: 'bad-config-file',
    },
    { what: 'a --config file that is a folder', argv: ['dev', '--config', '/etc'], code: 'bad-config-file' },
    {
      what: 'a --config file that is no YAML',
      argv: ['dev', '--config', '/root/malformed.yaml'],
      code: 'bad-config-file',
    },
    {
      what: 'a --config file that is no text',
      argv: ['dev', '--config', '/root/binary.yaml'],
      code: 'bad-config-file',
    },
    { what: 'a --config file without settings', argv: ['dev', '--config', '/root/list.yaml'], code: 'bad-config-file' },
    { what: 'an unknown setting', argv: ['dev', '--config', '/root/unknown.yaml'], code: 'bad-config-file' },
  ])('is not touched by $what: exit 2, one error, one fix', async ({ argv, code, env = {} }) => {
    const { exitCode, stdout, stderr } = await node.exec([program, ...argv], { check: false, env });

    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    const lines = stderr.split('\n').filter(line => /^(error|fix): /.test(line));
    expect(lines).toEqual([
      expect.stringMatching(new RegExp(`^error: .+ \\[${code}\\]$`)),
      expect.stringMatching(/^fix: .+/),
    ]);
    expect(await untouched()).toEqual([]);
  });

  it('is not touched by 200 command lines, variables and --config files of any kind: refused in words, soon, and never with a stack trace', async () => {
    await node.exec(['mkdir', '-p', '/root/fuzz']);
    const inputs = fc.sample(anyInput, 200);
    for (const [at, { file }] of inputs.entries()) await node.writeFile(`/root/fuzz/${at}.yaml`, file);
    const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
    const lines = inputs.map(({ argv, variables }, at) => {
      const words = [program, ...argv, ...(argv.includes('--config') ? [`/root/fuzz/${at}.yaml`] : [])];
      const given = Object.entries({ ...variables, ...harmless(lab) }).map(([name, value]) => `${name}=${value}`);
      return `timeout -k 5 60 env ${[...given, ...words].map(quoted).join(' ')} >/root/fuzz/${at}.out 2>&1 </dev/null; echo "${at} $?"`;
    });
    await node.writeFile('/root/fuzz/run.sh', `${lines.join('\n')}\n`);
    await node.exec(['sh', '-c', 'for i in $(seq 0 199); do : >/root/fuzz/$i.out; done']);
    const before = await traces(node, ['/root/fuzz']);

    const { stdout } = await node.exec(['sh', '/root/fuzz/run.sh']);

    expect(touched(before, await traces(node, ['/root/fuzz']))).toEqual([]);
    const answers = stdout.trim().split('\n');
    expect(answers).toHaveLength(200);
    for (const answer of answers) {
      const [at = '', exitCode] = answer.split(' ');
      const told = (await node.readFile(`/root/fuzz/${at}.out`)).toString();
      const asked = `${lines[Number(at)]}\n${told}`;
      // 0: a dry run of settings that are right after all; 1: a version that there is not. 124 would be a hang, 70 a bug.
      expect(['0', '1', '2', '3'], asked).toContain(exitCode);
      expect(told, asked).not.toMatch(/^\s+at .*:\d+|this is a bug/m);
      expect(told, asked).not.toBe('');
      if (exitCode !== '0') expect(told, asked).toMatch(/"type":"failed"|^error: [\s\S]+^fix: .+/m);
    }
    await node.exec(['rm', '-r', '/root/fuzz']);
    fresh = await traces(node);
  });

  it.each([['server', '--insecure'], ['verify'], ['image'], ['dev', '--dry-run']])(
    'is not touched by %s of somebody who is not root: exit 3',
    async (...argv) => {
      const { exitCode, stderr } = await node.exec([...nobody, program, ...argv], { check: false });

      expect([exitCode, stderr]).toEqual([3, expect.stringMatching(/^error: .* needs root \[not-root\]\nfix: .*sudo/)]);
      expect(await untouched()).toEqual([]);
    },
  );

  it.each([
    { name: 'Alpine Linux', release: 'ID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"\n' },
    {
      name: 'CentOS Linux 7',
      release: 'ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\nPRETTY_NAME="CentOS Linux 7"\n',
    },
    { name: 'Debian 10', release: 'ID=debian\nVERSION_ID="10"\nVERSION_CODENAME=buster\nPRETTY_NAME="Debian 10"\n' },
  ])('is not touched where it is $name: exit 3, with the reason', async ({ release }) => {
    const file = '/usr/lib/os-release';
    const own = await node.readFile(file);
    await node.writeFile(file, release);
    const before = await traces(node);
    try {
      const run = await bootstrap(node, ['dev']);

      expect([run.exitCode, failure(run)]).toMatchObject([
        3,
        { code: 'unsupported-os', hint: expect.stringContaining('Debian 12') },
      ]);
      expect(touched(before, await traces(node))).toEqual([]);
    } finally {
      await node.writeFile(file, own);
    }
    fresh = await traces(node);
  });

  it('is told which address failed and of --mirror when no upstream can be reached, and gets nothing but the log', async () => {
    const repair = await lab.mirror.break({ kind: 'reset' });
    const run = await bootstrap(node, ['server', '--insecure', ...lab.mirror.offer.flags]);
    await repair();

    expect(run.exitCode).toBe(1);
    expect(failure(run)).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('https://apt.releases.hashicorp.com/'),
      hint: expect.stringContaining('--mirror'),
    });
    expect((await untouched()).filter(path => !path.startsWith('/var/log'))).toEqual([]);
  });

  it.each([
    { what: 'HashiCorp’s key was replaced', system: 'debian12', kind: 'rotated-key' },
    { what: 'the key is none of HashiCorp’s', system: 'rocky9', kind: 'wrong-key' },
  ] as const)('trusts nothing and names the key where $what ($system)', async ({ system, kind }) => {
    const other = system === 'debian12' ? node : await freshNode(lab, { name: 'other', system });
    const before = await traces(other);
    const repair = await lab.mirror.break({ kind });
    const run = await bootstrap(other, ['image', '--docker', 'none', ...lab.mirror.offer.flags]);
    await repair();

    expect(run.exitCode).toBe(1);
    expect(failure(run)).toMatchObject({
      code: 'key-not-accepted',
      message: expect.stringMatching(/[0-9A-F]{40}/),
      hint: expect.stringContaining('--hashicorp-key-fingerprint'),
    });
    expect(touched(before, await traces(other), notOurs)).toEqual([]);
  });

  it('takes everything from a mirror that is named with --mirror, also from another suite where its own is missing', async () => {
    const newer = await freshNode(lab, { name: 'newer', system: 'debian13' });
    await lab.mirror.forgetRequests();
    const repair = await lab.mirror.break({
      kind: 'status',
      status: 404,
      host: 'apt.releases.hashicorp.com',
      path: '/dists/trixie',
    });

    const run = await bootstrap(newer, ['image', '--mirror', 'https://mirror.lab', ...lab.mirror.offer.flags]);
    await repair();

    expect([run.exitCode, failure(run)]).toEqual([0, undefined]);
    const hosts = (await lab.mirror.requests()).map(({ host }) => host);
    expect([...new Set(hosts)].sort()).toEqual(['archive.lab', 'mirror.lab']);
    const source = await newer.readFile('/etc/apt/sources.list.d/hashicorp.sources');
    expect(source).toContain('URIs: https://mirror.lab/apt.releases.hashicorp.com\n');
    expect(source).toContain('Suites: bookworm\n');
    expect(eventsNamed(run, 'notice').map(({ message }) => message)).toContainEqual(
      expect.stringContaining('taking that of bookworm'),
    );
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, type LabNode, openLab, whyNoLab } from '../lab/lab.ts';
import { bootstrap, eventsNamed, failure, freshNode, program, type Traces, touched, traces } from './bootstrap.ts';

const reason = whyNoLab();
if (reason !== undefined) process.stderr.write(`skipped: test/cluster/refusals.lab.test.ts: ${reason}\n`);

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

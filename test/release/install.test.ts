import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRelease, serveFolder, type WebServer } from './release.ts';

/** A machine of one's own: root, with an empty /usr/local of this size, and the programs that are named (default: all). */
interface Machine {
  readonly shell?: readonly string[];
  readonly size?: string;
  readonly programs?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly arguments?: readonly string[];
  /** What is done afterwards, to look at what was left. */
  readonly afterwards?: string;
}

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What every machine has; curl, wget, xz and gzip are chosen. */
const basics = [
  'sh',
  'cat',
  'chmod',
  'cut',
  'id',
  'ls',
  'mkdir',
  'mktemp',
  'mv',
  'rm',
  'sha256sum',
  'tee',
  'sleep',
  'stat',
  'uname',
];
const shells = [['dash'], ['bash', '--posix'], ['bash'], ['busybox', 'sh']];
const programs = ['bash', 'busybox', 'curl', 'dash', 'gzip', 'wget', 'xz'];
const mayBecomeRoot = spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'true']).status === 0;
const obstacles = [
  ...programs.filter(program => spawnSync('which', [program]).status !== 0).map(program => `${program} is missing`),
  ...(mayBecomeRoot ? [] : ['this user may not make user namespaces']),
];

let folder: string;
let release: string;
let web: WebServer;
let script: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'release-'));
  release = path.join(folder, 'served');
  mkdirSync(release);
  web = await serveFolder(release);
  // Says how it was called, and what it can read: nothing of the script that is still to come.
  const program = '#!/bin/sh\necho "ran with: $*"; echo "read: $(cat)"\nexit 7\n';
  makeRelease(release, `${web.url}/some/where/`, Buffer.from(`${program}# ${'x'.repeat(300_000)}\n`));
  script = readFileSync(path.join(release, 'install.sh'), 'utf8');
});

afterAll(() => {
  web.server.close();
  rmSync(folder, { recursive: true });
});

let machines = 0;

function run(machine: Machine = {}, text = script): Promise<Outcome> {
  machines += 1;
  const bin = path.join(folder, `bin${machines}`);
  mkdirSync(bin);
  for (const program of machine.programs ?? [...basics, 'curl', 'xz', 'gzip']) {
    symlinkSync(spawnSync('which', [program], { encoding: 'utf8' }).stdout.trim(), path.join(bin, program));
  }
  for (const [name, content] of Object.entries(machine.files ?? {})) {
    rmSync(path.join(bin, name), { force: true });
    writeFileSync(path.join(bin, name), content);
    chmodSync(path.join(bin, name), 0o755);
  }
  const [shell = 'sh', ...shellOptions] = machine.shell ?? ['dash'];
  const shellPath = spawnSync('which', [shell], { encoding: 'utf8' }).stdout.trim();
  const afterwards = machine.afterwards ?? 'true';
  const inside = `mount -t tmpfs -o size=${machine.size ?? '4m'},mode=755 tmpfs /usr/local
status=0
env -i PATH="$0" "$@" || status=$?
${afterwards}
exit $status`;
  const environment = Object.entries(machine.environment ?? {}).map(([name, value]) => `${name}=${value}`);
  const command = [shellPath, ...shellOptions, '-s', '--', ...(machine.arguments ?? [])];
  const child = spawn('unshare', [
    ...['--user', '--map-root-user', '--mount', 'sh', '-c', inside, bin],
    ...environment,
    ...command,
  ]);
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  child.stdin.on('error', () => undefined); // a shell that has ended reads no more
  child.stdin.end(text);
  return new Promise(resolve => child.on('close', status => resolve({ status, ...output })));
}

if (obstacles.length > 0) process.stderr.write(`skipped: install.sh: ${obstacles.join(', ')}\n`);

describe.skipIf(obstacles.length > 0)('install.sh', () => {
  it.each(shells)(
    'installs, and runs what follows with the words as they are and nothing to read, in %s',
    async (...shell) => {
      const outcome = await run({
        shell,
        arguments: ['server', '--meta', 'motto=two  words', '*'],
        afterwards: 'stat -c "%a %u %n" /usr/local/bin/* /usr/local/bin; ls -A /usr/local/bin',
      });

      expect(outcome.stderr).toBe(
        `nomad-bootstrap: downloading ${web.url}/some/where/nomad-bootstrap-linux-amd64.xz\n`,
      );
      expect(outcome.stdout).toBe(
        'ran with: server --meta motto=two  words *\nread: \n755 0 /usr/local/bin/nomad-bootstrap\n755 0 /usr/local/bin\nnomad-bootstrap\n',
      );
      expect(outcome.status).toBe(7);
    },
  );

  it('only installs when there are no arguments, and says how to go on', async () => {
    const outcome = await run({ afterwards: 'ls -A /usr/local/bin' });

    expect(outcome).toMatchObject({ status: 0, stdout: 'nomad-bootstrap\n' });
    expect(outcome.stderr).toContain('nomad-bootstrap --help');
  });

  it.each([
    ['wget and xz', ['wget', 'xz'], '.xz'],
    ['wget and gzip', ['wget', 'gzip'], '.gz'],
    ['curl and gzip', ['curl', 'gzip'], '.gz'],
  ])('does with %s', async (_, programs, suffix) => {
    const outcome = await run({ programs: [...basics, ...programs], arguments: ['facts'] });

    expect(outcome).toMatchObject({ status: 7, stdout: 'ran with: facts\nread: \n' });
    expect(web.requests.at(-1)).toBe(`/some/where/nomad-bootstrap-linux-amd64${suffix}`);
  });

  it("does with busybox's programs for all but the download", async () => {
    const applet = (name: string) => [name, `#!/bin/busybox sh\nexec busybox ${name} "$@"\n`] as const;
    const names = ['xz', 'sha256sum', 'tee', 'mktemp', 'cut', 'uname', 'id', 'mv', 'rm', 'mkdir', 'chmod'];
    const outcome = await run({
      shell: ['busybox', 'sh'],
      programs: ['busybox', 'cat', 'curl'],
      files: Object.fromEntries(names.map(applet)),
      arguments: ['facts'],
    });

    expect(outcome).toMatchObject({ status: 7, stdout: 'ran with: facts\nread: \n' });
  });

  it('downloads nothing when the same executable is installed already', async () => {
    const before = web.requests.length;
    const outcome = await run({ arguments: ['one'], afterwards: `env -i PATH="$0" sh ${release}/install.sh two` });

    expect(outcome.stdout).toBe('ran with: one\nread: \nran with: two\nread: \n');
    expect(web.requests.slice(before)).toEqual(['/some/where/nomad-bootstrap-linux-amd64.xz']);
  });

  it('takes the executables from the place that RELEASE_URL names', async () => {
    await run({ environment: { RELEASE_URL: `${web.url}/elsewhere` }, arguments: ['facts'] });

    expect(web.requests.at(-1)).toBe('/elsewhere/nomad-bootstrap-linux-amd64.xz');
  });

  it.each(['curl', 'wget'])('goes through the proxy that the environment names, with %s', async fetcher => {
    const outcome = await run({
      programs: [...basics, fetcher, 'xz'],
      environment: { http_proxy: web.url, RELEASE_URL: 'http://release.invalid' },
      arguments: ['facts'],
    });

    expect(outcome.status).toBe(7);
    expect(web.requests.at(-1)).toBe('http://release.invalid/nomad-bootstrap-linux-amd64.xz');
  });

  it.each(['curl', 'wget'])('hands the token over, and not to %s', async fetcher => {
    const told = '#!/bin/sh\nexport -p >&2\nexit 22\n';
    const outcome = await run({
      programs: basics,
      files: { [fetcher]: told, sleep: '#!/bin/sh\n' },
      environment: { NOMAD_BOOTSTRAP_TOKEN: 'test-vector', NOMAD_BOOTSTRAP_EXPECT: '3' },
    });

    expect(outcome.stderr).toMatch(/NOMAD_BOOTSTRAP_EXPECT='?3/);
    expect(outcome.stderr).not.toContain('test-vector');
  });

  it('takes the executable for the processor', async () => {
    const uname = '#!/bin/sh\ncase $1 in -m) echo aarch64 ;; -s) echo Linux ;; esac\n';
    await run({ files: { uname }, arguments: ['facts'] });

    expect(web.requests.at(-1)).toBe('/some/where/nomad-bootstrap-linux-arm64.xz');
  });

  describe('refuses, downloads nothing and leaves nothing', () => {
    it.each([
      [
        'another processor',
        { files: { uname: '#!/bin/sh\ncase $1 in -m) echo riscv64 ;; -s) echo Linux ;; esac\n' } },
        3,
        'no executable for riscv64',
      ],
      ['another system', { files: { uname: '#!/bin/sh\necho FreeBSD\n' } }, 3, 'not Linux'],
      ['a user who is not root', { files: { id: '#!/bin/sh\necho 1000\n' } }, 3, 'needs root'],
      ['a machine without curl and wget', { programs: basics }, 3, 'neither curl nor wget'],
    ])('%s', async (_, machine, status, reason) => {
      const before = web.requests.length;
      const outcome = await run({ ...machine, arguments: ['server'], afterwards: 'ls -AR /usr/local' });

      expect(outcome.status).toBe(status);
      expect(outcome.stderr).toContain(reason);
      expect(outcome.stderr).toMatch(/^nomad-bootstrap: fix: /m);
      expect(outcome.stdout).toBe('/usr/local:\n');
      expect(web.requests.length).toBe(before);
    });
  });

  describe('runs nothing and leaves nothing when', () => {
    const afterwards = 'ls -AR /usr/local';
    const clean = '/usr/local:\nbin\n\n/usr/local/bin:\n';

    it.each(['curl', 'wget'])('the release is not there, which %s says', async fetcher => {
      const outcome = await run(
        {
          programs: [...basics, fetcher, 'xz'],
          files: { sleep: '#!/bin/sh\n' },
          environment: { RELEASE_URL: `${web.url}/gone` },
          arguments: ['server'],
          afterwards,
        },
        script.replaceAll('.xz', '.zz'),
      );

      expect(outcome).toMatchObject({ status: 1, stdout: clean });
      expect(outcome.stderr.match(/trying again/g)).toHaveLength(2);
      expect(outcome.stderr).toContain('nomad-bootstrap-linux-amd64.zz did not arrive');
    });

    it('nobody answers, after a minute of asking', async () => {
      const outcome = await run({
        files: { sleep: '#!/bin/sh\n' },
        environment: { RELEASE_URL: 'http://127.0.0.1:1' },
        arguments: ['server'],
        afterwards,
      });

      expect(outcome).toMatchObject({ status: 1, stdout: clean });
      const pauses = [...outcome.stderr.matchAll(/trying again in (\d+) s/g)].map(match => Number(match[1]));
      expect(pauses.reduce((sum, pause) => sum + pause, 0)).toBe(60);
    });

    it.each([
      ['the archive', /(amd64\.xz\) echo )[0-9a-f]/, 'is not what it should be; it was thrown away'],
      ['the executable in it', /(amd64\) echo )[0-9a-f]/, 'no room for the executable'],
    ])('%s has another digest', async (_, pattern, reason) => {
      const other = script.replace(pattern, (text, before: string) => before + (text.endsWith('0') ? '1' : '0'));
      const outcome = await run({ arguments: ['server'], afterwards }, other);

      expect(outcome).toMatchObject({ status: 1, stdout: clean });
      expect(outcome.stderr).toContain(reason);
    });

    it.each([
      ['the download', '4k', 'curl'],
      ['the executable', '256k', 'curl'],
      ['the executable', '256k', 'wget'],
    ])('there is no room for %s on a disk of %s, with %s', async (what, size, fetcher) => {
      // A file system of one page is the smallest there is: the folders take none, the first byte of a file does.
      const outcome = await run(
        {
          programs: [...basics, fetcher, 'xz', 'gzip'],
          size,
          arguments: ['server'],
          afterwards,
        },
        size === '4k' ? script.replace('.XXXXXX")', '.XXXXXX"); echo full >"$work/ballast"') : script,
      );

      expect(outcome).toMatchObject({ status: 1, stdout: clean });
      expect(outcome.stderr).toContain(`no room for ${what}`);
    });
  });

  it.each([
    { name: 'install.sh', every: 100, first: 'uname -s' },
    { name: 'bundle.sh', every: 300, first: 'id -u' },
  ])(
    'executes nothing when its own download is cut off, wherever that is: $name',
    ({ name, every, first }) => {
      const whole = readFileSync(path.join(release, name), 'utf8').trimEnd();
      const witness = path.join(folder, `executed-${name}`);
      const cuts: string[] = [];
      for (let end = 0; end < whole.length - 2; end += every) cuts.push(whole.slice(0, end));
      // And at every byte of the last lines, where a whole command could be left.
      for (let end = whole.length - 59; end < whole.length - 1; end += 1) cuts.push(whole.slice(0, end));
      const trap = `#!/bin/sh\necho "$0 $*" >>${witness}\n`;
      const bin = path.join(folder, `traps-${name}`);
      mkdirSync(bin);
      for (const program of [...basics, 'curl', 'wget', 'xz', 'gzip', 'cut']) {
        writeFileSync(path.join(bin, program), trap, { mode: 0o755 });
      }
      expect(cuts.length).toBeGreaterThan(90);
      for (const shell of shells) {
        const [program = '', ...options] = shell;
        const shellPath = spawnSync('which', [program], { encoding: 'utf8' }).stdout.trim();
        for (const cut of cuts) spawnSync(shellPath, [...options, '-s', 'server'], { input: cut, env: { PATH: bin } });
      }
      expect(existsSync(witness)).toBe(false);

      // The whole of it does run them: the traps work.
      spawnSync('/bin/sh', ['-s', 'server'], { input: whole, env: { PATH: bin } });
      expect(readFileSync(witness, 'utf8')).toContain(first);
    },
    120_000,
  );
});

describe('a release', () => {
  const linter = spawnSync('shellcheck', ['--version']).status === 0;
  if (!linter) process.stderr.write('skipped: shellcheck is missing\n');
  it.skipIf(!linter)('has scripts that shellcheck has no complaint of, and so are the ones that nodes get', () => {
    const bundle = readFileSync(path.join(release, 'bundle.sh'), 'utf8');
    const [, opener = ''] = /<<'OPENER'\n(.*?)^OPENER$/ms.exec(bundle) ?? [];
    expect(opener).toContain('tar -xf');
    writeFileSync(path.join(folder, 'opener.sh'), `#!/bin/sh\n${opener}`);
    const scripts = ['install.sh', 'stackscript.sh', 'bundle.sh', '../opener.sh'].map(name => path.join(release, name));
    const others = [
      'systemd/nomad-bootstrap-peers.sh',
      'systemd/nomad-bootstrap-consul-servers.sh',
      'deploy/cloud-init/user-data.sh',
    ];
    const { status, stdout, error } = spawnSync('shellcheck', [...scripts, ...others], { encoding: 'utf8' });

    expect({ error, stdout, status }).toEqual({ error: undefined, stdout: '', status: 0 });
  });

  it('asks in the StackScript for what its environment then gives, under names that Linode takes', () => {
    const text = readFileSync(path.join(release, 'stackscript.sh'), 'utf8');
    const fields = [
      ...text.matchAll(
        /^# <UDF name="(\w+)" label="([^"]+)"( oneOf="[^"]+")?( example="[^"]+")? default="[^"]*" \/>$/gm,
      ),
    ];

    expect(fields.length).toBe([...text.matchAll(/<UDF/g)].length);
    expect(fields.length).toBeGreaterThan(8);
    for (const [, name = ''] of fields) {
      expect(name.length).toBeLessThan(64);
      expect(text, name).toContain(`${'$'}{${name.toUpperCase()}:-`);
    }
    // Linode takes scripts up to this size.
    expect(text.length).toBeLessThan(65_535);
    expect(text.startsWith('#!/bin/bash\n')).toBe(true);
  });

  it('is nothing but files that any web server serves', () => {
    expect(readdirSync(release).sort()).toEqual([
      'SHA256SUMS',
      'bundle.sh',
      'install.sh',
      'nomad-bootstrap-linux-amd64',
      'nomad-bootstrap-linux-amd64.gz',
      'nomad-bootstrap-linux-amd64.xz',
      'nomad-bootstrap-linux-arm64',
      'nomad-bootstrap-linux-arm64.gz',
      'nomad-bootstrap-linux-arm64.xz',
      'stackscript.sh',
    ]);
  });

  it.each([
    [[], 'say which file to make'],
    [['--nomad-version', '2.0.5'], '--nomad-version is no file'],
  ])('has a bundle.sh that refuses %j', (words, reason) => {
    const { status, stderr } = spawnSync('sh', [path.join(release, 'bundle.sh'), ...words], { encoding: 'utf8' });

    expect([status, stderr]).toEqual([2, expect.stringContaining(reason)]);
    expect(stderr).toContain('fix: ');
  });

  it('refuses an address that a shell would take apart', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/release.ts', release, 'https://x/$(reboot)'], {
      encoding: 'utf8',
    });

    expect(status).toBe(1);
    expect(stderr).toContain('not fit for a shell script');
  });
});

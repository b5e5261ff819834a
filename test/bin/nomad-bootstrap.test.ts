import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isRoot, mayMount } from '../support/privileges.ts';

const executable = join(process.cwd(), 'dist/nomad-bootstrap');
/** Of nobody's account: without root where the tests run as root. */
const nobody = isRoot ? { uid: 65534, gid: 65534 } : {};

function run(
  argv: readonly string[],
  options: { readonly env?: Record<string, string>; readonly asNobody?: true } = {},
) {
  const { env = {}, asNobody } = options;
  const { status, stdout, stderr } = spawnSync(executable, argv, {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', ...env },
    ...(asNobody ? nobody : {}),
  });
  return { status, stdout, stderr };
}

function shell(script: string) {
  const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', program: executable },
  });
  return { status, stdout, stderr };
}

describe('the executable', () => {
  it.each([
    ['server', '--expct', '3'],
    ['sever'],
    ['facts', '--color=maybe'],
    ['token', 'create', '--datacenter', 'a b'],
  ])('ends with 2 and one clear message for %j %j %j %j', (...argv) => {
    const { status, stdout, stderr } = run(argv);

    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^error: .+ \[bad-\w+\]\nfix: .+\n$/);
  });

  it('opens no debugger at SIGUSR1, which Node.js would, and goes on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nomad-bootstrap-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const pipe = join(folder, 'token');
    spawnSync('mkfifo', ['-m', '0600', pipe]);
    const child = spawn(executable, ['token', 'client', '--token-file', pipe]);
    const said: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk));

    // Opening it waits for the executable to read.
    const token = await open(pipe, 'w');
    child.kill('SIGUSR1');
    await new Promise(resolve => setTimeout(resolve, 500));
    await token.writeFile('none');
    await token.close();

    expect(await once(child, 'close')).toEqual([2, null]);
    expect(Buffer.concat(said).toString()).toMatch(/^error: .+\[bad-token\]\nfix: .+\n$/);
  });

  it('ends with 3 without root, before its --config file is read or its variables are judged', () => {
    const { status, stderr } = run(['server', '--config', '/nowhere.yaml'], {
      env: { NOMAD_BOOTSTRAP_NONSENSE: 'x' },
      asNobody: true,
    });

    expect(status).toBe(3);
    expect(stderr).toMatch(/^error: server needs root \[not-root\]\nfix: .*sudo/);
  });

  it('tells the facts without root, and without a home, a path or a language', () => {
    const { status, stdout } = spawnSync(executable, ['facts', '--json'], { encoding: 'utf8', env: {}, ...nobody });

    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toHaveProperty('os');
  });

  it('is content with a reader that goes away, and with one that is not there', () => {
    expect(shell('set -o pipefail; "$program" --help | head -1')).toEqual({
      status: 0,
      stdout: 'nomad-bootstrap <command> [options]\n',
      stderr: '',
    });
    expect(shell('set -o pipefail; "$program" server --help | true').status).toBe(0);
    expect(shell('"$program" --help >&-').status).toBe(0);
    expect(shell('"$program" --nonsense 2>&-').status).toBe(2);
  });

  it.each(['token create', 'facts --json', 'completion', '--help', '--version'])(
    'says that its answer could not be written, and ends with 1: %s',
    command => {
      expect(shell(`"$program" ${command} </dev/null >/dev/full`)).toEqual({
        status: 1,
        stdout: '',
        stderr: expect.stringMatching(/^error: standard output could not be written: .*ENOSPC.*\nfix: .+\n$/),
      });
      // What is worse than that is told as ever.
      expect(shell('"$program" --nonsense >/dev/full').status).toBe(2);
    },
  );

  it('says nothing of what a --config file makes its parser remark', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bin-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'c.yaml'), 'expect: !unknown 0\n', { mode: 0o644 });

    const { stderr } = run(['server', '--dry-run', '--config', join(folder, 'c.yaml')]);

    expect(stderr.trimEnd().split('\n')).toHaveLength(2);
  });

  it('works in a folder that is gone', () => {
    expect(shell('cd "$(mktemp -d)" && rmdir "$PWD" && exec "$program" facts --json').status).toBe(0);
  });
});

describe('a bug', () => {
  it('that nobody waits for ends with 70 and its trace', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [
        '--import',
        'data:text/javascript,setTimeout(() => { throw new Error("unforeseen") })',
        'bin/nomad-bootstrap.ts',
        'facts',
      ],
      { encoding: 'utf8' },
    );

    expect(status).toBe(70);
    expect(stderr).toMatch(/^error: this is a bug in nomad-bootstrap: Error: unforeseen\n\s+at /);
  });
});

/**
 * Root on a copy of this machine on which nothing can be changed but what is in memory: /etc, /run, /var/lib and /var/log.
 * No network.
 */
const sandbox = `
  set -e
  mount --make-rprivate /
  mount -t tmpfs tmpfs /mnt
  for folder in etc var/lib var/log; do
    mkdir -p /mnt/$folder/upper /mnt/$folder/work
    mount -t overlay overlay -o lowerdir=/$folder,upperdir=/mnt/$folder/upper,workdir=/mnt/$folder/work /$folder
  done
  mount -t tmpfs tmpfs /run
  mount -o bind,remount,ro /
`;

function inSandbox(script: string): ChildProcessWithoutNullStreams {
  const child = spawn('unshare', ['--mount', '--net', 'bash', '--norc', '-c', `${sandbox}\n${script}`], {
    env: { PATH: process.env['PATH'] ?? '', program: executable },
    detached: true,
  });
  onTestFinished(() => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // It has ended.
    }
  });
  return child;
}

/** What a child said so far, and how it ended. */
function watch(child: ChildProcessWithoutNullStreams) {
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', chunk => {
      said[name] += chunk;
    });
  }
  return {
    result: once(child, 'close').then(([status]) => ({ status: status as number | null, ...said })),
    async until(pattern: RegExp): Promise<RegExpExecArray> {
      for (let tried = 0; tried < 500; tried += 1) {
        const found = pattern.exec(said.stderr);
        if (found !== null) return found;
        await new Promise(resolve => setTimeout(resolve, 20));
      }
      throw new Error(`never said: ${pattern}; but: ${said.stderr}`);
    },
  };
}

describe.skipIf(!mayMount)('the executable, as root', () => {
  const held =
    'exec 9>>/run/nomad-bootstrap.lock; echo -n "nomad-bootstrap client (process 1, since today)" >&9; flock 9;';

  /** A run that waits for another to end. */
  async function waitingRun() {
    const waiting = watch(
      inSandbox(`${held} "$program" server --insecure --wait-lock 600 9>&- & echo "pid $!" >&2; wait $!`),
    );
    const [, pid] = await waiting.until(/^pid (\d+)$/m);
    await waiting.until(/waiting for nomad-bootstrap client/);
    return { pid: Number(pid), result: waiting.result };
  }

  it('ends with 4 while another run is under way, and says which', async () => {
    const { status, stdout, stderr } = await watch(inSandbox(`${held} "$program" server --insecure 9>&-`)).result;

    expect([status, stdout]).toEqual([4, '']);
    expect(stderr).toMatch(/^error: nomad-bootstrap client \(process 1, since today\) is under way/m);
    expect(stderr).toMatch(/--wait-lock/);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends at %s with %i while it waits', async (signal, status) => {
    const { pid, result } = await waitingRun();

    process.kill(pid, signal);

    expect(await result).toMatchObject({ status });
  });

  it('goes on when its terminal is closed', async () => {
    const { pid, result } = await waitingRun();

    process.kill(pid, 'SIGHUP');
    await new Promise(resolve => setTimeout(resolve, 300));
    process.kill(pid, 'SIGINT');

    expect(await result).toMatchObject({ status: 130 });
  });

  const notWritten = /^error: \/etc\/nomad-bootstrap\/settings\.json is not what nomad-bootstrap wrote/m;

  it.each([
    ['damaged', 'echo "{" >', 3, notWritten],
    ['a folder', 'mkdir', 3, notWritten],
    ['a link that leads nowhere', 'ln -s nowhere', 3, notWritten],
    ['a link to itself', 'ln -s settings.json', 1, /^error: a file could not be read: ELOOP.*settings\.json.*\nfix: /m],
  ])('never takes a node for a fresh machine because its record is %s', async (_name, make, code, words) => {
    const record = `mkdir -p /etc/nomad-bootstrap; ${make} /etc/nomad-bootstrap/settings.json`;

    for (const command of ['server --insecure', 'verify']) {
      const { status, stderr } = await watch(inSandbox(`${record}; exec "$program" ${command}`)).result;
      expect(status).toBe(code);
      expect(stderr).toMatch(words);
    }
  });

  it('leaves no trace of what it refuses', async () => {
    const refusals = `
      "$program" server --expect 0 || test $? = 2
      "$program" verify || test $? = 3
    `;
    const { status, stdout } = await watch(
      inSandbox(`${refusals}\nfind /mnt/*/upper /mnt/*/*/upper /run -mindepth 1 -not -name mount`),
    ).result;

    expect([status, stdout]).toEqual([0, '']);
  });
});

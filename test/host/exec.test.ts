import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Event } from '../../src/core/types.ts';
import { childEnvironment, createExec } from '../../src/host/exec.ts';

function exec(environment: NodeJS.ProcessEnv = {}) {
  const events: Event[] = [];
  return { ...createExec(environment, event => events.push(event)), events };
}

/** A file name that nobody has, in a folder that goes with the test. */
async function freshPath(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'exec-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, 'file');
}

/** Polls for at most five seconds. */
async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (let tried = 0; tried < 250; tried += 1) {
    const seen = await look();
    if (seen !== undefined) return seen;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  throw new Error('it did not come to pass within 5 s');
}

function pidIn(path: string): Promise<number> {
  return until(async () => Number((await readFile(path, 'utf8').catch(() => '')).trim()) || undefined);
}

/** Whether the process is there and not merely waiting to be collected by its parent. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** A process closes its files a little before it is gone. */
function ended(pid: number): Promise<true> {
  return until(async () => (isAlive(pid) ? undefined : true));
}

describe('a child', () => {
  it('gets a fixed environment and of ours the proxies alone', async () => {
    const ours = {
      NODE_OPTIONS: '--inspect',
      NOMAD_TOKEN: 'x',
      CONSUL_HTTP_ADDR: 'x',
      NOMAD_BOOTSTRAP_EXPECT: '3',
      LANG: 'de_DE.UTF-8',
      PATH: '/home/me/bin',
      LD_PRELOAD: '',
      https_proxy: 'http://proxy:3128',
      NO_PROXY: 'localhost',
    };

    const { stdout } = await exec(ours).run(['env']);

    expect(
      Object.fromEntries(
        stdout
          .trimEnd()
          .split('\n')
          .map(line => line.split('=')),
      ),
    ).toEqual({
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      LC_ALL: 'C',
      https_proxy: 'http://proxy:3128',
      NO_PROXY: 'localhost',
    });
    expect(childEnvironment({})).not.toHaveProperty('https_proxy');
  });

  it('gets the variables that its caller adds', async () => {
    const { stdout } = await exec().run(['env'], { env: { DEBIAN_FRONTEND: 'noninteractive' } });

    expect(stdout).toContain('DEBIAN_FRONTEND=noninteractive\n');
  });

  it('works in the root folder, so that it neither keeps another busy nor needs ours', async () => {
    expect((await exec().run(['pwd'])).stdout).toBe('/\n');
  });

  it('reads the end of its input at once where none is given', async () => {
    expect((await exec().run(['cat'])).stdout).toBe('');
    expect((await exec().run(['wc', '-c'], { stdin: 'ünï' })).stdout.trim()).toBe('5');
  });

  it('may leave its input unread', async () => {
    expect((await exec().run(['true'], { stdin: 'x'.repeat(1_000_000) })).exitCode).toBe(0);
  });

  it.each(['run', 'query'] as const)('of a %s has a session of its own: Ctrl-C does not reach it', async how => {
    const { path, child } = await blockedReader(how);

    const pid = await pidOf(path);

    expect(sessionOf(pid)).toBe(pid);
    process.kill(pid, 'SIGKILL');
    await child;
  });
});

describe('what a child left behind', () => {
  it('is its exit code and both outputs, down to the last newline', async () => {
    const events = exec();

    const output = await events.run(['sh', '-c', 'echo out; echo; echo err >&2']);

    expect(output).toEqual({ exitCode: 0, stdout: 'out\n\n', stderr: 'err\n' });
    expect(events.events).toEqual([
      {
        type: 'command',
        argv: ['sh', '-c', 'echo out; echo; echo err >&2'],
        exitCode: 0,
        durationMs: expect.any(Number),
        output: 'out\n\n\nerr\n',
      },
    ]);
  });

  it('is data for a query, whatever the exit code', async () => {
    const missing = await exec().query(['sha256sum', '/nowhere']);

    expect(missing).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('/nowhere') });
  });

  it('is an error with its last words for a run that fails', async () => {
    const script = 'for i in $(seq 21); do echo line $i >&2; done; exit 100';

    await expect(exec().run(['sh', '-c', script])).rejects.toMatchObject({
      code: 'command-failed',
      message: expect.stringContaining('ended with exit code 100'),
      detail: Array.from({ length: 20 }, (_, index) => `line ${index + 2}`).join('\n'),
    });
  });

  it('is what it said on its output where it said nothing on its error output', async () => {
    await expect(exec().run(['sh', '-c', 'echo sorry; exit 1'])).rejects.toMatchObject({ detail: 'sorry' });
  });

  it('tells that the program was killed, which it could not say itself', async () => {
    await expect(exec().run(['sh', '-c', 'echo line 1 >&2; kill -KILL $$'])).rejects.toMatchObject({
      message: expect.stringMatching(/^sh -c .* was ended by SIGKILL$/),
      detail: 'line 1\nsh was ended by SIGKILL',
    });
    await expect(exec().run(['sh', '-c', 'kill -KILL $$'])).rejects.toMatchObject({
      detail: 'sh was ended by SIGKILL',
    });
  });

  it.each([
    [127, 'does not exist', ['/no/such/program']],
    [126, 'is not executable', ['/etc/passwd']],
    [143, 'was ended by SIGTERM', ['sh', '-c', 'kill -TERM $$']],
  ])('is %i when it %s', async (exitCode, _, argv) => {
    const { run, events } = exec();

    await expect(run(argv)).rejects.toMatchObject({ code: 'command-failed' });
    expect(events).toMatchObject([{ exitCode }]);
  });
});

describe('a program that leaves something running', () => {
  it('does not keep its caller waiting when that holds on to its output', async () => {
    const path = await freshPath();
    const startedAt = performance.now();

    const output = await exec().run(['sh', '-c', `echo begun; setsid sleep 60 & echo $! > ${path}`]);

    expect(output).toEqual({ exitCode: 0, stdout: 'begun\n', stderr: '' });
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    const pid = await pidIn(path);
    expect(isAlive(pid)).toBe(true);
    process.kill(pid, 'SIGKILL');
  });
});

describe('a time limit', () => {
  it('ends a query with 124', async () => {
    const { child } = await blockedReader('query', 100);

    expect(await child).toMatchObject({ exitCode: 124 });
  });

  it('ends a run with 124 and everything that it started, even what keeps its output open', async () => {
    const path = await freshPath();
    const { run, events } = exec();
    const startedAt = performance.now();

    const ending = run(['sh', '-c', `sleep 60 & echo $! > ${path}; wait`], { timeoutMs: 300 });

    await expect(ending).rejects.toMatchObject({ message: expect.stringContaining('did not end within 0.3 s') });
    expect(performance.now() - startedAt).toBeLessThan(5000);
    await ended(await pidIn(path));
    expect(events).toMatchObject([{ exitCode: 124 }]);
  });

  it('counts even where the program then ends as if nothing had happened', async () => {
    const { run, events } = exec();

    await expect(run(['sh', '-c', 'trap "exit 0" TERM; sleep 60 & wait'], { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'command-failed',
    });
    expect(events).toMatchObject([{ exitCode: 124 }]);
  });

  it('ends also what does not listen', async () => {
    const { run } = exec();

    const ending = run(['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'], { timeoutMs: 100 });

    await expect(ending).rejects.toMatchObject({ message: expect.stringContaining('did not end within') });
  });
});

describe('lines', () => {
  async function linesOf(script: string): Promise<string[]> {
    const lines: string[] = [];
    await exec().run(['sh', '-c', script], { onLine: line => lines.push(line) });
    return lines;
  }

  it('come as they are written, from both outputs', async () => {
    expect(await linesOf('echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three')).toEqual(['one', 'two', 'three']);
  });

  it('may end in a carriage return, as progress does, or in both', async () => {
    expect(await linesOf("printf '10%%\\r20%%\\r\\n30%%\\n'")).toEqual(['10%', '20%', '30%']);
    expect(await linesOf("printf '10%%\\r'; sleep 0.2; printf '\\n20%%\\n'")).toEqual(['10%', '20%']);
  });

  it('include the last one, also without an end', async () => {
    expect(await linesOf("printf 'one\\ntwo'")).toEqual(['one', 'two']);
  });

  it('keep characters whole that arrive in pieces', async () => {
    expect(await linesOf("printf 'gr\\303'; sleep 0.2; printf '\\274n\\n'")).toEqual(['gr\u00fcn']);
  });
});

describe('ending the children', () => {
  it('ends the whole group of what runs, and nothing else', async () => {
    const path = await freshPath();
    const { run, endChildren } = exec();
    const other = exec().run(['sleep', '1']);
    const ending = expect(run(['sh', '-c', `sleep 60 & echo $! > ${path}; wait`])).rejects.toMatchObject({
      code: 'command-failed',
    });
    const grandchild = await pidIn(path);

    expect(endChildren()).toBe(true);

    await ending;
    await ended(grandchild);
    expect(await other).toMatchObject({ exitCode: 0 });
  });

  it('lets queries finish: half an answer could be taken for a whole one', async () => {
    const path = await freshPath();
    const { run, query, endChildren } = exec();
    await run(['mkfifo', path]);
    const asked = query(['sha256sum', path]);
    await pidOf(path);

    endChildren();

    await exec().run(['sh', '-c', `echo x > ${path}`]);
    expect(await asked).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(path) });
  });

  it('does nothing where nothing runs', async () => {
    const { run, endChildren } = exec();
    await run(['true']);

    expect(endChildren()).toBe(false);
  });
});

describe('a query', () => {
  it('of a program that is not on the table is a bug and starts nothing', async () => {
    const path = await freshPath();
    const { query, events } = exec();

    await expect(query(['touch', path])).rejects.toMatchObject({ code: 'query-not-read-only', exitCode: 70 });
    expect(events).toEqual([]);
    await expect(readFile(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

/** A child that reads a pipe which nobody writes to, and its path. */
async function blockedReader(how: 'run' | 'query', timeoutMs = 10_000) {
  const path = await freshPath();
  await exec().run(['mkfifo', path]);
  const child = exec()
    [how](['sha256sum', path], { timeoutMs })
    .catch((error: unknown) => error);
  return { path, child };
}

/** The process that has this word on its command line. */
function pidOf(word: string): Promise<number> {
  return until(async () => {
    const { stdout } = await exec().run(['sh', '-c', `grep -lszF ${word} /proc/[0-9]*/cmdline || true`]);
    const pids = [...stdout.matchAll(/^\/proc\/(\d+)\/cmdline$/gm)].map(([, pid]) => Number(pid));
    return pids.find(pid => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sha256sum\n');
  });
}

function sessionOf(pid: number): number {
  return Number(
    readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/\(.*\)/, 'x')
      .split(' ')[5],
  );
}

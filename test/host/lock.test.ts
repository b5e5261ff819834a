import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type LockOptions, takeLock } from '../../src/host/lock.ts';

const since = new Date('2026-11-22T12:00:00Z');

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lock-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

/** A run that finds the lock held and may wait, by a clock that only sleeping moves. */
function attempt(path: string, waitSeconds = 0, sleep: () => Promise<void> = async () => {}) {
  const waits: [string, number][] = [];
  let now = since.getTime();
  const options: LockOptions = {
    path,
    command: 'client',
    waitSeconds,
    now: () => new Date(now),
    async sleep(ms) {
      now += ms;
      await sleep();
    },
    onWaiting: (holder, waitedSeconds) => waits.push([holder, waitedSeconds]),
  };
  return { waits, taken: takeLock(options) };
}

/** Another process that takes the lock, says so, and keeps it for 20 seconds unless it is ended. */
async function otherRun(path: string, then = ''): Promise<ChildProcess> {
  const script = `
    const { takeLock } = await import('./src/host/lock.ts');
    await takeLock({
      path: ${JSON.stringify(path)}, command: 'server', waitSeconds: 0, sleep: async () => {}, onWaiting() {},
      now: () => new Date('${since.toISOString()}'),
    });
    ${then}
    console.log('held');
    setTimeout(() => {}, 20_000);
  `;
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => void child.kill('SIGKILL'));
  const [said] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  expect(String(said)).toBe('held\n');
  return child;
}

describe('the lock', () => {
  it('is held by one process at a time, and says by which and since when', async () => {
    const path = join(await freshFolder(), 'lock');
    const { pid } = await otherRun(path);

    await expect(attempt(path).taken).rejects.toMatchObject({
      code: 'locked',
      exitCode: 4,
      message: `nomad-bootstrap server (process ${pid}, since 2026-11-22T12:00:00.000Z) is under way on this machine`,
      hint: expect.stringContaining('--wait-lock'),
    });
  });

  it('stays held while its holder does other things, whatever is cleaned up in its memory', async () => {
    const path = join(await freshFolder(), 'lock');
    const collect = `
      for (let round = 0; round < 5; round += 1) {
        globalThis.gc();
        await new Promise(resolve => setTimeout(resolve, 20));
      }
    `;
    await otherRun(path, collect);

    await expect(attempt(path).taken).rejects.toMatchObject({ code: 'locked' });
  });

  it('is not passed on to what its holder starts', async () => {
    const path = join(await freshFolder(), 'lock');
    const start = `
      const { createExec } = await import('./src/host/exec.ts');
      void createExec({}, () => {}).run(['sleep', '5']);
    `;
    const holder = await otherRun(path, start);

    holder.kill('SIGKILL');
    await once(holder, 'exit');

    await attempt(path).taken;
  });

  it('is free again when its holder was killed, and then names its new one', async () => {
    const path = join(await freshFolder(), 'lock');
    const holder = await otherRun(path);

    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await attempt(path).taken;

    expect(await readFile(path, 'utf8')).toBe(
      `nomad-bootstrap client (process ${process.pid}, since 2026-11-22T12:00:00.000Z)`,
    );
  });

  it('is free again when it was given back', async () => {
    const path = join(await freshFolder(), 'lock');
    const release = await attempt(path).taken;

    await release();

    await otherRun(path);
  });

  it('is waited for as long as was asked, and no longer', async () => {
    const path = join(await freshFolder(), 'lock');
    const { pid } = await otherRun(path);
    const holder = `nomad-bootstrap server (process ${pid}, since 2026-11-22T12:00:00.000Z)`;

    const { waits, taken } = attempt(path, 2);

    await expect(taken).rejects.toMatchObject({ code: 'locked' });
    expect(waits).toEqual([0, 0, 1, 1].map(seconds => [holder, seconds]));
  });

  it('is taken as soon as the other run has ended', async () => {
    const path = join(await freshFolder(), 'lock');
    const holder = await otherRun(path);

    const { waits, taken } = attempt(path, 600, async () => {
      if (holder.exitCode !== null || holder.signalCode !== null) return;
      holder.kill('SIGTERM');
      await once(holder, 'exit');
    });

    await taken;
    expect(waits).toHaveLength(1);
  });

  it('is no longer waited for when the run is interrupted', async () => {
    const path = join(await freshFolder(), 'lock');
    await otherRun(path);
    const interrupted = new Error('Ctrl-C');

    await expect(attempt(path, 600, () => Promise.reject(interrupted)).taken).rejects.toBe(interrupted);
  });

  it('is a file that only its owner can read', async () => {
    const path = join(await freshFolder(), 'lock');

    await attempt(path).taken;

    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('is not taken for held where it cannot be tried', async () => {
    const folder = await freshFolder();
    await mkdir(join(folder, 'lock'));

    await expect(attempt(join(folder, 'lock')).taken).rejects.toMatchObject({
      code: 'file-refused',
      message: expect.stringContaining(join(folder, 'lock')),
    });
  });
});

import { spawn } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { BootstrapError } from '../core/errors.ts';
import type { Path } from '../core/types.ts';

export interface LockOptions {
  readonly path: Path;
  readonly command: string;
  readonly waitSeconds: number;
  readonly now: () => Date;
  readonly sleep: (ms: number) => Promise<void>;
  readonly onWaiting: (holder: string, waitedSeconds: number) => void;
}

/**
 * Takes the one lock of this machine, or throws `locked` with who holds it and since when. Returns what gives it back; the
 * lock belongs to the open file, so the kernel frees it however this process ends.
 */
export async function takeLock(options: LockOptions): Promise<() => Promise<void>> {
  const file = await open(options.path, 'a+', 0o600);
  const startedAt = options.now().getTime();

  while (!(await tryLock(file))) {
    const holder = (await readHolder(options.path)) ?? 'another run';
    const waitedSeconds = Math.floor((options.now().getTime() - startedAt) / 1000);
    if (waitedSeconds >= options.waitSeconds) {
      await file.close();
      throw new BootstrapError('locked', `${holder} is under way on this machine`, {
        hint: 'wait for it to end, or let this run wait for it with --wait-lock SECONDS',
      });
    }
    options.onWaiting(holder, waitedSeconds);
    await options.sleep(500);
  }
  await file.truncate(0);
  await file.write(`nomad-bootstrap ${options.command} (process ${process.pid}, since ${options.now().toISOString()})`);
  return () => file.close();
}

/** Node has no flock(2): util-linux' flock locks the open file that it inherits, and the lock stays when it ends. */
async function tryLock(file: FileHandle): Promise<boolean> {
  const child = spawn('flock', ['-n', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', file.fd],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return exitCode === 0;
}

async function readHolder(path: Path): Promise<string | undefined> {
  const file = await open(path, 'r');
  try {
    const text = (await file.readFile('utf8')).trim();
    return text === '' ? undefined : text;
  } finally {
    await file.close();
  }
}

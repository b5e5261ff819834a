import { spawn } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { BootstrapError } from '../core/errors.ts';
import type { Path } from '../core/types.ts';
import { writing } from './files.ts';

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
  // A bare descriptor: an object around it could be collected while the run goes on, and the lock with it.
  const lock = await writing(options.path, async () => openSync(options.path, 'a+', 0o600));
  const startedAt = options.now().getTime();
  try {
    while (!(await tryLock(lock))) {
      const holder = readHolder(options.path) ?? 'another run';
      const waitedSeconds = Math.floor((options.now().getTime() - startedAt) / 1000);
      if (waitedSeconds >= options.waitSeconds) {
        throw new BootstrapError('locked', `${holder} is under way on this machine`, {
          hint: 'wait for it to end, or let this run wait for it with --wait-lock SECONDS',
        });
      }
      options.onWaiting(holder, waitedSeconds);
      await options.sleep(500);
    }
  } catch (error) {
    closeSync(lock);
    throw error;
  }
  ftruncateSync(lock);
  writeSync(lock, `nomad-bootstrap ${options.command} (process ${process.pid}, since ${options.now().toISOString()})`);
  return async () => closeSync(lock);
}

/** Node has no flock(2): util-linux' flock locks the open file that it inherits, and the lock stays when it ends. */
async function tryLock(lock: number): Promise<boolean> {
  const child = spawn('flock', ['-n', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', lock],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  const exitCode = await new Promise<number | string | null>(resolve => {
    child.once('error', ({ message }) => resolve(message));
    child.once('close', resolve);
  });
  if (exitCode === 0 || exitCode === 1) return exitCode === 0;
  throw new BootstrapError('command-failed', `flock, which keeps other runs away, failed: ${exitCode}`, {
    hint: 'install util-linux, or mend it; then run the same command again',
  });
}

function readHolder(path: Path): string | undefined {
  const text = readFileSync(path, 'utf8').trim();
  return text === '' ? undefined : text;
}

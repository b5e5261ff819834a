import { BootstrapError } from '../core/errors.ts';
import type { HostReader, Path } from '../core/types.ts';

/** Who keeps the package manager busy. */
export interface LockHolder {
  readonly process: string;
  readonly pid: number;
  readonly path: Path;
}

export interface LockWait {
  /** Lock files of the package manager. */
  readonly paths: readonly Path[];
  readonly deadlineSeconds: number;
  /** Told at once and then every few seconds. */
  readonly onWaiting: (holder: LockHolder, waitedSeconds: number) => void;
}

const pauseSeconds = 2;

/**
 * Returns when none of the lock files is held. Past the deadline: `package-lock`, which names the holder. Where the
 * holder cannot be told (no lslocks) it returns at once, and the package manager waits by itself.
 */
export async function waitForPackageLock(host: HostReader, wait: LockWait): Promise<void> {
  const startedAt = host.now().getTime();
  for (;;) {
    const holder = await lockHolder(host, wait.paths);
    if (holder === undefined) return;
    const waitedSeconds = Math.round((host.now().getTime() - startedAt) / 1000);
    if (waitedSeconds >= wait.deadlineSeconds) throw stillLocked(holder, waitedSeconds);
    wait.onWaiting(holder, waitedSeconds);
    await host.sleep(pauseSeconds * 1000);
  }
}

/** The first process that holds one of the files, by the kernel's list of locks. */
export async function lockHolder(host: HostReader, paths: readonly Path[]): Promise<LockHolder | undefined> {
  const { exitCode, stdout } = await host.query([
    'lslocks',
    '--raw',
    '--noheadings',
    '--notruncate',
    '--output',
    'PID,MODE,COMMAND,PATH',
  ]);
  if (exitCode !== 0) return undefined;
  for (const line of stdout.split('\n')) {
    const [pid = '', mode = '', process = '', path = ''] = line.split(' ');
    // A mode that ends in `*` belongs to one who waits.
    if (paths.includes(path) && !mode.endsWith('*')) return { process: unescaped(process), pid: Number(pid), path };
  }
  return undefined;
}

/** `apt-get (process 812)`. */
export function describeHolder({ process, pid }: LockHolder): string {
  return pid > 0 ? `${process} (process ${pid})` : process;
}

function stillLocked(holder: LockHolder, waitedSeconds: number): BootstrapError {
  return new BootstrapError(
    'package-lock',
    `${describeHolder(holder)} has held ${holder.path} for more than ${waitedSeconds} s`,
    {
      hint: `wait for it to end (see: ps -fp ${holder.pid}) and run the same command again; it continues from here`,
    },
  );
}

/** lslocks --raw writes a space as \x20. */
function unescaped(text: string): string {
  return text.replace(/\\x(?<hex>[0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

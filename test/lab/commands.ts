import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** What a finished command left behind. `exitCode` is 128 + n when signal n ended it. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Written to the command's standard input, which is then closed. */
  readonly stdin?: string | Uint8Array;
  /** Replaces the environment; by default the lab's own is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The command and its process group are killed after this long. Default: 10 minutes. */
  readonly timeoutMs?: number;
  /** Called with every line of output while the command runs. */
  readonly onLine?: (line: string) => void;
  /** Throw when the exit code is not 0. Default: true. */
  readonly check?: boolean;
}

const signalNumbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/**
 * Runs a program (never a shell line) and collects its output.
 * Throws an Error with the end of its output when it could not start, ran too long, or (with `check`) failed.
 */
export function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program = '', ...rest] = argv;
  const { timeoutMs = 600_000, check = true } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // a process group of its own, so that a timeout ends what the command started, too
      ...(options.env ? { env: options.env } : {}),
      ...(options.cwd ? { cwd: options.cwd } : {}),
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // it ended by itself meanwhile
      }
      // What left the group may still hold the pipes: stop waiting for them.
      child.stdout.destroy();
      child.stderr.destroy();
    }, timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    if (options.onLine) {
      for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', options.onLine);
    }
    child.stdin.on('error', () => undefined); // EPIPE: the command did not read its input
    child.stdin.end(options.stdin ?? '');
    child.on('error', error => {
      clearTimeout(timer);
      reject(new Error(`${program} could not be started: ${error.message}`));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const result: CommandResult = {
        exitCode: code ?? 128 + (signalNumbers[signal ?? ''] ?? 0),
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      };
      const line = argv.join(' ').slice(0, 300);
      if (timedOut) reject(new Error(`${line}: still running after ${timeoutMs} ms\n${tail(result)}`));
      else if (check && result.exitCode !== 0) reject(new Error(`${line}: exit ${result.exitCode}\n${tail(result)}`));
      else resolve(result);
    });
  });
}

function tail(result: CommandResult): string {
  return `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-20).join('\n');
}

/** Waits for `condition` to give a value, asking every `everyMs`; throws with `what` after `timeoutMs`. */
export async function waitFor<T>(
  what: string,
  condition: () => Promise<T | undefined> | T | undefined,
  { timeoutMs = 30_000, everyMs = 50 }: { readonly timeoutMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined) return value;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise(resolve => setTimeout(resolve, everyMs));
  }
}

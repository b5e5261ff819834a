import { constants } from 'node:os';
import { execa, type Options, type Result } from 'execa';
import { BootstrapError } from '../core/errors.ts';
import type { CommandOutput, Event } from '../core/types.ts';
import { isReadOnly } from './read-only-programs.ts';

/** Runs the host's programs: the only file that starts a process. */
export interface Exec {
  query(argv: readonly string[], options?: { readonly timeoutMs?: number }): Promise<CommandOutput>;
  run(argv: readonly string[], options?: RunOptions): Promise<CommandOutput>;
  /**
   * Ends everything that `run` started and that still runs, with all that it started; false where there was nothing. Queries
   * end by themselves, and soon.
   */
  endChildren(): boolean;
}

export interface RunOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly onLine?: (line: string) => void;
}

const proxyVariables = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];

/** The whole environment of a child: nothing of ours is inherited but how to reach the network. */
export function childEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const child: Record<string, string> = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    LC_ALL: 'C',
  };
  for (const name of proxyVariables) {
    const value = environment[name];
    if (value !== undefined) child[name] = value;
  }
  return child;
}

/**
 * Children never see our standard input, and each has a session of its own, so that Ctrl-C reaches us alone and that it
 * can be ended together with all that it started.
 */
export function createExec(environment: NodeJS.ProcessEnv, report: (event: Event) => void): Exec {
  const fixed = childEnvironment(environment);
  const running = new Set<number>();

  async function spawn(argv: readonly string[], options: RunOptions & { readonly mutating: boolean }) {
    const [program = '', ...args] = argv;
    const startedAt = performance.now();
    const settings = {
      // Our own folder may be gone, or on a file system that someone wants to unmount.
      cwd: '/',
      env: { ...fixed, ...options.env },
      extendEnv: false,
      reject: false,
      detached: true,
      stripFinalNewline: false,
      ...(options.stdin === undefined ? { stdin: 'ignore' } : { input: options.stdin }),
    } satisfies Options;
    const child = execa(program, args, settings);
    const { pid } = child;
    if (pid !== undefined && options.mutating) running.add(pid);
    const limit = timeLimit(pid, options.timeoutMs);
    child.nodeChildProcess.once('exit', () => {
      // What a child leaves running may keep our pipes open for ever.
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, lingerMs).unref();
    });
    if (options.onLine !== undefined) {
      onLines(child.stdout, options.onLine);
      onLines(child.stderr, options.onLine);
    }
    const result = await child;
    limit.stop();
    if (pid !== undefined) running.delete(pid);

    const output: CommandOutput = {
      exitCode: limit.passed() ? 124 : exitCodeOf(result),
      stdout: result.stdout,
      stderr: result.stderr,
    };
    const durationMs = Math.round(performance.now() - startedAt);
    const text = [output.stdout, output.stderr].filter(part => part !== '').join('\n');
    report({ type: 'command', argv, exitCode: output.exitCode, durationMs, output: options.mutating ? text : '' });
    return { output, timedOut: limit.passed(), signal: result.signal };
  }

  return {
    async query(argv, options = {}) {
      if (!isReadOnly(argv)) {
        throw new BootstrapError('query-not-read-only', `${argv.join(' ')} is not on the table of read-only programs`, {
          hint: 'please report this: it is a bug in nomad-bootstrap',
        });
      }
      const { output } = await spawn(argv, { timeoutMs: options.timeoutMs ?? 10_000, mutating: false });
      return output;
    },
    async run(argv, options = {}) {
      const { output, timedOut, signal } = await spawn(argv, { ...options, mutating: true });
      if (output.exitCode === 0) return output;
      const killed = timedOut ? undefined : signal;
      const reason = timedOut
        ? `did not end within ${(options.timeoutMs ?? 0) / 1000} s`
        : killed === undefined
          ? `ended with exit code ${output.exitCode}`
          : `was ended by ${killed}`;
      const said = output.stderr.trim() === '' ? output.stdout : output.stderr;
      throw new BootstrapError('command-failed', `${argv.join(' ')} ${reason}`, {
        hint: 'read the lines above; once their cause is gone, run the same command again',
        // What was killed cannot say so itself.
        detail: lastLines(killed === undefined ? said : `${said.trimEnd()}\n${argv[0]} ${reason}`.trimStart(), 20),
      });
    },
    endChildren() {
      for (const pid of running) signalGroup(pid, 'SIGTERM');
      return running.size > 0;
    },
  };
}

/** How long the outputs of a child that has ended may stay open. */
const lingerMs = 2000;
/** How long a child that was told to end may take. */
const graceMs = 5000;

/** Ends the child's group when its time is over, first with SIGTERM, then with SIGKILL. */
function timeLimit(pid: number | undefined, timeoutMs: number | undefined) {
  const timers: NodeJS.Timeout[] = [];
  let passed = false;
  if (pid !== undefined && timeoutMs !== undefined) {
    timers.push(
      setTimeout(() => {
        passed = true;
        signalGroup(pid, 'SIGTERM');
        timers.push(setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs));
      }, timeoutMs),
    );
  }
  return {
    passed: () => passed,
    stop() {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has just ended by itself.
  }
}

/** As a shell has it. */
function exitCodeOf(result: Pick<Result, 'exitCode' | 'signal' | 'code'>): number {
  if (result.exitCode !== undefined) return result.exitCode;
  if (result.signal !== undefined) return 128 + constants.signals[result.signal];
  return result.code === 'ENOENT' ? 127 : 126;
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

/** Lines end in a newline, a carriage return (progress) or both, and the last one with the stream. */
function onLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  const decoder = new TextDecoder();
  let rest = '';
  stream.on('data', (chunk: Uint8Array) => {
    // A carriage return at the end may be the first half of a line's end.
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  stream.on('end', () => {
    rest += decoder.decode();
    if (rest !== '') onLine(rest.replace(/\r$/, ''));
  });
}

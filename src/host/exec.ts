import { execa, type Options } from 'execa';
import { BootstrapError } from '../core/errors.ts';
import type { CommandOutput, Event } from '../core/types.ts';
import { isReadOnly } from './read-only-programs.ts';

/** Runs the host's programs: the only file that starts a process. */
export interface Exec {
  query(argv: readonly string[], options?: { readonly timeoutMs?: number }): Promise<CommandOutput>;
  run(argv: readonly string[], options?: RunOptions): Promise<CommandOutput>;
  /** Ends the process groups of everything that `run` started and that still runs. */
  endChildren(): void;
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

/** Children never see our standard input, and mutating ones get a session of their own, so that Ctrl-C reaches us alone. */
export function createExec(environment: NodeJS.ProcessEnv, report: (event: Event) => void): Exec {
  const fixed = childEnvironment(environment);
  const mutating = new Set<number>();

  async function spawn(argv: readonly string[], options: RunOptions & { readonly detached: boolean }) {
    const [program = '', ...args] = argv;
    const startedAt = performance.now();
    const settings = {
      env: { ...fixed, ...options.env },
      extendEnv: false,
      reject: false,
      detached: options.detached,
      cleanup: !options.detached,
      stripFinalNewline: false,
      timeout: options.timeoutMs ?? 0,
      ...(options.stdin === undefined ? { stdin: 'ignore' } : { input: options.stdin }),
    } satisfies Options;
    const child = execa(program, args, settings);
    if (options.detached && child.pid !== undefined) mutating.add(child.pid);
    if (options.onLine !== undefined) {
      onLines(child.stdout, options.onLine);
      onLines(child.stderr, options.onLine);
    }
    const result = await child;
    if (child.pid !== undefined) mutating.delete(child.pid);

    const output: CommandOutput = {
      exitCode: result.exitCode ?? (result.timedOut ? 124 : result.code === 'ENOENT' ? 127 : 128),
      stdout: result.stdout,
      stderr: result.stderr,
    };
    const durationMs = Math.round(performance.now() - startedAt);
    const text = [output.stdout, output.stderr].filter(part => part !== '').join('\n');
    report({ type: 'command', argv, exitCode: output.exitCode, durationMs, output: options.detached ? text : '' });
    return { output, timedOut: result.timedOut };
  }

  return {
    async query(argv, options = {}) {
      if (!isReadOnly(argv)) {
        throw new BootstrapError('query-not-read-only', `${argv.join(' ')} is not on the table of read-only programs`, {
          hint: 'please report this: it is a bug in nomad-bootstrap',
        });
      }
      const { output } = await spawn(argv, { timeoutMs: options.timeoutMs ?? 10_000, detached: false });
      return output;
    },
    async run(argv, options = {}) {
      const { output, timedOut } = await spawn(argv, { ...options, detached: true });
      if (output.exitCode === 0) return output;
      const reason = timedOut
        ? `did not end within ${(options.timeoutMs ?? 0) / 1000} s`
        : `ended with exit code ${output.exitCode}`;
      throw new BootstrapError('command-failed', `${argv.join(' ')} ${reason}`, {
        hint: 'read the lines above; once their cause is gone, run the same command again',
        detail: lastLines(output.stderr.trim() === '' ? output.stdout : output.stderr, 10),
      });
    },
    endChildren() {
      for (const pid of mutating) {
        try {
          process.kill(-pid, 'SIGTERM');
        } catch {
          // It has just ended by itself.
        }
      }
    },
  };
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}

function onLines(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = '';
  stream.on('data', (chunk: Uint8Array) => {
    const lines = (rest + new TextDecoder().decode(chunk)).split(/\r?\n|\r/);
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
}

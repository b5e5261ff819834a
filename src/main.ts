/**
 * nomad-bootstrap brings one host to the state its configuration describes, or says exactly what stopped it.
 * Running it again changes nothing. It announces every change before it makes it, it downloads nothing that it cannot
 * verify, and what it made it can take away again.
 */
import type { Invocation } from './cli.ts';
import { commands } from './commands/index.ts';
import type { Layer } from './config/load.ts';
import type { Settings } from './config/options.ts';
import type { Recorded } from './config/record.ts';
import { BootstrapError } from './core/errors.ts';
import { type ExitCode, exitCodes, isRefusal } from './core/exit-codes.ts';
import type { Event, HostReader, Reporter } from './core/types.ts';
import type { LocalHost } from './host/local-host.ts';
import type { Output } from './reporters/text.ts';
import { version } from './version.ts';

/** The process around the program, as bin/ hands it over. */
export interface ProcessPort {
  readonly argv: readonly string[];
  /** A copy: NOMAD_BOOTSTRAP_* is gone from the process itself. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly userId: number;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Calls back at SIGINT and SIGTERM. */
  onSignal(listener: (signal: 'SIGINT' | 'SIGTERM') => void): void;
}

const logPath = '/var/log/nomad-bootstrap.log';
const lockPath = '/run/nomad-bootstrap.lock';
const journalPath = '/var/lib/nomad-bootstrap/journal';

/** Far more than anybody needs. A device without end, or a disk image that was named by a slip, is not read whole. */
const mostConfigBytes = 2 ** 18;

/** Everything from the command line to the exit code. Never throws. */
export async function main(port: ProcessPort): Promise<ExitCode> {
  if (port.argv.length === 1 && port.argv[0] === '--version') {
    port.stdout.write(`nomad-bootstrap ${version}\n`);
    return exitCodes.converged;
  }
  try {
    const { parseCommandLine } = await import('./cli.ts');
    const invocation = parseCommandLine(port.argv, port.stdout.terminal.live ? port.stdout.terminal.columns : 100);
    if (invocation.kind === 'command') return await runCommand(port, invocation);
    port.stdout.write(invocation.text === '' ? '' : `${invocation.text}\n`);
    return exitCodes.converged;
  } catch (error) {
    const { createRedactor } = await import('./core/redact.ts');
    const redactor = createRedactor();
    if (asksAsPlugin(port)) return await tellPlugin(port, error, redactor.text);
    const { createReporter } = await import('./reporters/index.ts');
    const reporter = createReporter({
      stdout: port.stdout,
      stderr: port.stderr,
      colour: !port.argv.includes('--no-color'),
      json: asksForJson(port),
      quiet: false,
      verbose: false,
      redactor,
    });
    reporter.report(failureOf(error));
    reporter.close();
    return exitCodeOf(error);
  }
}

/** Whether the command line or the environment ask for JSON, as far as can be told without understanding them. */
function asksForJson({ argv, environment }: ProcessPort): boolean {
  const variable = /^(?:true|1|yes)$/.test(environment['NOMAD_BOOTSTRAP_JSON'] ?? '');
  return argv.some(word => /^--json(?:=(?:true|1|yes))?$/.test(word)) || (variable && !argv.includes('--no-json'));
}

/** Whether the command line or the environment ask for a line of Nagios', as far as can be told without understanding them. */
function asksAsPlugin({ argv, environment }: ProcessPort): boolean {
  const given = argv.some(
    (word, index) => /^--format(?:=nagios)?$/.test(word) && (word.includes('=') || argv[index + 1] === 'nagios'),
  );
  return argv[0] === 'verify' && (given || environment['NOMAD_BOOTSTRAP_FORMAT'] === 'nagios');
}

/** Whatever went wrong, also a signal: for a monitor nothing is known of this node then. */
async function tellPlugin(
  { stdout }: ProcessPort,
  error: unknown,
  redact: (text: string) => string,
): Promise<ExitCode> {
  const { nagiosUnknown, renderNagiosUnknown } = await import('./reporters/verify-nagios.ts');
  const { message, hint } = failureOf(error);
  stdout.write(renderNagiosUnknown(redact(`${message}; fix: ${hint}`)));
  return nagiosUnknown;
}

async function runCommand(
  port: ProcessPort,
  { command, action, layer: flags }: Extract<Invocation, { kind: 'command' }>,
): Promise<ExitCode> {
  const needs = commands[command];
  if (needs.root && port.userId !== 0) {
    throw new BootstrapError('not-root', `${command} needs root`, {
      hint: `run it again with sudo: sudo nomad-bootstrap ${command} ...`,
    });
  }
  const given = await givenLayers(port, flags);
  const { mergeLayers } = await import('./config/load.ts');
  const asked = mergeLayers(given);
  const { createReporter } = await import('./reporters/index.ts');
  const { createRedactor } = await import('./core/redact.ts');
  const { givenSecrets } = await import('./given-secrets.ts');
  const { createLocalHost } = await import('./host/local-host.ts');
  const { createJournal } = await import('./core/journal.ts');
  const { appendLog, createLogFile, saveText } = await import('./host/files.ts');

  const changesHost = needs.changesHost(asked);
  const changes = changesHost && asked.dryRun !== true;
  const log = createLogFile(logPath);
  const redactor = createRedactor();
  const reporterOf = (json: boolean) =>
    createReporter({
      stdout: port.stdout,
      stderr: port.stderr,
      colour: asked.color !== false,
      json,
      quiet: asked.quiet ?? false,
      verbose: asked.verbose ?? false,
      redactor,
      ...(changes ? { log } : {}),
    });
  const told = reporterOf(asked.json === true && changesHost);
  const timings = asked.timings === undefined ? undefined : (await import('./reporters/timings.ts')).createTimings();
  const reporter: Reporter = {
    report(event) {
      // What is refused before anything is changed leaves no file behind.
      if (changes && event.type === 'planned') log.open();
      told.report(event);
      timings?.report(event);
    },
  };
  const abort = new AbortController();
  const host = createLocalHost({
    environment: port.environment,
    version,
    report: reporter.report,
    signal: abort.signal,
  });
  let forced = false;
  let ended = false;
  port.onSignal(signal => {
    if (abort.signal.aborted) {
      forced = true;
      ended = host.endChildren() || ended;
    }
    abort.abort(interruption(signal, command));
  });

  let unlock: (() => Promise<void>) | undefined;
  try {
    if (changes) unlock = await lock(host, reporter, command, asked);
    if (changesHost) reporter.report({ type: 'run-started', command, version, dryRun: asked.dryRun === true });
    // Read under the lock: the run that was waited for may have written it.
    const recorded = needs.root ? await readRecord(host) : undefined;
    const { run } = await needs.load();
    const running = run({
      command,
      action,
      settings: recorded === undefined ? asked : mergeLayers([...given, await layerOf(recorded, asked)]),
      flags: new Set(Object.keys(flags.values)),
      ...(await givenSecrets(port.environment, asked, redactor.add, reporter)),
      recorded,
      host,
      journal: createJournal(appendLog(journalPath), host.now),
      reporter,
      signal: abort.signal,
      version,
      colour: port.stdout.terminal.colour && asked.color !== false,
      answer: text => port.stdout.write(text),
    });
    // What changes nothing can be left where it is; a canary must be taken away again.
    const leavable = !changes && asked.canary !== true;
    return await (leavable ? Promise.race([running, aborted(abort.signal)]) : running);
  } catch (thrown) {
    // Whatever fails when the change at hand is ended by force is no failure of its own.
    const error =
      forced && (ended || thrown !== abort.signal.reason) ? forcedEnd(abort.signal.reason, thrown, command) : thrown;
    if (changes && !isRefusal(exitCodeOf(error))) log.open();
    if (asked.format === 'nagios') return await tellPlugin(port, error, redactor.text);
    // An answer in JSON is one document, and so is the failure to give it.
    const teller = asked.json === true && !changesHost ? reporterOf(true) : reporter;
    teller.report(failureOf(error));
    return exitCodeOf(error);
  } finally {
    told.close();
    if (timings !== undefined && asked.timings !== undefined) {
      port.stderr.write(timings.table());
      await saveText(asked.timings, timings.trace()).catch((error: Error) => port.stderr.write(`${error.message}\n`));
    }
    await unlock?.();
    await host.close();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** An unreadable record is no reason to take a node for a fresh machine: whatever stops the reading is thrown. */
async function readRecord(host: HostReader): Promise<Recorded | undefined> {
  const { parseRecord, recordPath } = await import('./config/record.ts');
  const text = await host.readText(recordPath);
  // A folder or a link that leads nowhere is no record, and no fresh machine either.
  if (text === undefined && (await host.stat(recordPath)) === undefined) return undefined;
  return parseRecord(text ?? '');
}

/** Flags, then variables, then the --config file, which is read once: it may be a pipe. */
async function givenLayers(port: ProcessPort, flags: Layer): Promise<readonly Layer[]> {
  const { environmentLayer, fileLayer, mergeLayers } = await import('./config/load.ts');
  const { readGiven } = await import('./host/files.ts');
  const variables = environmentLayer(port.environment);
  const { config } = mergeLayers([flags, variables]);
  if (config === undefined) return [flags, variables];
  return [
    flags,
    variables,
    await fileLayer(config, await readGiven(config, mostConfigBytes).catch((error: Error) => error)),
  ];
}

/** The last layer: what was recorded. */
async function layerOf(recorded: Recorded, asked: Settings): Promise<Layer> {
  const { recordedLayer } = await import('./config/record.ts');
  return recordedLayer(recorded, asked);
}

async function lock(
  host: LocalHost,
  reporter: Reporter,
  command: string,
  { waitLock = 0 }: Settings,
): Promise<() => Promise<void>> {
  const { takeLock } = await import('./host/lock.ts');
  return takeLock({
    path: lockPath,
    command,
    waitSeconds: waitLock,
    now: host.now,
    sleep: host.sleep,
    onWaiting: (holder, waitedSeconds) =>
      reporter.report({ type: 'waiting', message: `waiting for ${holder}`, waitedSeconds }),
  });
}

function interruption(signal: 'SIGINT' | 'SIGTERM', command: string): BootstrapError {
  const hint =
    command === 'verify'
      ? 'nothing was changed, and of a canary nothing stays; run it again at any time'
      : `the change at hand was finished; run the same nomad-bootstrap ${command} again, with the same flags, to go on`;
  return signal === 'SIGINT'
    ? new BootstrapError('interrupted', 'interrupted', { hint })
    : new BootstrapError('terminated', 'told to end (SIGTERM)', { hint });
}

function forcedEnd(reason: BootstrapError, failure: unknown, command: string): BootstrapError {
  return new BootstrapError(reason.code, 'interrupted a second time: the change at hand was ended', {
    hint: `run the same nomad-bootstrap ${command} again, with the same flags: it goes on from there`,
    detail: failure instanceof Error ? failure.message : String(failure),
    cause: failure,
  });
}

function failureOf(error: unknown): Extract<Event, { type: 'failed' }> {
  if (error instanceof BootstrapError) {
    const { code, message, hint, detail } = error;
    return { type: 'failed', code, message, hint, ...(detail === undefined ? {} : { detail }) };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return {
    type: 'failed',
    code: 'bug',
    message: `this is a bug in nomad-bootstrap ${version}: ${message}`,
    hint: 'please report it with these lines and the log; running the same command again is safe',
    ...(stack === undefined ? {} : { detail: stack }),
  };
}

function exitCodeOf(error: unknown): ExitCode {
  return error instanceof BootstrapError ? error.exitCode : exitCodes.bug;
}

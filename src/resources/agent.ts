import { createHash } from 'node:crypto';
import { BootstrapError, hasCode } from '../core/errors.ts';
import type { Change, FileAttributes, Host, HostReader, Path, Resource } from '../core/types.ts';
import { readUnit, type UnitState, unitLog } from '../core/unit.ts';
import { type DirectoryChange, planDirectory } from './directory.ts';
import { compareFile, type DesiredFile, type FormerFile, formerFile, restoreFile, textOf, wasThere } from './file.ts';
import { snapshotFolder } from './state-snapshot.ts';

/** An agent of HashiCorp's as it is to run. */
export interface AgentSpec {
  /** Its unit, program and user: they have one name. */
  readonly name: 'consul' | 'nomad';
  readonly version: string;
  /** The folder that the agent reads whole, the operator's own files among it. */
  readonly directory: Path;
  /** Configuration in `directory`, and systemd drop-ins. */
  readonly files: readonly DesiredFile[];
  /** Those of `files` under other settings: they must not be there now. */
  readonly unwanted?: readonly Path[];
  /** The folder of its data, which belongs to the user that it runs as. */
  readonly data?: { readonly path: Path; readonly attributes: FileAttributes };
  /** Judges a folder of configuration without running it: the arguments before the folder. */
  readonly validate: readonly string[];
  /** Answers, whatever it says, as soon as the agent runs. Nomad holds most others back for 5 s while there is no leader. */
  readonly answersAt: string;
  /** The steps that must have ended before it starts. */
  readonly startsAfter?: readonly string[];
  /** Returns when it may start, apart from that, where it does not run yet. */
  readonly beforeStart?: (host: Host) => Promise<void>;
  /** Throws `would-lose-quorum` when the running agent must not be restarted now. */
  readonly beforeRestart: (host: HostReader) => Promise<void>;
  /** Does what restarts the running agent when nobody else of its cluster is at it. Absent: at once. */
  readonly inTurn?: (host: Host, work: () => Promise<void>) => Promise<void>;
}

/** Digests of what each agent was last started with. */
const startRecords = '/var/lib/nomad-bootstrap/started';
const staging = '/var/lib/nomad-bootstrap/staging';
const root = { mode: 0o700, owner: 'root:root' };
/** An agent that takes longer to open its API than this does not come up. Measured: 0.3 s for Consul, 0.6 s for Nomad. */
const startSeconds = 60;
const pollMs = 50;

/**
 * An agent with exactly these files, enabled, and running with them. It is restarted if and only if what it was last
 * started with differs from what it is to run with. The files go live only after the agent itself has judged them, and
 * the former ones come back when it does not come up with them.
 */
export function agent(spec: AgentSpec): Resource {
  const recordPath = `${startRecords}/${spec.name}`;
  const digest = digestOf(spec);

  return {
    id: `agent:${spec.name}`,
    async plan(host): Promise<Change | undefined> {
      const [differences, stale, data, state, started] = await Promise.all([
        Promise.all(spec.files.map(desired => compareFile(host, desired))),
        staleFiles(host, spec),
        dataChange(host, spec),
        readUnit(host, spec.name),
        host.readText(recordPath),
      ]);
      const filesDiff = [
        ...differences.map(difference => difference?.diff ?? ''),
        ...stale.map(({ path }) => `${path}: removed\n`),
      ].join('');
      const diff = filesDiff + (data === undefined ? '' : `${data.summary}\n`);
      const running = state.activeState === 'active';
      const current = filesDiff === '' && startRecord(started).digest === digest;
      const verbs = [
        ...(filesDiff === '' ? [] : ['configure']),
        ...(state.enabled ? [] : ['enable']),
        ...(running ? (current ? [] : ['restart']) : ['start']),
      ];
      const wanted = verbs.length === 0 && data !== undefined ? ['secure the data of'] : verbs;
      if (wanted.length === 0) return undefined;
      return {
        summary: `${wanted.join(', ')} ${spec.name}`,
        ...(diff === '' ? {} : { diff }),
        undo: {
          kind: 'agent',
          unit: spec.name,
          files: [...(await Promise.all(spec.files.map(({ path }) => formerFile(host, path)))), ...stale],
          directories: [
            ...(await missingParents(host, spec.files)),
            ...(data?.undo.kind === 'directory' ? [data.undo.path] : []),
          ],
          ...(data?.undo.kind === 'attributes' ? { folders: [data.undo] } : {}),
          enabled: state.enabled,
          active: running,
        },
        async apply(target, course) {
          // An agent that runs with what it should is only enabled.
          if (running && current) {
            await data?.apply(target);
            return enable(target, spec);
          }
          const predecessor = async () => {
            for (const step of spec.startsAfter ?? []) await course?.ended(step);
            if (!running) await spec.beforeStart?.(target);
          };
          if (!wanted.includes('restart')) return bringUp(target, spec, { digest, recordPath, predecessor });
          await predecessor();
          await (spec.inTurn ?? atOnce)(target, async () => {
            await spec.beforeRestart(target);
            // Nothing may hold it up any more: it is stopped on the way.
            await bringUp(target, spec, { digest, recordPath, predecessor: async () => {} });
          });
        },
      };
    },
  };
}

/** What of `unwanted` is there. */
async function staleFiles(host: HostReader, { unwanted = [] }: AgentSpec): Promise<readonly FormerFile[]> {
  const files = await Promise.all(unwanted.map(path => formerFile(host, path)));
  return files.filter(wasThere);
}

function dataChange(host: HostReader, { data }: AgentSpec): Promise<DirectoryChange | undefined> {
  return data === undefined ? Promise.resolve(undefined) : planDirectory(host, data.path, data.attributes);
}

function atOnce(_host: Host, work: () => Promise<void>): Promise<void> {
  return work();
}

/** The folders that will be made for the files. */
async function missingParents(host: HostReader, files: readonly DesiredFile[]): Promise<readonly Path[]> {
  const parents = [...new Set(files.map(({ path }) => parentOf(path)))];
  const there = await Promise.all(parents.map(path => host.stat(path)));
  return parents.filter((_, at) => there[at] === undefined);
}

interface Start {
  readonly digest: string;
  readonly recordPath: Path;
  /** Returns when it may start; its files are in place by then. */
  predecessor(): Promise<void>;
}

async function bringUp(host: Host, spec: AgentSpec, { digest, recordPath, predecessor }: Start): Promise<void> {
  await judgeConfiguration(host, spec);
  const stale = await staleFiles(host, spec);
  const former = [...(await Promise.all(spec.files.map(({ path }) => formerFile(host, path)))), ...stale];
  const data = await dataChange(host, spec);
  const state = await readUnit(host, spec.name);
  const ranAs = startRecord(await host.readText(recordPath)).version;

  // From here on the agent counts as not started with its files, whatever happens to this process.
  await host.remove(recordPath);
  for (const { path, content, attributes } of spec.files) {
    if ((await host.stat(parentOf(path))) === undefined) {
      await host.makeDirectory(parentOf(path), { mode: 0o755, owner: 'root:root' });
    }
    await host.writeFile(path, textOf(content), attributes);
  }
  for (const { path } of stale) await host.remove(path);
  // Its former user must not lose its data before it ends.
  if (data !== undefined && state.activeState === 'active') {
    await host.run(['systemctl', 'stop', `${spec.name}.service`], { timeoutMs: startSeconds * 1000 });
  }
  await data?.apply(host);

  try {
    await predecessor();
    // Not before: a machine that is restarted meanwhile would start it. Either makes systemd read the drop-ins, in a tenth of a second.
    if (state.enabled) await host.run(['systemctl', 'daemon-reload']);
    else await enable(host, spec);
    // A unit that failed before must not be held back by systemd's limit on starts.
    await host.run(['systemctl', 'reset-failed', `${spec.name}.service`]).catch(() => undefined);
    await host.run(['systemctl', 'restart', `${spec.name}.service`], { timeoutMs: startSeconds * 1000 });
    await untilItAnswers(host, spec);
  } catch (error) {
    if (error instanceof BootstrapError && (error.code === 'interrupted' || error.code === 'terminated')) throw error;
    throw await rollBack(host, spec, { files: former, data, state, version: ranAs }, error);
  }
  await host.makeDirectory(startRecords, root);
  await host.writeFile(recordPath, `${digest}\n${spec.version}\n`, { mode: 0o600, owner: 'root:root' });
}

/** Has systemd read all units anew, too. */
async function enable(host: Host, { name }: AgentSpec): Promise<void> {
  await host.run(['systemctl', 'enable', '--quiet', `${name}.service`], { timeoutMs: 30_000 });
}

/**
 * Lets the agent's program judge its folder as it will be: the operator's own files beside ours. Throws `config-refused`; whatever
 * it says, nothing but a copy was touched.
 */
export async function judgeConfiguration(host: Host, spec: AgentSpec): Promise<void> {
  const stage = `${staging}/${spec.name}`;
  const attributes = { mode: 0o600, owner: 'root:root' };
  await host.remove(stage);
  await host.makeDirectory(staging, root);
  await host.makeDirectory(stage, root);
  try {
    for (const name of (await host.list(spec.directory)) ?? []) {
      const content = /\.(hcl|json)$/.test(name) ? await host.readFile(`${spec.directory}/${name}`) : undefined;
      if (content !== undefined) await host.writeFile(`${stage}/${name}`, content, attributes);
    }
    for (const { path, content } of spec.files) {
      if (parentOf(path) === spec.directory)
        await host.writeFile(path.replace(spec.directory, stage), textOf(content), attributes);
    }
    await host.run([...spec.validate, stage], { timeoutMs: 30_000 });
  } catch (error) {
    if (!(error instanceof BootstrapError) || error.code !== 'command-failed') throw error;
    throw new BootstrapError(
      'config-refused',
      `${spec.name} ${spec.version} refuses its configuration; it keeps the former one`,
      {
        hint: `mend what the lines above name: a setting of the command line, or a file of your own in ${spec.directory}; then run the same command again`,
        detail: error.detail?.replaceAll(stage, spec.directory),
        cause: error,
      },
    );
  } finally {
    await host.remove(stage);
  }
}

async function untilItAnswers(host: Host, spec: AgentSpec): Promise<void> {
  const deadline = host.now().getTime() + startSeconds * 1000;
  for (;;) {
    try {
      await host.request(spec.answersAt, { timeoutMs: 2000 });
      return;
    } catch (error) {
      const state = await readUnit(host, spec.name);
      if (state.activeState === 'failed' || state.restarts > 0 || host.now().getTime() > deadline) throw error;
      await host.sleep(pollMs);
    }
  }
}

/** What there was before the new files. */
interface Former {
  readonly files: readonly FormerFile[];
  readonly data: DirectoryChange | undefined;
  readonly state: UnitState;
  /** That ran; `undefined` where it is not known. */
  readonly version: string | undefined;
}

/** Puts the former files back; the unit runs again only if it ran before. Returns the error to throw. */
async function rollBack(host: Host, spec: AgentSpec, former: Former, cause: unknown): Promise<BootstrapError> {
  const { name } = spec;
  const lines = await unitLog(host, name);
  await host.run(['systemctl', 'stop', `${name}.service`]).catch(() => undefined);
  for (const file of former.files) await restoreFile(host, file);
  if (former.data?.undo.kind === 'attributes')
    await host.setAttributes(former.data.undo.path, former.data.undo.attributes);
  await host.run(['systemctl', 'daemon-reload']);
  if (!former.state.enabled) await host.run(['systemctl', 'disable', '--quiet', `${name}.service`]);
  const runs = former.state.activeState === 'active' && (await runsAgain(host, spec));
  const outcome = runs
    ? ' and it runs with that'
    : former.state.activeState === 'active'
      ? ', but it does not come up with that either'
      : '';
  const upgraded = former.version !== undefined && former.version !== spec.version;
  const remedies = [
    "the lines above are the agent's own",
    `journalctl -u ${name} has more`,
    ...(runs || former.state.activeState !== 'active' ? [] : [await whatElseMayBeWrong(host, spec)]),
    ...(upgraded
      ? [
          `it ran as ${former.version} before, and cannot simply go back to that, since the newer one may have changed its data; the cluster's state from before is in ${snapshotFolder} of its servers`,
        ]
      : []),
    'mend the cause and run the same command again',
  ];
  return new BootstrapError(
    'agent-not-starting',
    `${name}${upgraded ? ` ${spec.version}` : ''} did not come up with its new configuration; the former one was put back${outcome}`,
    { hint: remedies.join('; '), detail: lines === '' ? undefined : lines, cause },
  );
}

/** Starts it with its former files; whether it answers then. */
async function runsAgain(host: Host, spec: AgentSpec): Promise<boolean> {
  try {
    await host.run(['systemctl', 'reset-failed', `${spec.name}.service`]).catch(() => undefined);
    await host.run(['systemctl', 'start', `${spec.name}.service`], { timeoutMs: startSeconds * 1000 });
    await untilItAnswers(host, spec);
    return true;
  } catch (error) {
    if (hasCode(error, 'command-failed') || hasCode(error, 'unreachable')) return false;
    throw error;
  }
}

/** With its former files it ran: so it is something that these do not say. */
async function whatElseMayBeWrong(host: HostReader, spec: AgentSpec): Promise<string> {
  const ours = spec.files.map(({ path }) => path);
  const others = ((await host.list(spec.directory)) ?? [])
    .map(file => `${spec.directory}/${file}`)
    .filter(path => /\.(hcl|json)$/.test(path) && !ours.includes(path));
  const files = others.length === 0 ? '' : ` or ${others.join(', ')}`;
  return `see what changed since it last ran: its address, ports and folders${files}`;
}

/** What the agent was last started with. A record of an earlier release has no version. */
function startRecord(text: string | undefined): {
  readonly digest: string | undefined;
  readonly version: string | undefined;
} {
  const [digest, version] = (text ?? '').split('\n').filter(line => line !== '');
  return { digest, version };
}

/** Names and contents, so that a configuration that was edited by hand and started by hand is noticed too. */
function digestOf(spec: AgentSpec): string {
  const hash = createHash('sha256').update(`${spec.name} ${spec.version}\n`);
  for (const { path, content } of spec.files) hash.update(`${path}\0${textOf(content)}\0`);
  return hash.digest('hex');
}

function parentOf(path: Path): Path {
  return path.slice(0, path.lastIndexOf('/'));
}

import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { onTestFinished } from 'vitest';
import { BootstrapError } from '../../src/core/errors.ts';
import type {
  CommandOutput,
  FileAttributes,
  FileStat,
  Handshake,
  Host,
  HttpResponse,
  Inspection,
  InterfaceAddress,
  LinodeMetadata,
  Path,
  Pinned,
  RequestOptions,
  Space,
} from '../../src/core/types.ts';
import { isReadOnly } from '../../src/host/read-only-programs.ts';

/** A file with its content alone (0644 root:root), or with its attributes. */
export type FixtureFile =
  | string
  | Uint8Array
  | {
      readonly content: string | Uint8Array;
      readonly mode?: number;
      readonly owner?: string;
      /** Default: the host's own time. */
      readonly modifiedAt?: Date;
    };

/** What a command answers: missing parts are 0 and ''. A function may look at the host and change it, as the program would. */
export type FixtureCommand = Partial<CommandOutput> | ((host: FixtureHost) => Partial<CommandOutput>);

/** What a server answers: status 200 where none is given. `unreachable`: no answer comes. */
export type FixtureAnswer =
  | {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array;
    }
  | 'unreachable';

/** A host as plain data. What is not described does not exist, and a command or request that is not described fails the test. */
export interface FixtureDescription {
  readonly files?: Readonly<Record<Path, FixtureFile>>;
  /** Empty directories, or those with an owner or mode of their own; parents of files exist anyway. */
  readonly directories?: readonly Path[] | Readonly<Record<Path, Partial<FileAttributes>>>;
  /** From link to target. */
  readonly symlinks?: Readonly<Record<Path, string>>;
  /** By the words of the command, joined with single spaces. */
  readonly commands?: Readonly<Record<string, FixtureCommand>>;
  /** By `METHOD url`; over a Unix socket by `METHOD socketPath:url`. */
  readonly requests?: Readonly<Record<string, FixtureAnswer | (() => FixtureAnswer)>>;
  /** By `address:port`, and `address:port without certificate` where none is shown. */
  readonly handshakes?: Readonly<Record<string, Handshake>>;
  /** What an archive holds, by its URL: content by relative path. */
  readonly archives?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly addresses?: readonly InterfaceAddress[];
  /** Default x86_64. */
  readonly machine?: string;
  /** By mount point; the longest one that holds a path counts. Default: `/` with 40 GiB, 30 of them available. */
  readonly space?: Readonly<Record<Path, Space>>;
  readonly inspection?: Inspection;
  /** Absent: there is no metadata service. */
  readonly linodeMetadata?: LinodeMetadata;
  /** Default 2026-11-22T12:00:00Z. Moves on with each sleep, and otherwise not. */
  readonly now?: Date;
}

/** One thing that was done to the host, or asked to be run on it. Text content only; binary content as `sha256:<hex>`. */
export type Mutation =
  | {
      readonly kind: 'run';
      readonly argv: readonly string[];
      readonly stdin?: string;
      readonly env?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'send'; readonly method: string; readonly url: string; readonly body?: string }
  | {
      readonly kind: 'write';
      readonly path: Path;
      readonly content: string;
      readonly mode: number;
      readonly owner: string;
    }
  | { readonly kind: 'attributes'; readonly path: Path; readonly mode: number; readonly owner: string }
  | { readonly kind: 'symlink'; readonly path: Path; readonly target: string }
  | { readonly kind: 'replace'; readonly from: Path; readonly to: Path }
  | { readonly kind: 'remove'; readonly path: Path }
  | { readonly kind: 'directory'; readonly path: Path; readonly mode: number; readonly owner: string }
  | {
      readonly kind: 'download';
      readonly url: string;
      readonly path: Path;
      readonly mode: number;
      readonly owner: string;
    }
  | { readonly kind: 'unpack'; readonly url: string; readonly directory: Path };

/** A {@link Host} in memory. */
export interface FixtureHost extends Host {
  /** Everything that changed the host, in order. Reading leaves no trace in it. */
  readonly log: readonly Mutation[];
  /** Every command that was only asked (`query`), in order, words joined with spaces. */
  readonly queries: readonly string[];
  /** What changes said that they wait for, in order. */
  readonly waits: readonly string[];
  /** Every GET, in order, as `GET url`. */
  readonly gets: readonly string[];
  /** Every regular file now, as text, sorted by path. */
  contents(): Readonly<Record<Path, string>>;
}

type Node =
  | { kind: 'file'; content: Uint8Array; mode: number; owner: string; modifiedAt?: Date }
  | { kind: 'directory'; mode: number; owner: string }
  | { kind: 'symlink'; target: string };

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true });

function bytes(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? encoder.encode(content) : content;
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function readable(content: Uint8Array): string {
  try {
    return strictDecoder.decode(content);
  } catch {
    return `sha256:${sha256(content)}`;
  }
}

/**
 * Makes a host from its description. Inside a test, anything undescribed that was asked for fails that test even when
 * the code under test caught the error.
 */
export function fixtureHost(description: FixtureDescription = {}): FixtureHost {
  const nodes = new Map<Path, Node>([['/', { kind: 'directory', mode: 0o755, owner: 'root:root' }]]);
  const log: Mutation[] = [];
  const queries: string[] = [];
  const gets: string[] = [];
  const waits: string[] = [];
  const undescribed: string[] = [];
  let clock = (description.now ?? new Date('2026-11-22T12:00:00Z')).getTime();

  try {
    onTestFinished(() => {
      if (undescribed.length > 0) throw new Error(`the fixture does not describe: ${undescribed.join('; ')}`);
    });
  } catch {
    // Outside a test there is nothing to fail; the error thrown at the question has to do.
  }

  function missing(what: string): Error {
    undescribed.push(what);
    return new Error(`the fixture does not describe: ${what}`);
  }

  /** Follows links in every part of the path but, unless asked, the last. */
  function resolve(path: Path, followLast = true, depth = 0): Path {
    if (!path.startsWith('/')) throw new Error(`a path must be absolute: ${path}`);
    if (depth > 20) throw new Error(`too many links: ${path}`);
    let current = '/';
    const parts = posix.normalize(path).split('/').filter(Boolean);
    for (const [index, part] of parts.entries()) {
      const next = posix.join(current, part);
      const node = nodes.get(next);
      const last = index === parts.length - 1;
      if (node?.kind === 'symlink' && (!last || followLast)) {
        const target = posix.resolve(current, node.target);
        return resolve(posix.join(target, ...parts.slice(index + 1)), followLast, depth + 1);
      }
      current = next;
    }
    return current;
  }

  function makeParents(path: Path): void {
    const parent = posix.dirname(path);
    if (nodes.has(parent)) return;
    makeParents(parent);
    nodes.set(parent, { kind: 'directory', mode: 0o755, owner: 'root:root' });
  }

  function put(path: Path, node: Node): void {
    makeParents(path);
    nodes.set(path, node);
  }

  function within(path: Path): Path[] {
    const prefix = path === '/' ? '/' : `${path}/`;
    return [...nodes.keys()].filter(key => key !== path && key.startsWith(prefix));
  }

  for (const [path, file] of Object.entries(description.files ?? {})) {
    const plain = typeof file === 'string' || file instanceof Uint8Array ? { content: file } : file;
    put(path, {
      kind: 'file',
      content: bytes(plain.content),
      mode: plain.mode ?? 0o644,
      owner: plain.owner ?? 'root:root',
      ...('modifiedAt' in plain ? { modifiedAt: plain.modifiedAt } : {}),
    });
  }
  const directories = description.directories ?? [];
  const described: [Path, Partial<FileAttributes>][] = Array.isArray(directories)
    ? directories.map((path: Path) => [path, {}])
    : Object.entries(directories);
  for (const [path, attributes] of described) {
    put(path, { kind: 'directory', mode: attributes.mode ?? 0o755, owner: attributes.owner ?? 'root:root' });
  }
  for (const [path, target] of Object.entries(description.symlinks ?? {})) put(path, { kind: 'symlink', target });

  function missingHandshake(key: string): never {
    throw missing(`handshake: ${key}`);
  }

  function answerCommand(argv: readonly string[]): CommandOutput {
    const command = description.commands?.[argv.join(' ')];
    if (command === undefined) throw missing(`command: ${argv.join(' ')}`);
    const output = typeof command === 'function' ? command(host) : command;
    return { exitCode: 0, stdout: '', stderr: '', ...output };
  }

  function answerRequest(method: string, url: string, options: RequestOptions | undefined): HttpResponse {
    const key = `${method} ${options?.socketPath === undefined ? '' : `${options.socketPath}:`}${url}`;
    if (method === 'GET') gets.push(key);
    const entry = description.requests?.[key];
    if (entry === undefined) throw missing(`request: ${key}`);
    const answer = typeof entry === 'function' ? entry() : entry;
    if (answer === 'unreachable') {
      throw new BootstrapError('unreachable', `${url} could not be reached`, { hint: 'check the network' });
    }
    return { status: answer.status ?? 200, headers: answer.headers ?? {}, body: bytes(answer.body ?? '') };
  }

  const host: FixtureHost = {
    log,
    queries,
    gets,
    waits,
    contents() {
      const found: [Path, string][] = [];
      for (const [path, node] of nodes) if (node.kind === 'file') found.push([path, readable(node.content)]);
      return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
    },

    async query(argv) {
      if (!isReadOnly(argv)) throw missing(`query that is not on the table of read-only programs: ${argv.join(' ')}`);
      queries.push(argv.join(' '));
      return answerCommand(argv);
    },
    async readFile(path) {
      const node = nodes.get(resolve(path));
      return node?.kind === 'file' ? node.content : undefined;
    },
    async readText(path) {
      const node = nodes.get(resolve(path));
      return node?.kind === 'file' ? new TextDecoder().decode(node.content) : undefined;
    },
    async list(path) {
      const directory = resolve(path);
      if (nodes.get(directory)?.kind !== 'directory') return undefined;
      return within(directory)
        .filter(child => posix.dirname(child) === directory)
        .map(child => posix.basename(child))
        .sort();
    },
    async stat(path): Promise<FileStat | undefined> {
      const node = nodes.get(resolve(path, false));
      if (node === undefined) return undefined;
      if (node.kind === 'symlink') {
        return {
          kind: 'symlink',
          mode: 0o777,
          owner: 'root:root',
          sizeBytes: node.target.length,
          modifiedAt: new Date(clock),
          linkTarget: node.target,
        };
      }
      const sizeBytes = node.kind === 'file' ? node.content.length : 4096;
      const modifiedAt = (node.kind === 'file' ? node.modifiedAt : undefined) ?? new Date(clock);
      return { kind: node.kind, mode: node.mode, owner: node.owner, sizeBytes, modifiedAt };
    },
    async request(url, options) {
      return answerRequest('GET', url, options);
    },
    async handshake(address, port, options) {
      const key = `${address}:${port}${options.cert === undefined ? ' without certificate' : ''}`;
      return description.handshakes?.[key] ?? missingHandshake(key);
    },
    async linodeMetadata() {
      return description.linodeMetadata;
    },
    addresses() {
      return description.addresses ?? [];
    },
    machine() {
      return description.machine ?? 'x86_64';
    },
    async space(path) {
      const mounts = description.space ?? { '/': { sizeBytes: 40 * 2 ** 30, availableBytes: 30 * 2 ** 30 } };
      const mount = Object.keys(mounts)
        .filter(candidate => candidate === '/' || path === candidate || path.startsWith(`${candidate}/`))
        .sort((a, b) => b.length - a.length)[0];
      return mount === undefined ? undefined : mounts[mount];
    },
    async inspect() {
      if (description.inspection === undefined) throw missing('inspection');
      return description.inspection;
    },
    now() {
      return new Date(clock);
    },
    async sleep(ms) {
      clock += ms;
    },

    waiting(message) {
      waits.push(message);
    },
    async run(argv, options) {
      const { stdin, env, onLine } = options ?? {};
      log.push({
        kind: 'run',
        argv: [...argv],
        ...(stdin === undefined ? {} : { stdin }),
        ...(env === undefined ? {} : { env }),
      });
      const output = answerCommand(argv);
      if (onLine !== undefined) for (const line of output.stdout.split('\n').filter(Boolean)) onLine(line);
      if (output.exitCode !== 0) {
        throw new BootstrapError('command-failed', `${argv.join(' ')} ended with exit code ${output.exitCode}`, {
          hint: 'see its output',
          detail: output.stderr,
        });
      }
      return output;
    },
    async send(url, options) {
      const { method, body } = options;
      log.push({ kind: 'send', method, url, ...(body === undefined ? {} : { body }) });
      return answerRequest(method, url, options);
    },
    async writeFile(path, content, { mode, owner }) {
      const data = bytes(content);
      put(resolve(path, false), { kind: 'file', content: data, mode, owner });
      log.push({ kind: 'write', path, content: readable(data), mode, owner });
    },
    async setAttributes(path, { mode, owner }) {
      const node = nodes.get(resolve(path));
      if (node === undefined || node.kind === 'symlink') throw new Error(`no such file: ${path}`);
      node.mode = mode;
      node.owner = owner;
      log.push({ kind: 'attributes', path, mode, owner });
    },
    async symlink(path, target) {
      put(resolve(path, false), { kind: 'symlink', target });
      log.push({ kind: 'symlink', path, target });
    },
    async replace(from, to) {
      const source = resolve(from, false);
      const target = resolve(to, false);
      const node = nodes.get(source);
      if (node === undefined) throw new Error(`no such file: ${from}`);
      for (const child of within(target)) nodes.delete(child);
      for (const child of within(source)) {
        const moved = nodes.get(child);
        nodes.delete(child);
        if (moved !== undefined) put(posix.join(target, posix.relative(source, child)), moved);
      }
      nodes.delete(source);
      put(target, node);
      log.push({ kind: 'replace', from, to });
    },
    async remove(path) {
      const target = resolve(path, false);
      for (const child of within(target)) nodes.delete(child);
      nodes.delete(target);
      log.push({ kind: 'remove', path });
    },
    async makeDirectory(path, { mode, owner }) {
      put(resolve(path), { kind: 'directory', mode, owner });
      log.push({ kind: 'directory', path, mode, owner });
    },
    async download(source, path, { mode, owner }) {
      const { body, status } = answerRequest('GET', source.url, undefined);
      if (status !== 200) {
        throw new BootstrapError('upstream-refused', `${source.url} answered ${status}`, { hint: 'try again' });
      }
      verify(source, body);
      put(resolve(path, false), { kind: 'file', content: body, mode, owner });
      log.push({ kind: 'download', url: source.url, path, mode, owner });
    },
    async unpack(archive, directory) {
      const files = description.archives?.[archive.url];
      if (files === undefined) throw missing(`archive: ${archive.url}`);
      for (const [name, content] of Object.entries(files)) {
        put(resolve(posix.join(directory, name), false), {
          kind: 'file',
          content: bytes(content),
          mode: 0o755,
          owner: 'root:root',
        });
      }
      log.push({ kind: 'unpack', url: archive.url, directory });
      return Object.keys(files).sort();
    },
  };
  return host;
}

function verify(source: Pinned, content: Uint8Array): void {
  const found = sha256(content);
  if (found === source.sha256) return;
  throw new BootstrapError('checksum-mismatch', `${source.url} has the digest ${found}, not ${source.sha256}`, {
    hint: 'try again',
  });
}

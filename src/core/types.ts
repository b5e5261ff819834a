/**
 * The vocabulary of the program. Everything that decides is a pure function of frozen data; everything that looks
 * goes through {@link HostReader}; everything that changes the host goes through {@link Host}, which only
 * {@link Change.apply} receives.
 */

/** Absolute path on the host. */
export type Path = string;

/** What a finished command left behind. A non-zero exit is data for `query`, an error for `run`. */
export interface CommandOutput {
  /** Exit status; 127 when the program does not exist, 124 when it was ended at its time limit. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface FileStat {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  /** Permission bits only, e.g. 0o644. */
  readonly mode: number;
  /** `user:group`, by name where the name is known, else by number. */
  readonly owner: string;
  readonly sizeBytes: number;
  /** When its content changed last. */
  readonly modifiedAt: Date;
  /** Where a symlink points, as written. */
  readonly linkTarget?: string;
}

/** What a file is to become. `owner` is `user:group` by name. */
export interface FileAttributes {
  readonly mode: number;
  readonly owner: string;
}

export interface TlsOptions {
  /** PEM of the only authority to trust; absent: the host's own store and Node's. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: TlsOptions;
  /** Speak to this Unix socket; the URL then gives only the path. */
  readonly socketPath?: Path;
  /** For the whole exchange, body included. */
  readonly timeoutMs?: number;
}

export interface MutatingRequestOptions extends RequestOptions {
  readonly method: 'PUT' | 'POST' | 'DELETE';
  readonly body?: string;
}

/** What a server said to a TLS handshake on one of an agent's RPC ports. */
export interface HandshakeOptions {
  /** The byte with which the agents tell TLS from other streams on one port. */
  readonly preamble: number;
  /** PEM of the only authority to trust. */
  readonly ca: string;
  /** Our own certificate and key; absent: none is shown. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that its certificate must have. */
  readonly serverName: string;
  /** Judge the server's certificate alone, and not what it says to ours: `accepted` then says only that it is not `foreign`. */
  readonly serverOnly?: boolean;
  readonly timeoutMs: number;
}

/**
 * `accepted`: it is of this authority and takes us for one of its own. `refused`: it is of this authority, and does not.
 * `foreign`: its certificate is of another authority or name. `plain`: it listens and speaks no TLS. `silent`: nothing answers.
 */
export type Handshake = 'accepted' | 'refused' | 'foreign' | 'plain' | 'silent';

/** An answer of any status: a status is data. Only a failure to get an answer is an error (`unreachable`). */
export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Something to be fetched whose content is known beforehand. */
export interface Pinned {
  readonly url: string;
  /** Lower-case hexadecimal SHA-256 of the whole file. */
  readonly sha256: string;
}

/**
 * What Linode's metadata service says of this machine (`/v1/instance`, `/v1/network`).
 * Source: https://techdocs.akamai.com/cloud-computing/docs/metadata-service-api
 */
export interface LinodeMetadata {
  readonly id: number;
  readonly label: string;
  readonly region: string;
  readonly type: string;
  readonly tags: readonly string[];
  /** In the order of eth0, eth1, ...; empty when the Linode has only its default public interface. */
  readonly interfaces: readonly {
    readonly purpose: 'public' | 'vlan' | 'vpc';
    readonly label?: string;
    /** CIDR; given for VLANs only. */
    readonly ipamAddress?: string;
  }[];
  readonly publicIpv4: readonly string[];
  readonly privateIpv4: readonly string[];
}

/** Slow or platform-specific readings that systeminformation makes. */
export interface Inspection {
  readonly manufacturer: string;
  readonly model: string;
  readonly memoryBytes: number;
  readonly swapBytes: number;
  readonly fileSystems: readonly {
    readonly mount: string;
    readonly sizeBytes: number;
    readonly availableBytes: number;
  }[];
}

/** Room on a file system. `availableBytes`: without what is kept back for root. */
export interface Space {
  readonly sizeBytes: number;
  readonly availableBytes: number;
  /** How many files and folders can be in it, and how many more; absent where there is no such bound (btrfs). */
  readonly files?: { readonly most: number; readonly available: number };
}

/** An IPv4 or IPv6 address of an interface. */
export interface InterfaceAddress {
  readonly interface: string;
  /** Without the prefix length. */
  readonly address: string;
  readonly prefixLength: number;
  readonly family: 4 | 6;
}

/** Looks at the host and cannot change it. */
export interface HostReader {
  /** Runs a program of the read-only table; any other is a bug (`query-not-read-only`). */
  query(argv: readonly string[], options?: { readonly timeoutMs?: number }): Promise<CommandOutput>;
  /** The whole content; `undefined` when there is no such file. */
  readFile(path: Path): Promise<Uint8Array | undefined>;
  /** The same as UTF-8 text. */
  readText(path: Path): Promise<string | undefined>;
  /** Names in a directory, sorted; `undefined` when there is no such directory. */
  list(path: Path): Promise<readonly string[] | undefined>;
  /** Does not follow a symlink. `undefined`: not there. */
  stat(path: Path): Promise<FileStat | undefined>;
  /** A GET. Throws `unreachable` when no answer came. */
  request(url: string, options?: RequestOptions): Promise<HttpResponse>;
  /** Never throws: whatever happens is an answer. */
  handshake(address: string, port: number, options: HandshakeOptions): Promise<Handshake>;
  /** `undefined` when there is no metadata service within the given time. */
  linodeMetadata(timeoutMs: number): Promise<LinodeMetadata | undefined>;
  addresses(): readonly InterfaceAddress[];
  /** The kernel's word for the processor, as `uname -m` prints it: `x86_64`, `aarch64`. */
  machine(): string;
  /** Room on the file system that holds `path`; `undefined` when there is no such path. */
  space(path: Path): Promise<Space | undefined>;
  inspect(): Promise<Inspection>;
  now(): Date;
  /** Ends early, with an error, when the run is interrupted. */
  sleep(ms: number): Promise<void>;
  /** Tells whoever watches that something outside is waited for. */
  waiting(message: string, waitedSeconds: number): void;
}

/** Changes the host. Every file operation is atomic and on disk when it returns. */
export interface Host extends HostReader {
  /** Throws `command-failed` with the last lines of stderr on a non-zero exit. */
  run(
    argv: readonly string[],
    options?: {
      readonly stdin?: string;
      readonly env?: Readonly<Record<string, string>>;
      readonly timeoutMs?: number;
      readonly onLine?: (line: string) => void;
    },
  ): Promise<CommandOutput>;
  send(url: string, options: MutatingRequestOptions): Promise<HttpResponse>;
  writeFile(path: Path, content: string | Uint8Array, attributes: FileAttributes): Promise<void>;
  setAttributes(path: Path, attributes: FileAttributes): Promise<void>;
  symlink(path: Path, target: string): Promise<void>;
  /** Renames within one file system. */
  replace(from: Path, to: Path): Promise<void>;
  /** Removes a file, a link or a whole directory; nothing happens when it is not there. */
  remove(path: Path): Promise<void>;
  /** Makes the directory and its missing parents; an existing one gets the attributes. */
  makeDirectory(path: Path, attributes: FileAttributes): Promise<void>;
  /** Fetches, verifies the digest, then moves into place: never an unverified byte at `path`. */
  download(source: Pinned, path: Path, attributes: FileAttributes): Promise<void>;
  /** Fetches and verifies a .tar.gz, unpacks it beside `directory`, then moves its files in one by one. Returns their names. */
  unpack(archive: Pinned, directory: Path): Promise<readonly string[]>;
}

/** `kind:subject`, e.g. `file:/etc/sysctl.d/90-nomad.conf` or `agent:nomad`. */
export type ResourceId = string;

/** How to take a change back, as JSON data. Its kinds and their meaning: resources/undo.ts. */
export interface Undo {
  readonly kind: string;
  readonly [key: string]: unknown;
}

export interface Change {
  /** One line in the imperative, for people: "install nomad 2.0.7". */
  readonly summary: string;
  /** Unified diff or a short listing, secrets redacted. */
  readonly diff?: string;
  readonly undo: Undo;
  /** Returns only when its effect can be read. Without a `course` there is no run that it is a part of. */
  apply(host: Host, course?: Course): Promise<void>;
}

/** What a change that is being made may know of the run around it. */
export interface Course {
  /**
   * Waits for the end of a step, or of a part of it that it tells of (`packages/downloads`): what can be got ready at once may have
   * to take effect after another. Throws when something has failed in the meantime, or a signal has come: what waits has had no effect yet.
   */
  ended(what: string): Promise<void>;
  /** Tells that a part of the step at hand has ended; its end does the same. */
  endPart(part: string): void;
}

/** One idempotent piece of state. */
export interface Resource {
  readonly id: ResourceId;
  /**
   * What is still to be done, or `undefined`. `before` holds the changes announced earlier and not yet applied, so that
   * a resource can count on what they will bring.
   */
  plan(host: HostReader, before: ReadonlySet<ResourceId>): Promise<Change | undefined>;
}

/** A named group of resources: a pure function of the target. */
export interface Step<T> {
  readonly id: string;
  /** A noun phrase for the state it makes: "Kernel features for bridge networking". */
  readonly title: string;
  /** The steps that must have ended first, or parts of them ({@link Course}). Default: the step before it in the list. */
  readonly after?: readonly string[];
  appliesTo?(target: T): boolean;
  resources(target: T): readonly Resource[];
}

export type CheckStatus = 'pass' | 'warn' | 'fail' | 'skip';

export interface CheckOutcome {
  readonly status: CheckStatus;
  /** What was found, in a few words. For a skip: why. */
  readonly detail: string;
  /** What to do. Always there for warn and fail. */
  readonly hint?: string;
  /** More lines, shown with --verbose: what differs. Secrets redacted. */
  readonly diff?: string;
}

/** A named question about the node or the cluster. */
export interface Check<T> {
  readonly id: string;
  /** An assertion: "Nomad has a leader". */
  readonly title: string;
  /** Ids of checks without which this one says nothing: it is skipped when one of them failed. */
  readonly needs?: readonly string[];
  /** Default 5000. Past it the check has failed. */
  readonly timeoutMs?: number;
  /** A failure that may pass by itself (an election, say) counts only when it is still there this much later. */
  readonly confirmMs?: number | ((failure: CheckOutcome) => number | undefined);
  appliesTo?(target: T): boolean;
  run(host: HostReader, target: T): Promise<CheckOutcome>;
}

export interface CheckResult extends CheckOutcome {
  readonly id: string;
  readonly title: string;
  readonly durationMs: number;
}

export interface AnnouncedChange {
  readonly id: ResourceId;
  readonly step: string;
  readonly summary: string;
  readonly diff?: string;
}

/** Everything that a run tells. Reporters render it; `--json` prints one a line. */
export type Event =
  | { readonly type: 'run-started'; readonly command: string; readonly version: string; readonly dryRun: boolean }
  | { readonly type: 'notice'; readonly level: 'info' | 'warning'; readonly message: string }
  | { readonly type: 'planned'; readonly changes: readonly AnnouncedChange[]; readonly dryRun: boolean }
  | { readonly type: 'step-started'; readonly step: string; readonly title: string }
  | { readonly type: 'step-finished'; readonly step: string; readonly durationMs: number }
  | { readonly type: 'change-started'; readonly id: ResourceId; readonly step: string; readonly summary: string }
  | { readonly type: 'change-applied'; readonly id: ResourceId; readonly step: string; readonly durationMs: number }
  | { readonly type: 'change-satisfied'; readonly id: ResourceId; readonly step: string }
  | { readonly type: 'progress'; readonly subject: string; readonly doneBytes: number; readonly totalBytes?: number }
  | { readonly type: 'waiting'; readonly message: string; readonly waitedSeconds: number }
  | {
      readonly type: 'command';
      readonly argv: readonly string[];
      readonly exitCode: number;
      readonly durationMs: number;
      readonly output: string;
    }
  | {
      readonly type: 'request';
      readonly method: string;
      readonly url: string;
      readonly status?: number;
      readonly durationMs: number;
    }
  | { readonly type: 'checked'; readonly result: CheckResult }
  | {
      readonly type: 'finished';
      readonly outcome: 'converged' | 'forming' | 'planned';
      readonly changes: number;
      readonly message: string;
      readonly durationMs: number;
    }
  | {
      readonly type: 'failed';
      readonly code: string;
      readonly message: string;
      readonly hint: string;
      readonly detail?: string;
    };

/** Receives events and renders them. Never throws. */
export interface Reporter {
  report(event: Event): void;
}

import { type ExitCode, exitCodes } from './exit-codes.ts';

interface ErrorCodeEntry {
  readonly exitCode: ExitCode;
  /** One sentence for the documentation. */
  readonly meaning: string;
}

/** Every expected failure, with what it means and how the process then exits. docs/errors.md lists the same. */
export const errorCodes = {
  // The command line or the configuration is wrong: nothing was touched.
  'bad-usage': { exitCode: exitCodes.usage, meaning: 'The command line could not be understood.' },
  'bad-setting': {
    exitCode: exitCodes.usage,
    meaning: 'A flag, environment variable or key of the --config file has a value that cannot be used.',
  },
  'bad-config-file': { exitCode: exitCodes.usage, meaning: 'The --config file cannot be read or is not valid YAML.' },
  'expect-missing': {
    exitCode: exitCodes.usage,
    meaning: 'A server that joins others was not told how many servers there will be.',
  },
  'join-missing': { exitCode: exitCodes.usage, meaning: 'A client was not told which servers to join.' },
  'role-unknown': {
    exitCode: exitCodes.usage,
    meaning: 'Nothing says what `auto` is to make of this machine: neither tags of a Linode nor an earlier run.',
  },
  'insecure-not-said': {
    exitCode: exitCodes.usage,
    meaning:
      'A cluster without a token is not encrypted and has no access control; that must be asked for with --insecure.',
  },
  'insecure-network': {
    exitCode: exitCodes.usage,
    meaning: 'An insecure cluster is refused on an address that strangers can reach.',
  },
  'settings-conflict': {
    exitCode: exitCodes.usage,
    meaning: 'A setting contradicts what this node was bootstrapped with.',
  },
  'bad-token': {
    exitCode: exitCodes.usage,
    meaning: 'What was given as the token is none, or is mistyped, truncated or padded.',
  },
  'wrong-token': {
    exitCode: exitCodes.usage,
    meaning:
      "The token is of the wrong kind or of another cluster, or this node's cluster was made with another or without one.",
  },
  'downgrade-refused': {
    exitCode: exitCodes.usage,
    meaning: 'The version asked for is older than the installed one; agents migrate their state and cannot go back.',
  },
  'newer-than-servers': {
    exitCode: exitCodes.usage,
    meaning: "The version asked for is newer than that of the cluster's servers, which are upgraded before clients.",
  },
  // This machine cannot be bootstrapped as it is: nothing was touched.
  'not-root': {
    exitCode: exitCodes.unsupported,
    meaning: 'The command changes or inspects the system and needs root.',
  },
  'unsupported-os': {
    exitCode: exitCodes.unsupported,
    meaning: 'The operating system, its version or its architecture is not supported.',
  },
  'preflight-failed': { exitCode: exitCodes.unsupported, meaning: 'A check that comes before any change failed.' },
  'network-undecided': {
    exitCode: exitCodes.unsupported,
    meaning: 'Which address to cluster on cannot be told without guessing.',
  },
  'identity-unknown': {
    exitCode: exitCodes.unsupported,
    meaning: "This is a Linode, but neither its metadata service nor cloud-init's cache says which.",
  },
  'not-bootstrapped': {
    exitCode: exitCodes.unsupported,
    meaning: 'The command needs a node that was bootstrapped, and this one was not.',
  },
  'record-unreadable': {
    exitCode: exitCodes.unsupported,
    meaning: 'What this node was bootstrapped as was recorded, and the record cannot be understood.',
  },
  'journal-missing': {
    exitCode: exitCodes.unsupported,
    meaning: 'This machine was bootstrapped, but the journal that says what was made here is gone.',
  },
  'journal-unknown': {
    exitCode: exitCodes.unsupported,
    meaning: 'The journal has an entry that this release does not understand: a later one wrote it, or it is damaged.',
  },
  locked: { exitCode: exitCodes.locked, meaning: 'Another run of nomad-bootstrap is under way on this machine.' },
  // Something did not work out.
  unreachable: { exitCode: exitCodes.failed, meaning: 'A server could not be reached.' },
  'upstream-refused': { exitCode: exitCodes.failed, meaning: 'An upstream answered with an error.' },
  'checksum-mismatch': {
    exitCode: exitCodes.failed,
    meaning: 'A download is not what it should be and was thrown away.',
  },
  'archive-refused': {
    exitCode: exitCodes.failed,
    meaning: 'A downloaded archive is damaged, or holds something other than plain files.',
  },
  'key-not-accepted': {
    exitCode: exitCodes.failed,
    meaning: "A repository's signing key is not one of the accepted keys.",
  },
  'version-not-found': { exitCode: exitCodes.failed, meaning: 'The repository does not have the version asked for.' },
  'package-lock': { exitCode: exitCodes.failed, meaning: 'The package manager stayed locked by another process.' },
  'packages-failed': { exitCode: exitCodes.failed, meaning: 'The package transaction failed.' },
  'command-failed': { exitCode: exitCodes.failed, meaning: 'A command ended with an error.' },
  'config-refused': {
    exitCode: exitCodes.failed,
    meaning: 'The agent itself refuses the configuration; the former one was kept.',
  },
  'agent-not-starting': {
    exitCode: exitCodes.failed,
    meaning: 'An agent did not come up with its configuration; the former one was put back.',
  },
  'agent-silent': { exitCode: exitCodes.failed, meaning: 'An agent of this node does not answer.' },
  'agent-refused': { exitCode: exitCodes.failed, meaning: 'An agent of this node answered with an error.' },
  'agent-unreadable': {
    exitCode: exitCodes.failed,
    meaning: 'An agent of this node, or something else in its place, answered what cannot be understood.',
  },
  'acl-bootstrapped-by-another': {
    exitCode: exitCodes.failed,
    meaning: "Nomad's access control was taken over by somebody who does not have this cluster's token.",
  },
  'acl-conflict': {
    exitCode: exitCodes.failed,
    meaning: 'An object of access control that the cluster needs exists with another content that cannot be changed.',
  },
  'would-lose-quorum': {
    exitCode: exitCodes.failed,
    meaning: 'Restarting or removing this server now could cost the cluster its quorum.',
  },
  'snapshot-failed': {
    exitCode: exitCodes.failed,
    meaning: "The state of a server's cluster could not be saved, which has to come before an upgrade.",
  },
  'not-healthy': {
    exitCode: exitCodes.failed,
    meaning: 'Everything is in place, but the node or the cluster did not become healthy in time.',
  },
  'disk-full': { exitCode: exitCodes.failed, meaning: 'A file could not be written because the disk is full.' },
  'read-only': {
    exitCode: exitCodes.failed,
    meaning: 'A file could not be written because its file system is read-only.',
  },
  'file-refused': {
    exitCode: exitCodes.failed,
    meaning: 'A file could not be read or written: something else is in its place, or the system does not allow it.',
  },
  'not-converged': {
    exitCode: exitCodes.failed,
    meaning: 'A change was made, and yet the host is not as it should be.',
  },
  // Bugs.
  'unannounced-change': {
    exitCode: exitCodes.bug,
    meaning: 'A change became necessary that the plan did not announce.',
  },
  'query-not-read-only': {
    exitCode: exitCodes.bug,
    meaning: 'A program was to be run as a query that is not on the read-only table.',
  },
  // Signals.
  interrupted: { exitCode: exitCodes.interrupted, meaning: 'The run was interrupted (Ctrl-C).' },
  terminated: { exitCode: exitCodes.terminated, meaning: 'The run was told to end (SIGTERM).' },
} as const satisfies Record<string, ErrorCodeEntry>;

export type ErrorCode = keyof typeof errorCodes;

/**
 * An expected failure: what happened (`message`), what the tool said (`detail`, its last lines), what the operator can do
 * (`hint`). Anything else that is thrown is a bug.
 */
export class BootstrapError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly detail: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint: string; detail?: string | undefined; cause?: unknown },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'BootstrapError';
    this.code = code;
    this.hint = options.hint;
    this.detail = options.detail;
  }

  get exitCode(): ExitCode {
    return errorCodes[this.code].exitCode;
  }
}

/** The same error under the same code, for errors whose reader only wants the code. */
export function hasCode(error: unknown, code: ErrorCode): error is BootstrapError {
  return error instanceof BootstrapError && error.code === code;
}

/** Carried as the cause of an `unreachable` error: what stood in the way, so that whoever asked can say what to do. */
export interface Obstacle {
  /** `nobody` listens there; `late`: no answer in time; `tls`: the handshake or a certificate; `other`: not HTTP, or broken off. */
  readonly obstacle: 'nobody' | 'late' | 'tls' | 'other';
  /** In words. */
  readonly reason: string;
  /** What was thrown. */
  readonly cause?: unknown;
}

/** What stood in the way of a request; `undefined` where the error does not tell. */
export function obstacleOf(error: BootstrapError): Obstacle | undefined {
  const cause = error.cause as Partial<Obstacle> | undefined;
  return cause?.obstacle === undefined ? undefined : (cause as Obstacle);
}

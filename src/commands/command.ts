import type { CommandName, Settings } from '../config/options.ts';
import type { Recorded } from '../config/record.ts';
import type { ExitCode } from '../core/exit-codes.ts';
import type { Journal } from '../core/journal.ts';
import type { Secret } from '../core/secret.ts';
import type { Host, Reporter } from '../core/types.ts';

/** Where a token can come from, the first that has one: the operator, what was recorded, a prompt on the terminal. */
export interface TokenSources {
  /** From --token-file, else from NOMAD_BOOTSTRAP_TOKEN. */
  readonly given: Secret | undefined;
  /** What the last run on this machine was given, where this user may read it. */
  readonly recorded: Secret | undefined;
  /** Asks on the terminal without showing what is typed; `undefined` where there is none, or nothing was typed. */
  ask(question: string): Promise<Secret | undefined>;
  /** From now on the secret is hidden wherever anything is told or logged. */
  hide(secret: Secret): void;
}

/** All that a command gets. */
export interface CommandContext {
  readonly command: RunnableCommand;
  /** The word after the command, where it takes one: `create` of `token create`. */
  readonly action: string | undefined;
  readonly settings: Settings;
  /** The settings that were given on the command line. */
  readonly flags: ReadonlySet<string>;
  readonly token: TokenSources;
  /** The token of Linode's API, where the operator gave one. */
  readonly linodeToken: Secret | undefined;
  /** NOMAD_TOKEN of whoever called: a token of Nomad's, for what this node's own may not do. */
  readonly nomadToken: Secret | undefined;
  /** What the last finished run on this machine was for. */
  readonly recorded: Recorded | undefined;
  readonly host: Host;
  readonly journal: Journal;
  readonly reporter: Reporter;
  /** Aborted by Ctrl-C and SIGTERM, with the error to end with. */
  readonly signal: AbortSignal;
  readonly version: string;
  /** Whether standard output is for a person's eyes and shows colours. */
  readonly colour: boolean;
  /** Prints what was asked for to standard output. */
  answer(text: string): void;
}

/** A command's module: what it does, and how it went. Failures are thrown. */
export interface Command {
  run(context: CommandContext): Promise<ExitCode>;
}

/** A completion script is printed by the parser itself. */
export type RunnableCommand = Exclude<CommandName, 'completion'>;

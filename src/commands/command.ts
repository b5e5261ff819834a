import type { CommandName, Settings } from '../config/options.ts';
import type { Recorded } from '../config/record.ts';
import type { ExitCode } from '../core/exit-codes.ts';
import type { Journal } from '../core/journal.ts';
import type { Host, Reporter } from '../core/types.ts';

/** All that a command gets. */
export interface CommandContext {
  readonly command: RunnableCommand;
  readonly settings: Settings;
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

/** What main must know of a command before it loads it. */
export interface CommandNeeds {
  /** Changes the host: takes the lock, writes the log. */
  readonly changesHost: boolean;
  readonly root: boolean;
  load(): Promise<Command>;
}

/** Each is loaded when it is called, so that none pays for the others' libraries. */
export const commands: Readonly<Record<RunnableCommand, CommandNeeds>> = {
  server: { changesHost: true, root: true, load: () => import('./bootstrap.ts') },
  client: { changesHost: true, root: true, load: () => import('./bootstrap.ts') },
  dev: { changesHost: true, root: true, load: () => import('./bootstrap.ts') },
  image: { changesHost: true, root: true, load: () => import('./bootstrap.ts') },
  verify: { changesHost: false, root: true, load: () => import('./verify.ts') },
  facts: { changesHost: false, root: false, load: () => import('./facts.ts') },
};

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

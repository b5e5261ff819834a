import type { Command, RunnableCommand } from './command.ts';

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
  token: { changesHost: false, root: false, load: () => import('./token.ts') },
  facts: { changesHost: false, root: false, load: () => import('./facts.ts') },
};

import type { Settings } from '../config/options.ts';
import type { Command, RunnableCommand } from './command.ts';

/** What main must know of a command before it loads it. */
export interface CommandNeeds {
  /** Whether a run with these settings changes the host: it then takes the lock and writes the log. */
  changesHost(settings: Settings): boolean;
  readonly root: boolean;
  load(): Promise<Command>;
}

const always = (): boolean => true;
const never = (): boolean => false;

/** Each is loaded when it is called, so that none pays for the others' libraries. */
export const commands: Readonly<Record<RunnableCommand, CommandNeeds>> = {
  server: { changesHost: always, root: true, load: () => import('./bootstrap.ts') },
  client: { changesHost: always, root: true, load: () => import('./bootstrap.ts') },
  auto: { changesHost: always, root: true, load: () => import('./bootstrap.ts') },
  dev: { changesHost: always, root: true, load: () => import('./bootstrap.ts') },
  image: { changesHost: always, root: true, load: () => import('./bootstrap.ts') },
  uninstall: { changesHost: always, root: true, load: () => import('./uninstall.ts') },
  verify: { changesHost: ({ timer }) => timer === true, root: true, load: () => import('./verify.ts') },
  renew: { changesHost: always, root: true, load: () => import('./renew.ts') },
  token: { changesHost: never, root: false, load: () => import('./token.ts') },
  facts: { changesHost: never, root: false, load: () => import('./facts.ts') },
};

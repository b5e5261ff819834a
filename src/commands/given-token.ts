import { BootstrapError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import { type ClientToken, parseToken, type ServerToken } from '../token/format.ts';
import type { CommandContext } from './command.ts';

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

/** The token for the `token` command. Throws `bad-token`, and `bad-usage` where there is none. */
export async function requireToken({ token, action }: CommandContext): Promise<ServerToken | ClientToken> {
  const text = token.given ?? token.recorded ?? (await token.ask('Server token (not shown): '));
  if (text === undefined) {
    throw new BootstrapError('bad-usage', `token ${action} needs the server token`, {
      hint: 'give it with --token-file FILE or in NOMAD_BOOTSTRAP_TOKEN; on a server run it as root: it is recorded there',
    });
  }
  token.hide(text);
  return parseToken(text);
}

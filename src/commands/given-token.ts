import { BootstrapError } from '../core/errors.ts';
import { type ClientToken, parseToken, type ServerToken } from '../token/format.ts';
import type { CommandContext } from './command.ts';

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

import { type NodeConfig, searchesToJoin } from '../config/config.ts';
import { apiTokenIn, consulEnvironmentPath, withApiToken } from '../config/linode-search.ts';
import { BootstrapError } from '../core/errors.ts';
import { Secret } from '../core/secret.ts';
import type { CommandContext } from './command.ts';

/**
 * The whole of Consul's environment on a node that finds the others by Linode's API: what stands there, and the API's token in it, as it
 * was given, else as it is there already, else as it is typed. On a node that no longer does, the rest without the token. `undefined`
 * where it is nobody's business but the operator's. Throws `bad-setting` for a token that is missing, cannot be one, or is of no use.
 */
export async function consulEnvironment(
  { host, linodeToken, recorded, token }: CommandContext,
  node: NodeConfig | undefined,
): Promise<Secret | undefined> {
  if (!searches(node)) {
    if (linodeToken !== undefined) {
      throw new BootstrapError(
        'bad-setting',
        "a token of Linode's API is of no use here: nothing is looked for by that API",
        {
          hint: 'leave it away, or say --join linode:tag=TAG. Nothing was touched.',
        },
      );
    }
    if (!searches(recorded?.config.node)) return undefined;
    return new Secret(withApiToken((await host.readText(consulEnvironmentPath)) ?? '', undefined));
  }
  const present = (await host.readText(consulEnvironmentPath)) ?? '';
  const secret = linodeToken ?? apiTokenIn(present) ?? (await token.ask("Token of Linode's API (not shown): "));
  if (secret === undefined) {
    throw new BootstrapError('bad-setting', "--join linode:... needs a token of Linode's API", {
      hint: `make one that may read Linodes and IPs, and no more, in Cloud Manager under API Tokens; give it with --linode-token-file FILE or in NOMAD_BOOTSTRAP_LINODE_TOKEN. Nothing was touched.`,
    });
  }
  const text = secret.reveal().trim();
  token.hide(new Secret(text));
  if (!/^[A-Za-z0-9._-]{16,256}$/.test(text)) {
    throw new BootstrapError('bad-setting', "what was given as the token of Linode's API is none", {
      hint: 'it is one line of letters and digits; copy it again, or make another one. Nothing was touched.',
    });
  }
  return new Secret(withApiToken(present, text));
}

/** The same on a node that is there, for comparing: with a line that cannot be right where the token is gone. */
export async function recordedConsulEnvironment({
  host,
  recorded,
  token,
}: CommandContext): Promise<Secret | undefined> {
  if (!searches(recorded?.config.node)) return undefined;
  const present = (await host.readText(consulEnvironmentPath)) ?? '';
  const known = apiTokenIn(present);
  if (known === undefined) return new Secret(withApiToken(present, '(gone)'));
  token.hide(known);
  return new Secret(present);
}

function searches(node: NodeConfig | undefined): boolean {
  return node !== undefined && searchesToJoin(node).length > 0;
}

import type { Role } from '../config/config.ts';
import { BootstrapError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import { type Credentials, credentialsOf, secretsOf } from '../token/credentials.ts';
import { parseToken } from '../token/format.ts';
import type { CommandContext } from './command.ts';

/**
 * What follows from the cluster's token, and hides all of it from every report; `undefined` in a cluster without one. Throws
 * `bad-token`, and `wrong-token` for a token that does not belong to this role or to what this node is already.
 */
export async function clusterCredentials(
  context: CommandContext,
  role: Role | 'image',
): Promise<Credentials | undefined> {
  const { settings, recorded, token } = context;
  if (role !== 'server' && role !== 'client') {
    if (token.given === undefined) return undefined;
    throw new BootstrapError('wrong-token', `${role} makes no cluster, and takes no token`, {
      hint: `unset NOMAD_BOOTSTRAP_TOKEN and leave --token-file away; server and client take one. Nothing was touched.`,
    });
  }
  const former = recorded?.config.node;
  // A field of a form that was left empty: it counts once a token is needed.
  const given = token.given?.reveal().trim() === '' ? undefined : token.given;
  const asksForInsecure = settings.insecure === true && (former === undefined || context.flags.has('insecure'));
  if (given !== undefined && asksForInsecure) {
    throw new BootstrapError('bad-usage', 'a token and --insecure contradict each other', {
      hint: 'for a secure cluster leave --insecure away, also as NOMAD_BOOTSTRAP_INSECURE and in the --config file; for an insecure one the token. Nothing was touched.',
    });
  }
  if (former?.insecure === true && given !== undefined) {
    throw new BootstrapError(
      'wrong-token',
      "this node's cluster was made without a token, and cannot take one on in place",
      {
        hint: 'make a new cluster with the token on fresh nodes, run the jobs there, then take this one away with nomad-bootstrap uninstall. Nothing was touched.',
      },
    );
  }
  if (former?.insecure === false && settings.insecure === true) {
    throw new BootstrapError(
      'settings-conflict',
      "this node's cluster has a token, and cannot become insecure in place",
      {
        hint: 'leave --insecure away. Nothing was touched.',
      },
    );
  }
  if (settings.insecure === true) return undefined;

  const text = token.given ?? token.recorded ?? (await token.ask("The cluster's token (not shown; none: Enter): "));
  if (text === undefined) return undefined;
  token.hide(text);
  const parsed = parseToken(text);
  refuseOtherKind(role, parsed.kind, settings.tokenFile);
  if (token.recorded !== undefined && token.recorded.reveal().trim() !== parsed.text.reveal()) {
    throw new BootstrapError('wrong-token', 'this is not the token that this node was made with', {
      hint: 'leave it away: the recorded one is used. A token cannot be changed in place; a node moves to another cluster on a fresh machine, or after nomad-bootstrap uninstall --purge-data. Nothing was touched.',
    });
  }
  return hidden(await credentialsOf(parsed, await ownAuthority(context)), token.hide);
}

/** The credentials of a node that is there, for asking its agents. Throws `wrong-token` where its token is gone. */
export async function recordedCredentials(context: CommandContext): Promise<Credentials | undefined> {
  const { recorded, token } = context;
  if (recorded?.config.node?.insecure !== false) return undefined;
  if (token.recorded === undefined) {
    throw new BootstrapError('wrong-token', "this node's token is no longer in /etc/nomad-bootstrap/token", {
      hint: `run it again with the token: nomad-bootstrap ${recorded.config.node.role} --token-file FILE`,
    });
  }
  return hidden(await credentialsOf(parseToken(token.recorded), await ownAuthority(context)), token.hide);
}

/** The authority's certificate as this node's agents have it. */
function ownAuthority({ host }: CommandContext): Promise<string | undefined> {
  return host.readText('/etc/nomad.d/tls/ca.pem').catch(() => undefined);
}

function hidden(credentials: Credentials, hide: (secret: Secret) => void): Credentials {
  for (const secret of secretsOf(credentials)) hide(secret);
  return credentials;
}

function refuseOtherKind(role: Role, kind: 'server' | 'client', file: string | undefined): void {
  if (role === kind) return;
  const path = file ?? 'FILE';
  throw new BootstrapError(
    'wrong-token',
    kind === 'server'
      ? 'this is a server token, and a client must not have it'
      : 'this is a client token, which makes no server',
    {
      hint:
        kind === 'server'
          ? `make the client token where the server token is, and bring only that here: nomad-bootstrap token client --token-file ${path} > client.token. Nothing was touched.`
          : 'give the token that `nomad-bootstrap token create` made. Nothing was touched.',
    },
  );
}

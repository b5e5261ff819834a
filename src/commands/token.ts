import { BootstrapError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { type Credentials, clientTokenOf, credentialsOf } from '../token/credentials.ts';
import { createServerToken } from '../token/format.ts';
import type { CommandContext } from './command.ts';
import { requireToken } from './given-token.ts';

/** `token create`, `token client` and `token show`: the secrets of a cluster, on any machine and without root. */
export async function run(context: CommandContext): Promise<ExitCode> {
  const { action, settings, host, answer } = context;
  switch (action) {
    case 'create': {
      refuse(context, ['kind', 'tokenFile']);
      answer(`${createServerToken(host.now(), settings).reveal()}\n`);
      return exitCodes.converged;
    }
    case 'client': {
      refuse(context, ['kind', 'region', 'datacenter']);
      const token = await requireToken(context);
      if (token.kind === 'client') {
        throw new BootstrapError('wrong-token', 'this is a client token already', {
          hint: 'give it to `nomad-bootstrap client`, or make another from the server token',
        });
      }
      answer(`${(await clientTokenOf(token)).reveal()}\n`);
      return exitCodes.converged;
    }
    default: {
      refuse(context, ['region', 'datacenter']);
      if (settings.kind === undefined) {
        throw new BootstrapError('bad-usage', 'token show must be told which secret to show', {
          hint: 'give one with --kind; nomad-management is what a log-in to the UI asks for',
        });
      }
      const credentials = await credentialsOf(await requireToken(context));
      answer(`${shown(credentials, settings.kind).trimEnd()}\n`);
      return exitCodes.converged;
    }
  }
}

function shown(credentials: Credentials, kind: NonNullable<CommandContext['settings']['kind']>): string {
  if (kind === 'ca-certificate') return credentials.caCertificate;
  if (kind === 'consul-gossip') return credentials.consulGossip.reveal();
  if (credentials.kind === 'client') {
    throw new BootstrapError('wrong-token', `a client token does not hold ${kind}`, {
      hint: 'ask with the server token, or on a server',
    });
  }
  const { nomadManagement, consulManagement, nomadGossip } = credentials;
  return { 'nomad-management': nomadManagement, 'consul-management': consulManagement, 'nomad-gossip': nomadGossip }[
    kind
  ].reveal();
}

/** Options of another action say that something else was meant. */
function refuse({ action, flags }: CommandContext, names: readonly ('kind' | 'tokenFile' | 'region' | 'datacenter')[]) {
  const given = names.find(name => flags.has(name));
  if (given === undefined) return;
  const flag = given === 'tokenFile' ? 'token-file' : given;
  throw new BootstrapError('bad-usage', `token ${action} does not take --${flag}`, {
    hint: '`nomad-bootstrap token --help` says what each action takes. Nothing was touched.',
  });
}

import type { CommandContext } from './commands/command.ts';
import { linodeTokenVariable, tokenVariable } from './config/load.ts';
import type { Settings } from './config/options.ts';
import { tokenPath } from './config/record.ts';
import { BootstrapError } from './core/errors.ts';
import { Secret } from './core/secret.ts';
import type { Path, Reporter } from './core/types.ts';
import { isReadableByAll, readGiven, readText } from './host/files.ts';
import { askSecret } from './host/prompt.ts';

/** What is shorter is no secret but a slip, and would be hidden in the midst of other words. */
const shortestSecret = 8;

/** A client token, the longest, has 2300 bytes. A device without end, or a disk image that was named by a slip, is not read whole. */
const mostTokenBytes = 2 ** 14;

/**
 * The secrets that were given or recorded, from the first moment hidden from every report by `hide`. Throws `bad-setting` for a file that
 * cannot be read; whether they are tokens is not looked at.
 */
export async function givenSecrets(
  environment: Readonly<Record<string, string | undefined>>,
  { tokenFile, linodeTokenFile }: Settings,
  hide: (secret: Secret) => void,
  reporter: Reporter,
): Promise<Pick<CommandContext, 'token' | 'linodeToken' | 'nomadToken'>> {
  const hideUnlessShort = (secret: Secret): void => {
    if (secret.reveal().trim().length >= shortestSecret) hide(secret);
  };
  const hidden = (text: string | undefined): Secret | undefined => {
    if (text === undefined || text === '') return undefined;
    const secret = new Secret(text);
    hideUnlessShort(secret);
    return secret;
  };
  const fileOr = async (flag: keyof typeof files, path: Path | undefined, variable: string) =>
    path === undefined ? environment[variable] : await readTokenFile(flag, path, reporter);

  return {
    token: {
      given: hidden(await fileOr('--token-file', tokenFile, tokenVariable)),
      recorded: hidden(await readText(tokenPath).catch(() => undefined)),
      ask: askSecret,
      hide: hideUnlessShort,
    },
    // What is recorded of it is where Consul reads it.
    linodeToken: hidden((await fileOr('--linode-token-file', linodeTokenFile, linodeTokenVariable))?.trim()),
    nomadToken: hidden(environment['NOMAD_TOKEN']),
  };
}

const files = {
  '--token-file': {
    hint: 'name the file that `nomad-bootstrap token create` or `token client` was written to. Nothing was touched.',
    holds: "the cluster's token",
    form: /^\s*nb/,
  },
  '--linode-token-file': {
    hint: "name the file that holds the token of Linode's API. Nothing was touched.",
    holds: "the token of Linode's API",
    form: /^\s*\S+\s*$/,
  },
} as const;

async function readTokenFile(flag: keyof typeof files, path: Path, reporter: Reporter): Promise<string> {
  const { hint, holds, form } = files[flag];
  const text = await readGiven(path, mostTokenBytes).catch((error: Error) => {
    throw new BootstrapError('bad-setting', `${flag} ${path} cannot be read: ${error.message}`, { hint });
  });
  // Whether one is needed is not known here.
  if (text.trim() === '') reporter.report({ type: 'notice', level: 'warning', message: `${flag} ${path} is empty` });
  // What is no token is told so later, and may be any file.
  if (form.test(text) && (await isReadableByAll(path))) {
    const message = `everyone on this machine can read ${path}, which holds ${holds}: chmod 600 ${path}`;
    reporter.report({ type: 'notice', level: 'warning', message });
  }
  return text;
}

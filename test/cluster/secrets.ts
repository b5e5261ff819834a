/** Where the secrets of a cluster with a token are, of all places that can be looked at. */
import { createRedactor } from '../../src/core/redact.ts';
import { Secret } from '../../src/core/secret.ts';
import { type ServerCredentials, secretsOf, serverCredentials } from '../../src/token/credentials.ts';
import { parseToken } from '../../src/token/format.ts';
import type { LabNode } from '../lab/lab.ts';

/** A cluster's tokens as they were printed, with all that follows from them. */
export interface ClusterSecrets {
  readonly server: string;
  readonly client: string;
  readonly credentials: ServerCredentials;
  /** What only servers may hold, the token among it. */
  readonly ofServers: readonly Secret[];
  readonly all: readonly Secret[];
}

export async function clusterSecrets(server: string, client: string): Promise<ClusterSecrets> {
  const token = parseToken(new Secret(server));
  if (token.kind !== 'server') throw new Error('not a server token');
  const credentials = await serverCredentials(token);
  const authorityKey = Buffer.from(credentials.authority.key.reveal(), 'hex').toString('base64');
  const derived = [...secretsOf(credentials), token.seed, new Secret(authorityKey)];
  const ofClients = secretsOf(parseToken(new Secret(client)));
  const known = new Set(ofClients.map(secret => secret.reveal()));
  return {
    server,
    client,
    credentials,
    ofServers: derived.filter(secret => !known.has(secret.reveal())),
    all: [...derived, ...ofClients],
  };
}

/** The lines of a text that hold a secret in any form that the product itself knows to hide, without it. */
export function leaksOf(secrets: readonly Secret[]): (text: string) => readonly string[] {
  const redactor = createRedactor(secrets);
  return text =>
    text
      .split('\n')
      .filter(line => redactor.text(line) !== line)
      .map(line => redactor.text(line).slice(0, 300));
}

/** The telling lines of all secrets, as they stand in files. A key's last line is of its public half, as in its certificate. */
function patterns(secrets: readonly Secret[]): string {
  const lines = secrets.flatMap(secret => {
    const [first = '', ...rest] = secret.reveal().trim().split('\n');
    return first.startsWith('-----') ? rest.slice(0, -2) : [first, ...rest];
  });
  return [...new Set(lines.filter(line => line.length >= 16))].join('\n');
}

/** Every file of a node that holds one of the secrets, with who may read it: `nobody`, `nomad`, `consul`. */
export async function filesWith(
  node: LabNode,
  secrets: readonly Secret[],
): Promise<readonly { readonly path: string; readonly readers: readonly string[] }[]> {
  const script = `
    grep -rlF --binary-files=text -f - --exclude-dir=proc --exclude-dir=sys --devices=skip / 2>/dev/null |
    while IFS= read -r file; do
      readers=
      for user in nobody nomad consul; do
        if id "$user" >/dev/null 2>&1 && setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups test -r "$file"; then readers="$readers,$user"; fi
      done
      printf '%s\\t%s\\n' "$file" "$readers"
    done`;
  const { stdout } = await node.exec(['bash', '-c', script], { stdin: patterns(secrets), check: false });
  return stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const [path = '', readers = ''] = line.split('\t');
      return { path, readers: readers.split(',').filter(user => user !== '') };
    });
}

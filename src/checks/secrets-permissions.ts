import { searchesToJoin } from '../config/config.ts';
import { consulEnvironmentPath } from '../config/linode-search.ts';
import { recordPath, tokenPath } from '../config/record.ts';
import type { Path } from '../core/types.ts';
import { isSecure } from '../target.ts';
import { fail, type HealthCheck, pass } from './health-check.ts';

/** Who may read what: modes at most, and the only owners. A file that is not there is no leak. */
const secretFiles: readonly { readonly path: Path; readonly mode: number; readonly owner?: string }[] = [
  { path: '/etc/nomad-bootstrap', mode: 0o700, owner: 'root:root' },
  { path: tokenPath, mode: 0o600, owner: 'root:root' },
  { path: recordPath, mode: 0o600, owner: 'root:root' },
  { path: '/var/lib/nomad-bootstrap', mode: 0o700, owner: 'root:root' },
  { path: '/var/log/nomad-bootstrap.log', mode: 0o600, owner: 'root:root' },
  { path: '/opt/consul', mode: 0o700, owner: 'consul:consul' },
  ...['nomad', 'consul'].flatMap(unit => [
    // Whoever writes here is root once the agent is restarted.
    { path: `/etc/${unit}.d`, mode: 0o755 },
    { path: `/etc/${unit}.d/${unit}.hcl`, mode: 0o640, owner: `${unit}:${unit}` },
    { path: `/etc/${unit}.d/tls`, mode: 0o750, owner: `${unit}:${unit}` },
    { path: `/etc/${unit}.d/tls/agent-key.pem`, mode: 0o640, owner: `${unit}:${unit}` },
  ]),
];

/** Where the token of Linode's API is, on a node that uses one. */
const apiTokenFile = { path: consulEnvironmentPath, mode: 0o640, owner: 'consul:consul' };

/** Tasks inherit it. */
const nomadEnvironment = '/etc/nomad.d/nomad.env';

export const secretsPermissions: HealthCheck = {
  id: 'secrets-permissions',
  title: 'Secrets are for those who need them alone',
  scope: 'node',
  appliesTo: target => isSecure(target) || searchesToJoin(target.config.node).length > 0,
  async run(host, { config: { node } }) {
    const open: string[] = [];
    const data = { path: '/opt/nomad/data', mode: 0o700, owner: node.runsClient ? 'root:root' : 'nomad:nomad' };
    const files = [...secretFiles, data, ...(searchesToJoin(node).length > 0 ? [apiTokenFile] : [])];
    for (const { path, mode, owner } of files) {
      const stat = await host.stat(path);
      // Where a link leads, config-drift looks.
      if (stat === undefined || stat.kind === 'symlink') continue;
      if ((stat.mode & ~mode) !== 0) open.push(`${path} has mode ${stat.mode.toString(8)}`);
      else if (owner !== undefined && stat.owner !== owner) open.push(`${path} is of ${stat.owner}`);
    }
    const environment = (await host.readText(nomadEnvironment)) ?? '';
    if (/^\s*(?:export\s+)?(?:NOMAD|CONSUL_HTTP|CONSUL|VAULT|LINODE)_?TOKEN\s*=\s*\S/m.test(environment)) {
      open.push(`${nomadEnvironment} holds a token, which every task inherits`);
    }
    if (open.length === 0) return pass('files are closed');
    return fail(
      open.join('; '),
      'run nomad-bootstrap again for its own files; take tokens out of nomad.env, and change a secret that was open',
    );
  },
};

import type { HostReader } from '../core/types.ts';
import { isSecure } from '../target.ts';
import { type Agent, consul, nomad } from './agents.ts';
import { fail, type HealthCheck, pass } from './health-check.ts';

/** What nobody without a token may know, and what may be asked for with an empty one without doing anything. */
const closed: readonly { readonly agent: Agent; readonly path: string; readonly header: string }[] = [
  { agent: nomad, path: '/v1/jobs', header: 'X-Nomad-Token' },
  { agent: nomad, path: '/v1/nodes', header: 'X-Nomad-Token' },
  { agent: consul, path: '/v1/agent/self', header: 'X-Consul-Token' },
  { agent: consul, path: '/v1/acl/tokens', header: 'X-Consul-Token' },
];

export const acls: HealthCheck = {
  id: 'acls',
  title: 'Whoever has no token learns nothing',
  scope: 'cluster',
  needs: ['consul-agent', 'nomad-agent', 'consul-leader', 'nomad-leader'],
  appliesTo: isSecure,
  async run(host) {
    const answers = await Promise.all(
      closed.map(async ({ agent, path, header }) => ({
        agent,
        path,
        status: await statusWithout(host, `${agent.url}${path}`, header),
      })),
    );
    const open = answers.find(({ status }) => status !== 401 && status !== 403);
    if (open !== undefined) {
      const { agent, path, status } = open;
      return fail(
        `${agent.name} answers ${status} to ${path} without a token`,
        `look for an acl block of your own in /etc/${agent.unit}.d, and for a policy of the anonymous token: ${agent.unit} acl policy list`,
      );
    }
    return pass('Nomad and Consul refuse whoever has no token');
  },
};

/** An empty token is none, and keeps this node's own from being added. */
async function statusWithout(host: HostReader, url: string, header: string): Promise<number> {
  return (await host.request(url, { headers: { [header]: '' }, timeoutMs: 4000 })).status;
}

import { isSecure } from '../target.ts';
import { type Agent, askAgent, consul, nomad } from './agents.ts';
import { fail, type HealthCheck, pass, warn } from './health-check.ts';

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
        // An empty token is none, and keeps this node's own from being added.
        status: (await askAgent(host, agent, path, { [header]: '' })).status,
      })),
    );
    const open = answers.find(({ status }) => status >= 200 && status < 300);
    if (open !== undefined) {
      const { agent, path, status } = open;
      return fail(
        `${agent.name} answers ${status} to ${path} without a token`,
        `look for an acl block of your own in /etc/${agent.unit}.d, and for a policy of the anonymous token: ${agent.unit} acl policy list`,
      );
    }
    const odd = answers.find(({ status }) => status !== 401 && status !== 403);
    if (odd !== undefined) {
      const { agent, path, status } = odd;
      return warn(
        `${agent.name} answers ${status} to ${path} without a token, and so tells neither that it is open nor that it is closed`,
        `see ${agent.name}'s own words, and ask again: journalctl -u ${agent.unit} -n 50`,
      );
    }
    return pass('Nomad and Consul refuse whoever has no token');
  },
};

import * as z from 'zod';
import { isSecure } from '../target.ts';
import { consul, nomad, readAgent } from './agents.ts';
import { fail, type HealthCheck, pass } from './health-check.ts';

const nomadStats = z.object({ stats: z.object({ serf: z.object({ encrypted: z.string() }) }) });
const consulStats = z.object({ Stats: z.object({ serf_lan: z.object({ encrypted: z.string() }) }) });

export const gossipEncryption: HealthCheck = {
  id: 'gossip-encryption',
  title: 'Gossip is encrypted',
  scope: 'node',
  needs: ['consul-agent', 'nomad-agent'],
  appliesTo: isSecure,
  async run(host, { config: { node } }) {
    const plain: string[] = [];
    const { Stats } = await readAgent(host, consul, '/v1/agent/self', consulStats);
    if (Stats.serf_lan.encrypted !== 'true') plain.push('consul');
    if (node.runsServer) {
      const { stats } = await readAgent(host, nomad, '/v1/agent/self', nomadStats);
      if (stats.serf.encrypted !== 'true') plain.push('nomad');
    }
    if (plain.length === 0)
      return pass(node.runsServer ? "Consul's and Nomad's" : "Consul's; Nomad's clients do not gossip");
    return fail(
      `${plain.join(' and ')} ${plain.length === 1 ? 'gossips' : 'gossip'} in the clear`,
      `look for encrypt in /etc/${plain[0]}.d; a key is taken up at the first start only: see ${plain[0] === 'nomad' ? '/opt/nomad/data/server/serf.keyring' : '/opt/consul/serf/local.keyring'}`,
    );
  },
};

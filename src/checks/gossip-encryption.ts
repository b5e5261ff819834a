import * as z from 'zod';
import { hasCode } from '../core/errors.ts';
import { isSecure } from '../target.ts';
import { consul, nomad, readAgent } from './agents.ts';
import { fail, type HealthCheck, pass, warn } from './health-check.ts';

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
    const ofConsul = await readAgent(host, consul, '/v1/agent/self', consulStats).catch(unlessSilent);
    if (ofConsul === undefined) {
      return warn(
        'Consul holds the answer back, as it does while it has no leader',
        'see consul-leader, and ask again when there is one',
      );
    }
    if (ofConsul.Stats.serf_lan.encrypted !== 'true') plain.push('consul');
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

/** It does answer `consul-agent`, which is needed here. */
function unlessSilent(error: unknown): undefined {
  if (!hasCode(error, 'agent-silent')) throw error;
}

import * as z from 'zod';
import { consul, readAgent, readConsulMembers } from './agents.ts';
import { electionMs, type HealthCheck, pass } from './health-check.ts';
import { countServers, leaderless } from './servers.ts';

export const consulLeader: HealthCheck = {
  id: 'consul-leader',
  title: 'Consul has a leader',
  scope: 'cluster',
  needs: ['consul-agent'],
  confirmMs: electionMs,
  async run(host, target) {
    const servers = countServers(await readConsulMembers(host), target);
    // Without a server in sight the question would only be held until it times out.
    if (servers.alive.length === 0) return leaderless(consul, servers);
    const leader = await readAgent(host, consul, '/v1/status/leader', z.string());
    return leader === '' ? leaderless(consul, servers) : pass(leader);
  },
};

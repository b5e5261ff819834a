import { consul, readConsulMembers } from './agents.ts';
import type { HealthCheck } from './health-check.ts';
import { countServers, judgeServers } from './servers.ts';

export const consulServers: HealthCheck = {
  id: 'consul-servers',
  title: 'Consul has the servers it expects',
  scope: 'cluster',
  needs: ['consul-agent'],
  async run(host, target) {
    return judgeServers(host, consul, countServers(await readConsulMembers(host), target), target);
  },
};

import { nomad, readNomadMembers } from './agents.ts';
import type { HealthCheck } from './health-check.ts';
import { countServers, judgeServers } from './servers.ts';

export const nomadMembers: HealthCheck = {
  id: 'nomad-members',
  title: 'Nomad has the servers it expects, alive',
  scope: 'cluster',
  needs: ['nomad-agent'],
  async run(host, target) {
    const members = await readNomadMembers(host, target.config.node.region);
    return judgeServers(host, nomad, countServers(members, target), target);
  },
};

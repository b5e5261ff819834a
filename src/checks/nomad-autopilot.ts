import { nomad, readNomadMembers } from './agents.ts';
import { judgeAutopilot } from './autopilot.ts';
import { electionMs, type HealthCheck, onServers } from './health-check.ts';
import { countServers } from './servers.ts';

export const nomadAutopilot: HealthCheck = {
  id: 'nomad-autopilot',
  title: "Nomad's servers are in step and vote",
  scope: 'cluster',
  needs: ['nomad-leader'],
  confirmMs: electionMs,
  appliesTo: onServers,
  async run(host, target) {
    const { expected } = countServers(await readNomadMembers(host, target.config.node.region), target);
    return judgeAutopilot(host, nomad, expected);
  },
};

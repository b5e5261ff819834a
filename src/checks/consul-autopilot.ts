import { consul, readConsulMembers } from './agents.ts';
import { judgeAutopilot } from './autopilot.ts';
import { electionMs, type HealthCheck, onServers } from './health-check.ts';
import { countServers } from './servers.ts';

export const consulAutopilot: HealthCheck = {
  id: 'consul-autopilot',
  title: "Consul's servers are in step and vote",
  scope: 'cluster',
  needs: ['consul-leader'],
  confirmMs: electionMs,
  appliesTo: onServers,
  async run(host, target) {
    const { expected } = countServers(await readConsulMembers(host), target);
    return judgeAutopilot(host, consul, expected);
  },
};

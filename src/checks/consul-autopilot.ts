import { consul } from './agents.ts';
import { judgeAutopilot } from './autopilot.ts';
import { electionMs, type HealthCheck, onServers } from './health-check.ts';

export const consulAutopilot: HealthCheck = {
  id: 'consul-autopilot',
  title: "Consul's servers are in step and vote",
  scope: 'cluster',
  needs: ['consul-leader'],
  confirmMs: electionMs,
  appliesTo: onServers,
  run: (host, { config }) => judgeAutopilot(host, consul, config.node.expect),
};

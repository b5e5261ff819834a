import { nomad } from './agents.ts';
import { judgeAutopilot } from './autopilot.ts';
import { electionMs, type HealthCheck, onServers } from './health-check.ts';

export const nomadAutopilot: HealthCheck = {
  id: 'nomad-autopilot',
  title: "Nomad's servers are in step and vote",
  scope: 'cluster',
  needs: ['nomad-leader'],
  confirmMs: electionMs,
  appliesTo: onServers,
  run: (host, { config }) => judgeAutopilot(host, nomad, config.node.expect),
};

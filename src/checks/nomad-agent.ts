import { nomad, readNomadSelf } from './agents.ts';
import { explainSilence, judgeIdentity } from './consul-agent.ts';
import { electionMs, type HealthCheck } from './health-check.ts';

export const nomadAgent: HealthCheck = {
  id: 'nomad-agent',
  title: 'Nomad runs as this node is set up',
  scope: 'node',
  // A server that was just started knows no token before it has heard of a leader, and its clients none before that.
  confirmMs: ({ detail }) => (/answered 40[13] |knows no token/.test(detail) ? electionMs : undefined),
  async run(host, { config: { node } }) {
    return explainSilence(host, nomad, async () => {
      const { config } = await readNomadSelf(host);
      return judgeIdentity(nomad, config.Version.Version, [
        ['node name', config.NodeName, node.name],
        ['region', config.Region, node.region],
        ['datacenter', config.Datacenter, node.datacenter],
        ['server', onOff(config.Server.Enabled), onOff(node.runsServer)],
        ['client', onOff(config.Client.Enabled), onOff(node.runsClient)],
      ]);
    });
  },
};

function onOff(enabled: boolean): string {
  return enabled ? 'on' : 'off';
}

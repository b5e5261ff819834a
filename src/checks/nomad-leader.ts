import { nomad, readNomadLeader, readNomadMembers, readNomadSelf } from './agents.ts';
import { electionMs, fail, type HealthCheck, pass } from './health-check.ts';
import { countServers, joinAddresses, leaderless } from './servers.ts';

export const nomadLeader: HealthCheck = {
  id: 'nomad-leader',
  title: 'Nomad has a leader',
  scope: 'cluster',
  needs: ['nomad-agent'],
  confirmMs: electionMs,
  async run(host, target) {
    const { node } = target.config;
    if (!node.runsServer && (await readNomadSelf(host)).stats.client?.known_servers === '') {
      return fail(
        'this client knows no server',
        `see that a server runs at ${joinAddresses(target)} and that TCP 4647 is open to it: journalctl -u nomad -n 50`,
      );
    }
    const leader = await readNomadLeader(host);
    if (leader !== '') return pass(leader);
    return leaderless(nomad, countServers(await readNomadMembers(host, node.region), target));
  },
};

import { readClientNode } from './client-node.ts';
import { fail, type HealthCheck, onClients, pass } from './health-check.ts';

export const nomadClientReady: HealthCheck = {
  id: 'nomad-client-ready',
  title: 'This client is ready and takes jobs',
  scope: 'node',
  needs: ['nomad-leader'],
  appliesTo: onClients,
  async run(host) {
    const { Status, StatusDescription, SchedulingEligibility, Drain } = await readClientNode(host);
    if (Status !== 'ready') {
      return fail(
        [Status, StatusDescription].filter(Boolean).join(': '),
        'it does not reach the servers, or they do not hear it: open TCP 4647 to them; journalctl -u nomad -n 50',
      );
    }
    if (Drain) return fail('ready, but drained', 'if that is over: nomad node drain -self -disable');
    if (SchedulingEligibility !== 'eligible') {
      return fail('ready, but takes no jobs (ineligible)', 'if it should again: nomad node eligibility -self -enable');
    }
    return pass('ready, eligible');
  },
};

import { readNomadSelf } from './agents.ts';
import { fail, type HealthCheck, pass } from './health-check.ts';

export const nomadAdvertise: HealthCheck = {
  id: 'nomad-advertise',
  title: 'Nomad advertises the cluster address',
  scope: 'node',
  needs: ['nomad-agent'],
  async run(host, { config: { node } }) {
    const { HTTP, RPC, Serf } = (await readNomadSelf(host)).config.AdvertiseAddrs;
    // Of a client only the HTTP address is ever told to others.
    const addresses = node.runsServer ? { http: HTTP, rpc: RPC, serf: Serf } : { http: HTTP };
    const wrong = Object.entries(addresses).filter(([, address]) => hostOf(address) !== node.network.address);
    if (wrong.length === 0) return pass(node.network.address);
    return fail(
      `${wrong.map(([name, address]) => `${name} ${hostOf(address)}`).join(', ')} instead of ${node.network.address}`,
      'other nodes are sent to an address that is not theirs to reach: look for an advertise or bind_addr of your own in /etc/nomad.d, then run nomad-bootstrap again',
    );
  },
};

/** `10.0.0.11:4646` and `[fd00::1]:4646` without the port. */
function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

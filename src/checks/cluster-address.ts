import { isLoopback } from '../facts/addresses.ts';
import { fail, type HealthCheck, pass } from './health-check.ts';

export const clusterAddress: HealthCheck = {
  id: 'cluster-address',
  title: 'This node has its cluster address',
  scope: 'node',
  async run(_host, { config: { node }, facts }) {
    const { address, interface: name } = node.network;
    const found = facts.addresses.find(own => own.address === address);
    if (found !== undefined || isLoopback(address)) return pass(`${address} on ${found?.interface ?? name}`);
    const others = facts.addresses.filter(own => own.interface === name).map(own => own.address);
    return fail(
      `${address} is on no interface${others.length > 0 ? `; ${name} has ${others.join(', ')}` : ''}`,
      `bring ${name} up again with that address: ip address show; networkctl status ${name}; on a Linode see its Configuration, and whether Network Helper is on`,
    );
  },
};

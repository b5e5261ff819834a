import { readClientNode } from './client-node.ts';
import { fail, type HealthCheck, onClients, pass } from './health-check.ts';

/**
 * The plugins of Nomad's own bridge network; every job that uses it is constrained to nodes with all of them.
 * Source: nomad/job_endpoint_hooks.go, Nomad 2.0.5.
 */
const plugins = ['bridge', 'firewall', 'host-local', 'loopback', 'portmap'];

export const nomadClientBridge: HealthCheck = {
  id: 'nomad-client-bridge',
  title: 'Jobs can be placed on a bridge network',
  scope: 'node',
  needs: ['nomad-leader', 'kernel-bridge', 'cni-plugins'],
  appliesTo: onClients,
  async run(host) {
    const { Attributes, NodeResources } = await readClientNode(host);
    const hint = 'Nomad looks for these when it starts: systemctl restart nomad (jobs go on running)';
    if (!NodeResources.Networks?.some(({ Mode }) => Mode === 'bridge')) {
      return fail('Nomad found no bridge when it started: jobs wait with "missing network"', hint);
    }
    const missing = plugins.filter(plugin => Attributes[`plugins.cni.version.${plugin}`] === undefined);
    if (missing.length > 0) return fail(`Nomad did not find the CNI plugins ${missing.join(', ')}`, hint);
    return pass(`bridge, CNI ${Attributes['plugins.cni.version.bridge']}`);
  },
};

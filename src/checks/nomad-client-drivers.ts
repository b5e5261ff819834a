import { readClientNode } from './client-node.ts';
import { fail, type HealthCheck, onClients, onDockerClients, pass, warn } from './health-check.ts';

export const nomadClientDrivers: HealthCheck = {
  id: 'nomad-client-drivers',
  title: 'The task drivers are healthy',
  scope: 'node',
  needs: ['nomad-leader', 'docker'],
  appliesTo: onClients,
  async run(host, target) {
    const { Drivers } = await readClientNode(host);
    const healthy = Object.keys(Drivers).filter(name => Drivers[name]?.Healthy);
    const ill = (name: string): string => `${name}: ${Drivers[name]?.HealthDescription || 'not detected'}`;

    const wanted = [
      ...(onDockerClients(target) ? ['docker'] : []),
      ...(target.config.node.rawExec ? ['raw_exec'] : []),
    ].filter(name => !healthy.includes(name));
    if (wanted.length > 0) {
      return fail(
        wanted.map(ill).join('; '),
        'once its cause is gone Nomad sees it within a minute; else: systemctl restart nomad (jobs go on running)',
      );
    }
    if (!healthy.includes('exec')) {
      return warn(ill('exec'), 'only jobs with the exec driver need it; see the check cgroups');
    }
    return pass(healthy.sort().join(', '));
  },
};

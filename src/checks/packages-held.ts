import { fail, type HealthCheck, pass } from './health-check.ts';

const names = ['consul', 'nomad'];

export const packagesHeld: HealthCheck = {
  id: 'packages-held',
  title: 'No package upgrade replaces the agents',
  scope: 'node',
  async run(host, { platform }) {
    const held = await platform.packages.held(host, names);
    const free = names.filter(name => !held.has(name));
    if (free.length === 0) return pass(`${names.join(' and ')} are held`);
    return fail(
      `${free.join(' and ')} would be upgraded, and restarted, with the next system update`,
      // Where dnf keeps it, it is a line of the repository's file.
      platform.packages.id === 'apt' ? `apt-mark hold ${free.join(' ')}` : 'run nomad-bootstrap again: it holds them',
    );
  },
};

import { fail, type HealthCheck, onDockerClients, pass } from './health-check.ts';

/**
 * States of units that a boot starts. One that is `static` or `indirect` has no [Install] section for itself, and is started
 * only if something else wants it, as nothing does here. Source: systemctl(1), is-enabled.
 */
const started = ['enabled', 'alias', 'generated'];

export const bootEnabled: HealthCheck = {
  id: 'boot-enabled',
  title: 'The agents start at boot',
  scope: 'node',
  async run(host, target) {
    const units = ['consul.service', 'nomad.service', ...(onDockerClients(target) ? ['docker.service'] : [])];
    const { stdout } = await host.query(['systemctl', 'is-enabled', ...units]);
    // One line a unit, in order. An older systemd stops at a unit that does not exist.
    const states = stdout.trim().split('\n');
    const idle = units.flatMap((unit, index) => {
      const state = states[index]?.trim() || 'not-found';
      return started.includes(state) ? [] : [{ unit, state }];
    });
    if (idle.length === 0) return pass(units.map(unit => unit.replace('.service', '')).join(', '));
    const names = idle.map(({ unit }) => unit).join(' ');
    const bare = idle.filter(({ state }) => state === 'static' || state === 'indirect').map(({ unit }) => unit);
    const revert =
      bare.length > 0
        ? `take back the unit file that has no [Install] section: systemctl revert ${bare.join(' ')}; `
        : '';
    const unmask = idle.some(({ state }) => state.startsWith('masked')) ? `systemctl unmask ${names} && ` : '';
    return fail(
      idle.map(({ unit, state }) => `${unit} is ${state}`).join(', '),
      `${revert}${unmask}systemctl enable ${names}`,
    );
  },
};

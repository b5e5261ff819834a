import type { Check } from '../../core/types.ts';
import type { Target } from '../../target.ts';

/** What comes before the packages' /usr/bin on the PATH. */
const programs = ['/usr/local/bin/nomad', '/usr/local/bin/consul', '/usr/local/sbin/nomad', '/usr/local/sbin/consul'];
/** systemd takes a unit from one of these before the packages' own, which is in /usr/lib. Source: systemd.unit(5). */
const unitFolders = ['/etc/systemd/system', '/run/systemd/system', '/usr/local/lib/systemd/system'];
const units = unitFolders.flatMap(folder => [`${folder}/nomad.service`, `${folder}/consul.service`]);

/** Nobody has installed the agents here in another way, which would hide the packages'. */
export const foreignAgents: Check<Target> = {
  id: 'foreign-agents',
  title: 'No other installation hides the agents',
  async run(host) {
    const [foundUnits, foundPrograms] = await Promise.all([present(units), present(programs)]);
    const masked = await maskedAmong(foundUnits);
    if (masked.length > 0) {
      const names = masked.map(path => path.replace(/^.*\//, '').replace('.service', ''));
      return {
        status: 'fail',
        detail: `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} masked, and cannot be started`,
        hint: `systemctl unmask ${names.join(' ')}`,
      };
    }
    if (foundUnits.length > 0) {
      return {
        status: 'fail',
        detail: `${foundUnits.join(' and ')} would be started instead of the package's unit`,
        hint: 'this machine has agents that were installed by hand: stop them, move their data away, remove these units, or use another machine',
      };
    }
    if (foundPrograms.length > 0) {
      return {
        status: 'warn',
        detail: `${foundPrograms.join(' and ')} come before the package's program on the PATH`,
        hint: `rm ${foundPrograms.join(' ')}`,
      };
    }
    return { status: 'pass', detail: 'none found' };

    /** Masking a unit puts a link to /dev/null in its place. */
    async function maskedAmong(paths: readonly string[]): Promise<readonly string[]> {
      const found = await Promise.all(paths.map(async path => (await host.stat(path))?.linkTarget === '/dev/null'));
      return paths.filter((_, at) => found[at]);
    }

    async function present(paths: readonly string[]): Promise<readonly string[]> {
      const found = await Promise.all(paths.map(async path => ((await host.stat(path)) === undefined ? [] : [path])));
      return found.flat();
    }
  },
};

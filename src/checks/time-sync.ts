import { type HealthCheck, pass, warn } from './health-check.ts';

/** Of ntp, NTPsec and OpenNTPD, which have no program that tells it by itself. */
const otherDaemons = ['/usr/sbin/ntpd', '/usr/sbin/openntpd'];

export const timeSync: HealthCheck = {
  id: 'time-sync',
  title: 'The clock is synchronised',
  scope: 'node',
  async run(host) {
    // Made by systemd-timesyncd at its first synchronisation and gone with it: saves a process.
    if ((await host.stat('/run/systemd/timesync/synchronized')) !== undefined) return pass('by systemd-timesyncd');
    // Its own program says so without changing anything. Source: chronyc(1), tracking.
    const chrony = await host.query(['chronyc', '-n', 'tracking']);
    const [, leap] = /^Leap status\s*: (.+)$/m.exec(chrony.stdout) ?? [];
    if (leap !== undefined && leap !== 'Not synchronised') return pass('by chrony');
    // Others tell the kernel, which timedated asks. To ask it is to start it, and systemd makes folders for it in /var/tmp.
    const daemons = await Promise.all(otherDaemons.map(path => host.stat(path)));
    if (daemons.some(found => found !== undefined)) {
      const { stdout } = await host.query(['timedatectl', 'show', '--property=NTPSynchronized', '--value']);
      if (stdout.trim() === 'yes') return pass('the kernel says so');
    }
    return warn(
      'nothing keeps this clock right, and servers whose clocks differ misjudge tokens and leases',
      'timedatectl set-ntp true, or install chrony; timedatectl then says: System clock synchronized: yes',
    );
  },
};

import { type HealthCheck, pass, warn } from './health-check.ts';

/** A clock by itself loses some seconds a day. */
const stillRightHours = 24;

/** Of ntp, NTPsec and OpenNTPD, which have no program that tells it by itself. */
const otherDaemons = ['/usr/sbin/ntpd', '/usr/sbin/openntpd'];

export const timeSync: HealthCheck = {
  id: 'time-sync',
  title: 'The clock is synchronised',
  scope: 'node',
  async run(host) {
    // Touched by systemd-timesyncd at every synchronisation, at least every 34 min, and gone with it: saves a process.
    // Source: systemd-timesyncd.service(8), timesyncd.conf(5).
    const synchronised = await host.stat('/run/systemd/timesync/synchronized');
    if (synchronised !== undefined) {
      const hours = Math.floor((host.now().getTime() - synchronised.modifiedAt.getTime()) / 3_600_000);
      if (hours < stillRightHours) return pass('by systemd-timesyncd');
      return warn(
        `systemd-timesyncd has not heard from its server for ${hours} hours, and servers whose clocks differ misjudge tokens and leases`,
        'see whom it asks, and let UDP 123 out to it: timedatectl timesync-status; journalctl -u systemd-timesyncd -n 20',
      );
    }
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

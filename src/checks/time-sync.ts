import { type HealthCheck, pass, warn } from './health-check.ts';

export const timeSync: HealthCheck = {
  id: 'time-sync',
  title: 'The clock is synchronised',
  scope: 'node',
  async run(host) {
    // Made by systemd-timesyncd at its first synchronisation and gone with it: saves a process.
    if ((await host.stat('/run/systemd/timesync/synchronized')) !== undefined) return pass('by systemd-timesyncd');
    // Whoever keeps the clock, timesyncd, chrony or ntpd, tells the kernel, which timedated asks.
    const { stdout } = await host.query(['timedatectl', 'show', '--property=NTPSynchronized', '--value']);
    if (stdout.trim() === 'yes') return pass('the kernel says so');
    return warn(
      'nothing keeps this clock right, and servers whose clocks differ misjudge tokens and leases',
      'timedatectl set-ntp true, or install chrony; timedatectl then says: System clock synchronized: yes',
    );
  },
};

import { expect, test } from 'vitest';
import type { Event } from '../../src/core/types.ts';
import { createLogReporter, logEntry } from '../../src/reporters/log.ts';
import { createTestClock, everyEvent } from './events.ts';

test('the log has everything with its time, commands with their output, changes with their diff', () => {
  const log: string[] = [];
  const clock = createTestClock();
  const reporter = createLogReporter(text => log.push(text), clock);

  for (const event of Object.values(everyEvent)) {
    reporter.report(event);
    clock.pass(1001);
  }

  expect(log.join('')).toBe(`
=== 2026-10-01T12:00:00.000Z nomad-bootstrap 0.1.0 server ===
2026-10-01T12:00:01.001Z warning: an even number of servers tolerates no more failures
2026-10-01T12:00:02.002Z plan: 1 change
    file:/etc/modules-load.d/nomad.conf: write /etc/modules-load.d/nomad.conf
        --- /etc/modules-load.d/nomad.conf
        +++ /etc/modules-load.d/nomad.conf
        @@ -0,0 +1 @@
        +br_netfilter
2026-10-01T12:00:03.003Z step kernel: started: Kernel features for bridge networking
2026-10-01T12:00:04.004Z step kernel: done in 0.412 s
2026-10-01T12:00:05.005Z change file:/etc/modules-load.d/nomad.conf: started: write /etc/modules-load.d/nomad.conf
2026-10-01T12:00:06.006Z change file:/etc/modules-load.d/nomad.conf: applied in 0.012 s
2026-10-01T12:00:07.007Z change service:docker: already so
2026-10-01T12:00:09.009Z waiting for unattended-upgr (pid 812) to release /var/lib/dpkg/lock (20 s)
2026-10-01T12:00:10.010Z command: systemctl enable nomad.service: exit 0 in 0.230 s
    Created symlink /etc/systemd/system/multi-user.target.wants/nomad.service
2026-10-01T12:00:11.011Z request: GET http://127.0.0.1:4646/v1/status/leader: 200 in 0.003 s
2026-10-01T12:00:12.012Z check nomad-leader: fail in 0.031 s: Nomad has a leader: no leader for 12 s
    fix: open TCP 4647 and 4648 between the servers, then run: nomad server members
2026-10-01T12:00:13.013Z finished: forming: 12 changes in 41.000 s
    1 of 3 servers
2026-10-01T12:00:14.014Z failed: packages-failed: the package transaction failed
    E: You do not have enough free space in /var/cache/apt/archives/.
    fix: free space under /var, then run the same command again
`);
});

test('a finished download is in the log', () => {
  expect(entry({ type: 'progress', subject: 'cni.tgz', doneBytes: 52_428_800, totalBytes: 52_428_800 })).toBe(
    '2026-10-01T12:00:00.000Z downloaded cni.tgz: 50.0 MiB\n',
  );
});

test('what others said cannot pass for an entry of its own', () => {
  const forged = '2026-10-01T12:00:00.000Z failed';

  expect(entry({ type: 'notice', level: 'info', message: `first\n${forged}` })).toBe(
    `2026-10-01T12:00:00.000Z info: first\n    ${forged}\n`,
  );
  expect(entry({ ...everyEvent.command, output: `\n${forged}\r\x1b[2K\n` })).toMatch(/^\S+Z command: .*\n {4}\n {4}\S/);
});

function entry(event: Event): string {
  return logEntry(event, new Date(createTestClock().now()));
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, type LabNode, openLab, waitFor, whyNoLab, whyNoRealAgents } from '../lab/lab.ts';
import {
  bootstrap,
  complaints,
  ending,
  eventsNamed,
  failure,
  freshNode,
  madeTrue,
  planned,
  program,
  verify,
} from './bootstrap.ts';
import { runJob } from './uninstallation.ts';

const reason = whyNoLab();
if (reason !== undefined) process.stderr.write(`skipped: test/cluster/single-node.lab.test.ts: ${reason}\n`);

const noJobs = whyNoRealAgents();
if (reason === undefined && noJobs !== undefined) {
  process.stderr.write(`skipped: the jobs of test/cluster/single-node.lab.test.ts: ${noJobs}\n`);
}

const agents = ['nomad', 'consul', 'docker'];

describe.skipIf(reason !== undefined)('one node by itself', () => {
  let lab: Lab;
  let flags: readonly string[];

  beforeAll(async () => {
    lab = await openLab();
    flags = lab.mirror.offer.flags;
  });

  afterAll(() => lab?.close());

  /** Addresses on which a program other than the system's own listens. */
  const listening = async (node: LabNode) => {
    const { stdout } = await node.exec(['ss', '-H', '-lntu']);
    const addresses = stdout.split('\n').flatMap(line => line.trim().split(/\s+/)[4] ?? []);
    return [...new Set(addresses.map(address => address.slice(0, address.lastIndexOf(':'))))];
  };
  const states = async (node: LabNode, question: string) => {
    const { stdout } = await node.exec(['systemctl', question, ...agents], { check: false });
    return stdout.trim().split('\n');
  };

  it('is reachable on loopback only as a development node, and is told how to look at it', async () => {
    const node = await freshNode(lab, { name: 'dev', system: 'rocky9' });
    const before = await listening(node);

    const { exitCode, stdout, stderr } = await node.exec([program, 'dev', ...flags], { check: false });

    expect([exitCode, exitCode === 0 ? '' : stderr]).toEqual([0, '']);
    expect(stdout).toContain('http://127.0.0.1:4646/ui');
    expect(stdout).toContain('ssh -L 4646:127.0.0.1:4646');
    expect(stdout).toMatch(/every local user of this machine may run jobs/);
    const opened = (await listening(node)).filter(address => !before.includes(address));
    expect(opened.length).toBeGreaterThan(0);
    expect(opened.filter(address => !/^(127\.|\[::1\])/.test(address))).toEqual([]);
    const report = await verify(node, ['--wait', '60']);
    expect([complaints(report), report.report.role]).toEqual([[], 'dev']);
  });

  it('becomes an image with everything in it and nothing enabled, and then a server without any download', async () => {
    const node = await freshNode(lab, { name: 'golden', system: 'debian12' });
    const dryRun = await bootstrap(node, ['image', ...flags, '--dry-run'], { readOnlyRoot: true });

    const image = await bootstrap(node, ['image', ...flags]);

    expect([image.exitCode, failure(image)]).toEqual([0, undefined]);
    expect(planned(dryRun)).toEqual(madeTrue(image));
    expect(await states(node, 'is-active')).toEqual(agents.map(() => 'inactive'));
    expect(await states(node, 'is-enabled')).toEqual(agents.map(() => 'disabled'));
    expect(
      (await node.exec(['sysctl', '-n', 'net.bridge.bridge-nf-call-iptables', 'net.ipv4.ip_forward'])).stdout,
    ).toBe('1\n1\n');
    expect((await node.exec(['/opt/cni/bin/bridge', '--version'], { check: false })).stderr).toMatch(
      /CNI bridge plugin/i,
    );
    const data = await node.exec(['ls', '-A', '/opt/nomad/data', '/opt/consul', '/var/lib/docker'], { check: false });
    expect(data.stdout).toContain('/var/lib/docker');
    expect(data.stdout).not.toMatch(/node-id|raft|engine-id/);
    expect((await bootstrap(node, ['image', ...flags])).exitCode).toBe(0);
    expect(await states(node, 'is-active')).toEqual(agents.map(() => 'inactive'));

    await node.stop();
    await node.boot();
    expect(await states(node, 'is-active')).toEqual(agents.map(() => 'inactive'));
    await lab.mirror.forgetRequests();
    const server = await bootstrap(node, ['server', '--insecure', '--with-client', ...flags]);

    expect([server.exitCode, failure(server)]).toEqual([0, undefined]);
    expect(await lab.mirror.requests()).toEqual([]);
    expect(complaints(await verify(node))).toEqual([]);
    expect(await states(node, 'is-enabled')).toEqual(agents.map(() => 'enabled'));
  });

  // Without a leader Consul holds back what it knows of itself, once it has registrations that it cannot deliver.
  it.each([
    ['alone', ['--expect', '3']],
    ['and client alone', ['--expect', '2', '--with-client']],
  ])(
    'says as the first server %s that its cluster is forming, and verify which leader is missing',
    async (_name, line) => {
      const node = await freshNode(lab, { system: 'debian12' });

      const first = await bootstrap(node, ['server', '--insecure', ...line, '--wait', '30', ...flags]);

      expect([first.exitCode, failure(first)]).toEqual([0, undefined]);
      expect(ending(first)).toMatchObject({
        outcome: 'forming',
        message: expect.stringContaining(`1 of ${line[1]} servers`),
      });
      for (let count = 1; count <= 3; count += 1) {
        expect(complaints(await verify(node)).map(complaint => complaint.split(':')[0])).toEqual([
          'consul-leader',
          'consul-servers',
          'nomad-leader',
          'nomad-members',
        ]);
      }
      const rerun = await bootstrap(node, ['server', '--wait', '30']);
      expect([rerun.exitCode, ending(rerun)]).toMatchObject([0, { outcome: 'forming', changes: 0 }]);
    },
  );

  // The stand-in runs no jobs.
  it.skipIf(noJobs !== undefined)(
    'moves its jobs away before it stops to be a client, and takes them again',
    async () => {
      const node = await freshNode(lab, { name: 'both', system: 'debian13' });
      const asking = { check: false } as const;
      const running = async () => (await node.exec(['pgrep', '-xf', '/bin/sleep 3600'], asking)).stdout !== '';
      const first = await bootstrap(node, ['server', '--insecure', '--with-client', '--raw-exec', ...flags]);
      expect([first.exitCode, failure(first)]).toEqual([0, undefined]);
      await runJob(node, []);
      expect(await running()).toBe(true);
      const dryRun = await bootstrap(node, ['server', '--no-with-client', '--dry-run']);

      const without = await bootstrap(node, ['server', '--no-with-client']);

      expect([without.exitCode, failure(without)]).toEqual([0, undefined]);
      expect(planned(dryRun)).toEqual(madeTrue(without));
      expect(madeTrue(without)).toContain('drain:nomad');
      expect(await running()).toBe(false);
      expect((await bootstrap(node, ['server'])).events.at(-1)).toMatchObject({ changes: 0 });
      const again = await bootstrap(node, ['server', '--with-client']);
      expect([again.exitCode, failure(again), madeTrue(again)]).toEqual([
        0,
        undefined,
        expect.arrayContaining(['eligibility:nomad']),
      ]);
      expect(await waitFor('the job to come back', async () => ((await running()) ? true : undefined))).toBe(true);
    },
  );

  it('has one run at a time: a second is told of the first, or waits for it, and goes on where an interrupted one stopped', async () => {
    const node = await freshNode(lab, { name: 'busy', system: 'debian13' });
    const line = ['server', '--insecure', '--with-client', ...flags];
    const lockFile = '/run/nomad-bootstrap.lock';
    const lastTransaction = 'pgrep -af "^apt-get install .* iptables" | grep -qv -e --download-only';

    const first = bootstrap(node, line);
    const pid = await waitFor('the first run to install', async () => {
      const { stdout } = await node.exec(
        ['sh', '-c', `pgrep -x dpkg >/dev/null && ${lastTransaction} && cat ${lockFile}`],
        { check: false },
      );
      return /process (\d+)/.exec(stdout)?.[1];
    });
    const second = await bootstrap(node, line);
    const third = bootstrap(node, [...line, '--wait-lock', '300']);
    await node.exec(['kill', '-INT', pid]);

    expect(second.exitCode).toBe(4);
    expect(failure(second)).toMatchObject({
      code: 'locked',
      message: expect.stringContaining(`process ${pid}`),
      hint: expect.stringContaining('--wait-lock'),
    });
    const interrupted = await first;
    expect([interrupted.exitCode, failure(interrupted)?.code]).toEqual([130, 'interrupted']);
    expect(madeTrue(interrupted)).not.toContain('agent:nomad');
    expect(madeTrue(interrupted).filter(id => id.startsWith('packages:'))).not.toEqual([]);

    const waited = await third;
    expect(eventsNamed(waited, 'waiting').map(({ message }) => message)).toContainEqual(
      expect.stringContaining(`process ${pid}`),
    );
    expect([waited.exitCode, ending(waited)]).toMatchObject([0, { outcome: 'converged' }]);
    const left = planned(waited);
    expect(left).toContain('agent:nomad');
    expect(planned(interrupted)).toEqual(expect.arrayContaining([...left]));
    expect(left.filter(id => madeTrue(interrupted).includes(id))).toEqual([]);
    expect(complaints(await verify(node))).toEqual([]);
    expect((await bootstrap(node, ['server'])).events.at(-1)).toMatchObject({ changes: 0 });
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, openLab, waitFor } from '../lab/lab.ts';
import { type VirtualMachine, virtualMachine, whyNoVirtualMachine } from '../lab/vm.ts';
import {
  bootstrap,
  complaints,
  ending,
  executable,
  failure,
  madeTrue,
  planned,
  statusOf,
  verify,
} from './bootstrap.ts';

const reason = whyNoVirtualMachine();
if (reason !== undefined) process.stderr.write(`skipped: test/cluster/virtual-machine.vm.test.ts: ${reason}\n`);

/** What containers of one machine share, and so cannot show: see docs/testing.md. */
describe.skipIf(reason !== undefined)('a machine with a kernel of its own', () => {
  let lab: Lab;
  let machine: VirtualMachine;

  beforeAll(async () => {
    lab = await openLab();
    // Made into an image in its container: under emulation, unpacking packages takes minutes.
    machine = await virtualMachine(lab, 'machine', async node => {
      await node.install(executable);
      expect(failure(await bootstrap(node, ['image', ...lab.mirror.offer.flags]))).toBeUndefined();
    });
  });

  afterAll(() => lab?.close());

  const loaded = async () => {
    const { stdout } = await machine.exec(['lsmod']);
    return ['bridge', 'br_netfilter'].filter(name => new RegExp(`^${name} `, 'm').test(stdout));
  };
  const sysctl = async (key: string) => (await machine.exec(['sysctl', '-n', key])).stdout.trim();

  it('gets its modules loaded, now and for every boot, and becomes a node whose exec driver is healthy', async () => {
    const line = ['server', '--insecure', '--with-client', ...lab.mirror.offer.flags];
    expect(await loaded()).toEqual([]);
    const dryRun = await bootstrap(machine, [...line, '--dry-run']);
    expect(await loaded()).toEqual([]);

    const run = await bootstrap(machine, line);

    expect([run.exitCode, failure(run)]).toEqual([0, undefined]);
    expect(planned(dryRun)).toEqual(madeTrue(run));
    expect(madeTrue(run)).toEqual(
      expect.arrayContaining([
        'kernel-module:bridge',
        'kernel-module:br_netfilter',
        'file:/etc/modules-load.d/nomad.conf',
      ]),
    );
    expect(await loaded()).toEqual(['bridge', 'br_netfilter']);
    const report = await verify(machine, ['--wait', '240']);
    expect(complaints(report)).toEqual([]);
    expect(['cgroups', 'nomad-client-drivers'].map(id => statusOf(report, id))).toEqual(['pass', 'pass']);
  });

  it('runs a job in the exec driver, within its cgroup', async context => {
    context.skip(lab.mirror.offer.nomad.standIn, 'a stand-in for Nomad runs no jobs');
    await machine.exec(['sh', '-c', 'cat >/root/own.nomad.hcl'], { stdin: execJob });
    await machine.exec(['nomad', 'job', 'run', '-detach', '/root/own.nomad.hcl']);

    const output = await waitFor(
      'the job to say where it runs',
      async () => {
        const said = await machine.exec(['nomad', 'alloc', 'logs', '-job', 'own', 'tell'], { check: false });
        return said.stdout.includes('told') ? said.stdout : undefined;
      },
      { timeoutMs: 180_000, everyMs: 1000 },
    );

    expect(output).toContain('/etc/nomad.d is hidden');
    const cgroup = /^0::(\/nomad\.slice\/\S+)$/m.exec(output)?.[1] ?? '';
    const limit = await machine.exec(['cat', `/sys/fs/cgroup${cgroup}/memory.max`]);
    expect(limit.stdout.trim()).toBe(String(64 * 1024 * 1024));
    await machine.exec(['nomad', 'job', 'stop', '-purge', '-detach', 'own']);
  });

  it('comes back healthy by itself after a reboot, with its modules and settings', async () => {
    await machine.reboot();

    expect(await loaded()).toEqual(['bridge', 'br_netfilter']);
    expect(await sysctl('net.bridge.bridge-nf-call-iptables')).toBe('1');
    expect(await sysctl('net.ipv4.ip_forward')).toBe('1');
    const report = await verify(machine, ['--wait', '240']);
    expect([complaints(report), report.exitCode]).toEqual([[], 0]);
    const rerun = await bootstrap(machine, ['server']);
    expect(ending(rerun)).toMatchObject({ type: 'finished', changes: 0 });
  });
});

/** Tells its cgroup, and whether the agents' configuration is in its chroot; then waits to be looked at. */
const execJob = `
job "own" {
  group "own" {
    task "tell" {
      driver = "exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "cat /proc/self/cgroup; test -e /etc/nomad.d || echo /etc/nomad.d is hidden; echo told; sleep 3600"]
      }
      resources {
        cpu    = 50
        memory = 64
      }
    }
  }
}
`;

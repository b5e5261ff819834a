import { describe, expect, test } from 'vitest';
import { clock } from '../../../src/checks/preflight/clock.ts';
import { disk } from '../../../src/checks/preflight/disk.ts';
import { dockerEngine } from '../../../src/checks/preflight/docker-engine.ts';
import { foreignAgents } from '../../../src/checks/preflight/foreign-agents.ts';
import { hostname } from '../../../src/checks/preflight/hostname.ts';
import { dryRunPreflight, preflight } from '../../../src/checks/preflight/index.ts';
import { initSystemd } from '../../../src/checks/preflight/init-systemd.ts';
import { ipv4 } from '../../../src/checks/preflight/ipv4.ts';
import { kernelFeatures } from '../../../src/checks/preflight/kernel-features.ts';
import { memory } from '../../../src/checks/preflight/memory.ts';
import { osSupported } from '../../../src/checks/preflight/os-supported.ts';
import { parseListeners, portsFree } from '../../../src/checks/preflight/ports-free.ts';
import { rootWritable } from '../../../src/checks/preflight/root-writable.ts';
import { runChecks } from '../../../src/core/run-checks.ts';
import type { Check, CheckOutcome } from '../../../src/core/types.ts';
import { platformFor, supportedSystems } from '../../../src/platforms/index.ts';
import type { Target } from '../../../src/target.ts';
import { type FixtureDescription, fixtureHost } from '../../support/fixture-host.ts';
import { describedHost, factsOf, hostNames } from '../../support/hosts.ts';
import { clientNode, type TargetDescription, targetOn } from '../../support/target.ts';

const mib = 2 ** 20;

/** Runs one check on the described host, changed by `host` and `target`. */
async function check(
  subject: Check<Target>,
  name: string,
  host: FixtureDescription = {},
  target: TargetDescription = {},
): Promise<CheckOutcome> {
  const described = describedHost(name);
  return await subject.run(
    fixtureHost({ ...described, ...host, files: { ...described.files, ...host.files } }),
    await targetOn(name, target),
  );
}

describe('os-supported', () => {
  test('passes on a supported system and names it', async () => {
    expect(await check(osSupported, 'debian-12')).toEqual({
      status: 'pass',
      detail: 'Debian GNU/Linux 12 (bookworm), amd64',
    });
  });
  test("fails with the platform's reason", async () => {
    const platform = { unsupportedReason: () => 'Debian 11 is too old' };
    expect(await check(osSupported, 'debian-11', {}, { platform })).toMatchObject({
      status: 'fail',
      detail: 'Debian 11 is too old',
    });
  });
  test('refuses exactly the systems that are not supported', async () => {
    const refused: string[] = [];
    for (const name of hostNames) {
      const { os } = await factsOf(name);
      try {
        const outcome = await check(osSupported, name, {}, { platform: platformFor(os) });
        if (outcome.status === 'fail') refused.push(name);
      } catch (error) {
        expect(error).toMatchObject({ code: 'unsupported-os', exitCode: 3 });
        refused.push(name);
      }
    }
    expect(refused).toEqual([
      'alpine-3.23',
      'amazon-2023',
      'arch',
      'centos-7',
      'debian-11',
      'debian-12-i686',
      'opensuse-leap-15.6',
      'ubuntu-20.04',
    ]);
  });
  test('names what is supported in the same words as the platforms', async () => {
    const platform = { unsupportedReason: () => 'too old' };
    const { hint } = await check(osSupported, 'debian-11', {}, { platform });
    expect(hint).toBe(`use one of: ${supportedSystems}`);
  });
  test('fails on a 32-bit system of a supported release', async () => {
    expect(await check(osSupported, 'debian-12-i686')).toMatchObject({
      status: 'fail',
      detail: 'there are no Nomad and Consul packages for i686',
    });
  });
});

test('a machine without systemd fails init-systemd', async () => {
  expect((await check(initSystemd, 'rocky-10')).status).toBe('pass');
  expect((await check(initSystemd, 'alpine-3.23')).status).toBe('fail');
});

test.each([
  [399, 'fail'],
  [400, 'warn'],
  [963, 'warn'],
  [1960, 'pass'],
])('%i MiB of memory: %s', async (memoryMiB, status) => {
  expect(await check(memory, 'debian-12', {}, { facts: { memoryMiB } })).toMatchObject({
    status,
    detail: `${memoryMiB} MiB`,
  });
});

describe('disk', () => {
  test.each([
    [1023, 'fail'],
    [1024, 'warn'],
    [4096, 'pass'],
  ])('%i MiB available: %s', async (availableMiB, status) => {
    const space = { '/': { sizeBytes: 2 ** 40, availableBytes: availableMiB * mib } };
    expect((await check(disk, 'debian-12', { space })).status).toBe(status);
  });
  test('looks at the fullest of the file systems that a run fills', async () => {
    const space = {
      '/': { sizeBytes: 2 ** 40, availableBytes: 2 ** 39 },
      '/var': { sizeBytes: 2 ** 30, availableBytes: 300 * mib },
    };
    expect(await check(disk, 'debian-12', { space })).toMatchObject({
      status: 'fail',
      detail: '300 MiB available in /var',
    });
  });
});

test('a clock from before this program was made fails', async () => {
  expect((await check(clock, 'debian-12')).status).toBe('pass');
  expect(await check(clock, 'debian-12', { now: new Date('1970-01-01T00:00:07Z') })).toMatchObject({
    status: 'fail',
    detail: 'the clock says 1970-01-01T00:00:07.000Z',
  });
});

describe('ipv4', () => {
  test('passes when the cluster address is on an interface', async () => {
    expect(await check(ipv4, 'debian-13', {}, { node: { network: network('203.0.113.22') } })).toEqual({
      status: 'pass',
      detail: '203.0.113.22',
    });
  });
  test('fails when the cluster address has gone from the machine', async () => {
    expect(await check(ipv4, 'debian-13', {}, { node: { network: network('10.0.0.9') } })).toMatchObject({
      status: 'fail',
      detail: '10.0.0.9 is on no interface; there are 203.0.113.22',
    });
  });
  test('fails on a machine with IPv6 alone', async () => {
    const addresses = [{ interface: 'eth0', address: '2001:db8::1', prefixLength: 64, family: 6 as const }];
    expect((await check(ipv4, 'debian-13', {}, { facts: { addresses } })).status).toBe('fail');
  });
  test('says nothing of an image or of a node on loopback', async () => {
    expect(ipv4.appliesTo?.(await targetOn('debian-13', { node: undefined }))).toBe(false);
    const loopback = { ...network('127.0.0.1'), kind: 'loopback' as const };
    expect(ipv4.appliesTo?.(await targetOn('debian-13', { node: { network: loopback } }))).toBe(false);
  });

  function network(address: string) {
    return { address, interface: 'eth0', cidr: `${address}/32`, kind: 'public' as const };
  }
});

test('a host name of localhost is warned about, with the name that the agents use', async () => {
  expect(await check(hostname, 'rocky-9')).toEqual({ status: 'pass', detail: 'rocky-9' });
  expect(await check(hostname, 'debian-12')).toEqual({
    status: 'warn',
    detail: 'the host name is localhost; the agents call it nomad-s1',
    hint: 'hostnamectl set-hostname nomad-s1',
  });
});

describe('root-writable', () => {
  test('passes on a usual root', async () => {
    expect((await check(rootWritable, 'debian-12')).status).toBe('pass');
  });
  test('fails on a root that is mounted read-only', async () => {
    const files = { '/proc/mounts': '/dev/sda / ext4 ro,relatime,errors=remount-ro 0 0\n' };
    expect(await check(rootWritable, 'debian-12', { files })).toMatchObject({
      status: 'fail',
      detail: '/etc is mounted read-only',
    });
  });
  test('fails on a /tmp that is read-only, where apt cannot work', async () => {
    const files = { '/proc/mounts': '/dev/sda / ext4 rw 0 0\ntmpfs /tmp tmpfs ro 0 0\n' };
    expect(await check(rootWritable, 'debian-12', { files })).toMatchObject({ detail: '/tmp is mounted read-only' });
  });
  test('is not misled by the option errors=remount-ro or by a mount that hides an earlier one', async () => {
    const mounts = [
      '/dev/sda / ext4 rw,relatime,errors=remount-ro 0 0',
      '/dev/sdb /usr ext4 ro 0 0',
      'overlay /usr overlay rw 0 0',
      '/dev/sdc /etcetera ext4 ro 0 0',
    ];
    const files = { '/proc/mounts': `${mounts.join('\n')}\n` };
    expect((await check(rootWritable, 'debian-12', { files })).status).toBe('pass');
  });
  test('names the file system that is read-only when it is not the root', async () => {
    const files = { '/proc/mounts': '/dev/sda / ext4 rw 0 0\n/dev/sdb /usr ext4 ro 0 0\n' };
    expect(await check(rootWritable, 'debian-12', { files })).toMatchObject({
      status: 'fail',
      detail: '/usr is mounted read-only',
      hint: expect.stringContaining('mount -o remount,rw /usr'),
    });
  });
});

describe('foreign-agents', () => {
  test('passes on a fresh machine', async () => {
    expect((await check(foreignAgents, 'debian-12')).status).toBe('pass');
  });
  test("warns about a program that comes before the package's", async () => {
    expect(await check(foreignAgents, 'debian-12', { files: { '/usr/local/bin/nomad': 'ELF' } })).toEqual({
      status: 'warn',
      detail: "/usr/local/bin/nomad come before the package's program on the PATH",
      hint: 'rm /usr/local/bin/nomad',
    });
  });
  test('fails on a masked unit, and says how to unmask it', async () => {
    const symlinks = { '/etc/systemd/system/consul.service': '/dev/null' };
    expect(await check(foreignAgents, 'debian-12', { symlinks })).toEqual({
      status: 'fail',
      detail: 'consul is masked, and cannot be started',
      hint: 'systemctl unmask consul',
    });
  });
  test.each([
    '/etc/systemd/system/consul.service',
    '/usr/local/lib/systemd/system/consul.service',
    '/run/systemd/system/nomad.service',
  ])("fails on a unit that hides the package's: %s", async path => {
    const files = { [path]: '[Service]\nExecStart=/usr/local/bin/consul agent -dev\n' };
    expect((await check(foreignAgents, 'debian-12', { files })).status).toBe('fail');
  });
});

describe('docker-engine', () => {
  const wrapper = '#!/usr/bin/sh\nexec /usr/bin/podman "$@"\n';
  test('passes where nothing is installed, and where Docker is', async () => {
    expect((await check(dockerEngine, 'rocky-9')).status).toBe('pass');
    const files = { '/usr/bin/docker': new Uint8Array(100_000) };
    expect((await check(dockerEngine, 'rocky-9', { files })).status).toBe('pass');
  });
  test("fails on podman's wrapper, whether it is a script or a link", async () => {
    expect((await check(dockerEngine, 'rocky-9', { files: { '/usr/bin/docker': wrapper } })).status).toBe('fail');
    expect((await check(dockerEngine, 'rocky-9', { symlinks: { '/usr/bin/docker': 'podman' } })).status).toBe('fail');
  });
  test('is asked where Docker is wanted: on clients and images, unless it is left out', async () => {
    const applies = async (description: TargetDescription) =>
      dockerEngine.appliesTo?.(await targetOn('rocky-9', description));
    expect(await applies({ node: clientNode })).toBe(true);
    expect(await applies({ node: undefined })).toBe(true);
    expect(await applies({})).toBe(false);
    expect(await applies({ node: clientNode, packages: { docker: 'none' } })).toBe(false);
  });
});

describe('ports-free', () => {
  const listening = [
    'LISTEN 0      4096         0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=700,fd=3),("systemd",pid=1,fd=40))',
    'LISTEN 0      4096   127.0.0.53%lo:53        0.0.0.0:*    users:(("systemd-resolve",pid=500,fd=15))',
    'LISTEN 0      511             [::]:4646         [::]:*    users:(("node",pid=4242,fd=19))',
    'LISTEN 0      511                *:8300            *:*   ',
  ].join('\n');
  const commands = { 'ss -Hltnp': { stdout: `${listening}\n` } };

  test('reads every form of address that ss prints', () => {
    expect(parseListeners(listening)).toEqual([
      { port: 22, process: 'sshd (pid 700)' },
      { port: 53, process: 'systemd-resolve (pid 500)' },
      { port: 4646, process: 'node (pid 4242)' },
      { port: 8300, process: 'another process' },
    ]);
    expect(parseListeners('')).toEqual([]);
  });
  test('fails naming the process that is in the way', async () => {
    expect(await check(portsFree, 'debian-12', { commands })).toMatchObject({
      status: 'fail',
      detail: 'port 4646 is used by node (pid 4242), port 8300 is used by another process',
    });
  });
  test('leaves the ports of a server alone on a client', async () => {
    expect(await check(portsFree, 'debian-12', { commands }, { node: clientNode })).toMatchObject({
      status: 'fail',
      detail: 'port 4646 is used by node (pid 4242)',
    });
  });
  test("does not ask about an installed agent's ports: the agent itself has them", async () => {
    const installed = { nomad: '2.0.5', consul: '2.0.3' };
    expect((await check(portsFree, 'debian-12', {}, { facts: { installed } })).status).toBe('skip');
    expect(
      (await check(portsFree, 'debian-12', { commands }, { facts: { installed: { consul: '2.0.3' } } })).detail,
    ).toBe('port 4646 is used by node (pid 4242)');
  });
  test('is skipped with a reason where there is no ss', async () => {
    const none = { 'ss -Hltnp': { exitCode: 127, stderr: 'ss: not found' } };
    expect(await check(portsFree, 'debian-12', { commands: none })).toEqual({
      status: 'skip',
      detail: 'ss did not answer: ss: not found',
    });
  });
});

describe('kernel-features', () => {
  test('passes on a kernel with modules, and on one that has all built in', async () => {
    expect((await check(kernelFeatures, 'debian-12')).status).toBe('pass');
    expect((await check(kernelFeatures, 'debian-13')).status).toBe('pass');
  });
  test('warns about a Linode kernel without br_netfilter and names the kernel to select', async () => {
    const kernel = {
      release: '6.15.7-x86_64-linode169',
      bridge: true,
      brNetfilter: false,
      hasModules: false,
      linodeKernel: true,
    };
    const outcome = await check(kernelFeatures, 'debian-13', {}, { facts: { kernel } });
    expect(outcome).toMatchObject({ status: 'warn', hint: expect.stringContaining('GRUB 2') });
  });
});

describe('all of them', () => {
  test('pass on a freshly booted Rocky Linux 10 that becomes a client', async () => {
    const host = fixtureHost({
      ...describedHost('rocky-10'),
      commands: { 'ss -Hltnp': {} },
      // The server that it is to join is not up yet.
      requests: { 'GET http://10.20.0.12:8500/v1/agent/members': 'unreachable' },
    });
    const results = await runChecks(preflight, host, await targetOn('rocky-10', { node: clientNode }));
    // Those that ask about a search that this node does not make.
    expect(results.filter(({ status }) => status !== 'pass')).toMatchObject([
      { id: 'vpc-search', status: 'skip' },
      { id: 'linode-api', status: 'skip' },
    ]);
    expect(host.log).toEqual([]);
  });
  test('are different checks with ids of their own', () => {
    expect(new Set(preflight.map(({ id }) => id)).size).toBe(preflight.length);
  });
  test('hold for a dry run too, but for the writable root', () => {
    expect(preflight.filter(subject => !dryRunPreflight.includes(subject))).toEqual([rootWritable]);
  });
});

import { describe, expect, test } from 'vitest';
import { readCgroups, readKernel } from '../../src/facts/kernel.ts';
import { type FixtureDescription, fixtureHost } from '../support/fixture-host.ts';

const release = '6.1.0-41-amd64';

async function bridge(host: FixtureDescription): Promise<string> {
  const files = { '/proc/sys/kernel/osrelease': `${release}\n`, ...host.files };
  const kernel = await readKernel(fixtureHost({ ...host, files }));
  return [kernel.bridge && 'bridge', kernel.brNetfilter && 'br_netfilter'].filter(Boolean).join(' ');
}

describe('bridge and br_netfilter', () => {
  test('are not there on a kernel that shows neither', async () => {
    expect(await bridge({})).toBe('');
  });
  test('are there when loaded', async () => {
    expect(await bridge({ files: { '/proc/modules': 'bridge 311296 1 br_netfilter, Live 0x0\n' } })).toBe('bridge');
    expect(await bridge({ directories: ['/sys/module/bridge'] })).toBe('bridge');
    expect(await bridge({ directories: ['/sys/module/br_netfilter'] })).toBe('bridge br_netfilter');
  });
  test('are there when built into a kernel with modules', async () => {
    const builtIn = 'kernel/net/bridge/bridge.ko\nkernel/net/bridge/br_netfilter.ko\n';
    expect(await bridge({ files: { [`/lib/modules/${release}/modules.builtin`]: builtIn } })).toBe(
      'bridge br_netfilter',
    );
  });
  test('are there on a monolithic kernel that has the settings', async () => {
    expect(await bridge({ files: { '/proc/sys/net/bridge/bridge-nf-call-iptables': '1\n' } })).toBe(
      'bridge br_netfilter',
    );
  });
  test('are not there when only a module of a similar name is', async () => {
    const files = {
      '/proc/modules': 'bridge_stp 16384 0 - Live 0x0\nebtable_bridge 1 0 - Live 0x0\n',
      [`/lib/modules/${release}/modules.builtin`]: 'kernel/drivers/gpu/drm/bridge/drm_bridge.ko\n',
    };
    expect(await bridge({ files })).toBe('');
  });
});

test("a kernel of Linode's own is known by its name, and so is a missing module tree", async () => {
  const files = { '/proc/sys/kernel/osrelease': '6.15.7-x86_64-linode169\n' };
  expect(await readKernel(fixtureHost({ files }))).toMatchObject({ linodeKernel: true, hasModules: false });
  const debian = {
    '/proc/sys/kernel/osrelease': `${release}\n`,
    [`/lib/modules/${release}/modules.dep`]: '',
  };
  expect(await readKernel(fixtureHost({ files: debian }))).toMatchObject({ linodeKernel: false, hasModules: true });
});

describe('cgroups', () => {
  const controllers = '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t2\t1\nmemory\t2\t2\t0\nio\t3\t1\t1\n';
  test('are of version 2 where the root lists its controllers', async () => {
    const files = { '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n' };
    expect(await readCgroups(fixtureHost({ files }))).toEqual({
      version: 2,
      controllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'],
    });
  });
  test('are of version 1 where controllers are mounted one by one, a hybrid included', async () => {
    const directories = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/memory', '/sys/fs/cgroup/unified'];
    expect(await readCgroups(fixtureHost({ files: { '/proc/cgroups': controllers }, directories }))).toEqual({
      version: 1,
      controllers: ['cpu'],
    });
  });
  test('are not there when nothing is mounted', async () => {
    expect(await readCgroups(fixtureHost({ directories: ['/sys/fs/cgroup'] }))).toEqual({
      version: 'none',
      controllers: [],
    });
  });
});

import { expect, test } from 'vitest';
import { gatherFacts } from '../../src/facts/gather.ts';
import { type FixtureDescription, fixtureHost } from '../support/fixture-host.ts';
import { describedHost, factsOf, hostNames } from '../support/hosts.ts';

test.each(hostNames)('the facts of a freshly booted %s are told exactly', async name => {
  const facts = await factsOf(name);
  await expect(`${JSON.stringify(facts, undefined, 2)}\n`).toMatchFileSnapshot(`../golden/facts/${name}.json`);
});

async function gatherOn(description: FixtureDescription) {
  return gatherFacts(fixtureHost(description), { metadataTimeoutMs: 2000 });
}

test('gathering facts changes nothing, asks no server, and starts no process on a fresh host without firewalld', async () => {
  for (const name of hostNames.filter(host => !host.startsWith('almalinux'))) {
    const host = fixtureHost(describedHost(name));
    await gatherFacts(host, { metadataTimeoutMs: 2000 });
    expect([name, host.log, host.gets, host.queries]).toEqual([name, [], [], []]);
  }
});

test('a host that shows nothing at all still has facts', async () => {
  expect(await gatherOn({ machine: 'riscv64', space: {} })).toMatchObject({
    os: { id: 'linux' },
    architecture: undefined,
    machine: 'riscv64',
    hostname: '',
    cgroups: { version: 'none' },
    memoryMiB: 0,
    cpuCount: 0,
    disk: { sizeMiB: 0, availableMiB: 0 },
    init: 'other',
    candidates: [],
    installed: {},
    linode: undefined,
  });
});

test('os-release is looked for where the distribution keeps it when /etc has none', async () => {
  expect((await gatherOn({ files: { '/usr/lib/os-release': 'ID=fedora\n' } })).os.id).toBe('fedora');
});

test.each([
  ['0', 1],
  ['0-1', 2],
  ['0-3,8-11', 8],
  ['0,2,4', 3],
])('processors %s online are %i', async (online, count) => {
  const files = { '/sys/devices/system/cpu/online': `${online}\n` };
  expect((await gatherOn({ files })).cpuCount).toBe(count);
});

test('ufw counts as the firewall only where it is enabled', async () => {
  const firewall = async (conf: string) =>
    (await gatherOn({ files: { '/etc/ufw/ufw.conf': conf, '/usr/sbin/ufw': 'a program' } })).firewall;
  expect(await firewall('# ENABLED=yes\nENABLED=no\n')).toBe('none');
  expect(await firewall('ENABLED=yes\n')).toBe('ufw');
  const { firewall: leftBehind } = await gatherOn({ files: { '/etc/ufw/ufw.conf': 'ENABLED=yes\n' } });
  expect(leftBehind).toBe('none');
});

test('facts are frozen', async () => {
  expect(Object.isFrozen(await factsOf('debian-12'))).toBe(true);
});

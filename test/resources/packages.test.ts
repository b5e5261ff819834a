import { describe, expect, test } from 'vitest';
import { BootstrapError } from '../../src/core/errors.ts';
import type { Host } from '../../src/core/types.ts';
import type { PackageVersion } from '../../src/resolution/resolution.ts';
import { type Exchange, type PackageManager, packageHold, packages, wasCutOff } from '../../src/resources/packages.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const none: ReadonlySet<string> = new Set();

/** A package manager in memory, with what it was told to install. */
function memoryManager(present: Readonly<Record<string, string>>, heldNames: readonly string[] = []) {
  const installed = new Map(Object.entries(present));
  const held = new Set(heldNames);
  const transactions: (readonly PackageVersion[])[] = [];
  const exchanges: (readonly PackageVersion[])[] = [];
  const manager = {
    id: 'apt',
    installed: async (_host, names) => new Map([...installed].filter(([name]) => names.includes(name))),
    unpacked: async () => installed,
    all: async () => [...installed.keys()].sort(),
    held: async (_host, names) => new Set(names.filter(name => held.has(name))),
    async install(_host, wanted) {
      transactions.push(wanted);
      for (const { name, version } of wanted) installed.set(name, version ?? '1');
    },
    async exchange(_host, wanted) {
      exchanges.push(wanted);
      for (const { name, version } of wanted) installed.set(name, version ?? '1');
    },
    removal: async () => ({ packages: [], needed: {} }),
    present: async (_host, names) => names.filter(name => installed.has(name)),
    async remove() {},
    holding: {
      async hold(_host, names) {
        for (const name of names) held.add(name);
      },
      async release() {},
    },
  } satisfies PackageManager;
  return {
    manager,
    transactions,
    exchanges,
    installed,
    holding: manager.holding as NonNullable<PackageManager['holding']>,
  };
}

const wanted = [{ name: 'nomad', version: '2.0.5-1' }, { name: 'consul', version: '1.21.5-1' }, { name: 'iptables' }];
const host: Host = fixtureHost();

test('only what is missing or has another version is installed, in one transaction', async () => {
  const { manager, transactions, exchanges } = memoryManager({ nomad: '2.0.4-1', iptables: '1.8.9-2', openssl: '3.0' });
  const resource = packages(manager, wanted);

  const change = await resource.plan(host, none);

  expect(change).toMatchObject({
    summary: 'install nomad 2.0.5-1, consul 1.21.5-1',
    diff: 'nomad: 2.0.4-1 -> 2.0.5-1\nconsul: absent -> 1.21.5-1\n',
  });
  await change?.apply(host);
  // What is there is exchanged, and nothing restarted by it.
  expect(transactions).toEqual([[wanted[1]]]);
  expect(exchanges).toEqual([[wanted[0]]]);
  expect(await resource.plan(host, none)).toBeUndefined();
});

describe('another version of what is there', () => {
  const before = { nomad: '2.0.4-1', consul: '1.21.5-1', iptables: '1' };
  const refusal = new BootstrapError('config-refused', 'nomad 2.0.5 refuses its configuration', {
    hint: 'mend it',
    detail: 'unknown key',
  });

  /** What belongs to an exchange, in the order in which it came. */
  function watched(over: Partial<Exchange> = {}) {
    const seen: string[] = [];
    const exchange: Exchange = {
      announce: names => names.map(name => `save the state of ${name}`),
      prepare: async (_host, installed) => void seen.push(`prepare ${JSON.stringify([...installed])}`),
      judge: async (_host, names) => void seen.push(`judge ${names.join(' ')}`),
      ...over,
    };
    return { exchange, seen };
  }

  test('is announced with what comes first, and judged when it is there', async () => {
    const { manager, exchanges } = memoryManager(before);
    const { exchange, seen } = watched();

    const change = await packages(manager, wanted, exchange).plan(host, none);
    await change?.apply(host);

    expect(change?.summary).toBe('save the state of nomad, install nomad 2.0.5-1');
    expect(seen).toEqual(['prepare [["nomad","2.0.4-1"]]', 'judge nomad']);
    expect(exchanges).toEqual([[wanted[0]]]);
  });

  test('does not come where the cluster cannot do without the server, or its state cannot be saved', async () => {
    const { manager, exchanges, transactions } = memoryManager(before);
    const { exchange } = watched({
      prepare: async () => Promise.reject(new BootstrapError('would-lose-quorum', 'no', { hint: '-' })),
    });

    const change = await packages(manager, wanted, exchange).plan(host, none);

    await expect(change?.apply(host)).rejects.toMatchObject({ code: 'would-lose-quorum' });
    expect([...exchanges, ...transactions]).toEqual([]);
  });

  test('that refuses its configuration makes room for the former one', async () => {
    const { manager, exchanges, installed } = memoryManager(before);
    const { exchange } = watched({ judge: async () => Promise.reject(refusal) });

    const change = await packages(manager, wanted, exchange).plan(host, none);

    await expect(change?.apply(host)).rejects.toMatchObject({
      code: 'config-refused',
      message: 'nomad 2.0.5 refuses its configuration; put back: nomad 2.0.4-1; nothing was restarted',
      detail: 'unknown key',
    });
    expect(exchanges).toEqual([[wanted[0]], [{ name: 'nomad', version: '2.0.4-1' }]]);
    expect(installed.get('nomad')).toBe('2.0.4-1');
  });

  test('that cannot be put back is said to be there, before the machine restarts with it', async () => {
    const { manager } = memoryManager(before);
    const { exchange } = watched({ judge: async () => Promise.reject(refusal) });
    const gone: PackageManager = {
      ...manager,
      async exchange(onHost, names, direction) {
        if (direction === 'back') throw new BootstrapError('packages-failed', 'it is gone', { hint: '-' });
        await manager.exchange(onHost, names);
      },
    };

    const change = await packages(gone, wanted, exchange).plan(host, none);

    await expect(change?.apply(host)).rejects.toMatchObject({
      code: 'config-refused',
      message: expect.stringContaining('could not be put back: nomad 2.0.4-1 (it is gone); what ran before still runs'),
      hint: expect.stringContaining('before this machine restarts'),
    });
  });
});

test('a transaction that was cut off after all packages were there is ended, where it has left something to do', async () => {
  const { manager } = memoryManager({ nomad: '2.0.5-1', consul: '1.21.5-1', iptables: '1' });
  let left: readonly string[] = ['libc-bin'];
  const given: unknown[][] = [];
  const remains = {
    of: async () => left,
    async settle(...all: unknown[]) {
      given.push(all);
      left = [];
    },
  };
  const planned = (cutOff: boolean) => packages({ ...manager, remains }, wanted, undefined, cutOff).plan(host, none);

  // Somebody else's is not ours to end.
  expect(await planned(false)).toBeUndefined();
  const change = await planned(true);
  expect(change).toMatchObject({
    summary: 'end the transaction that was cut off, for libc-bin',
    undo: { kind: 'none' },
  });
  await change?.apply(host, { ended: async () => {}, endPart: () => {} });
  expect(given).toEqual([[host]]);
  expect(await planned(true)).toBeUndefined();
});

test('whether the last transaction was cut off is in the journal', () => {
  const entry = (id: string, done: boolean) => ({ entry: 0, id, undo: { kind: 'none' }, at: '', done });
  expect(wasCutOff([])).toBe(false);
  expect(wasCutOff([entry('packages:apt', false), entry('file:/etc/a', true)])).toBe(true);
  expect(wasCutOff([entry('packages:apt', false), entry('packages:apt', true), entry('file:/etc/a', false)])).toBe(
    false,
  );
});

test('an uninstallation will take away what was not there before, never what was only upgraded', async () => {
  const { manager } = memoryManager({ nomad: '2.0.4-1', openssl: '3.0' });
  const change = await packages(manager, wanted).plan(host, none);
  expect(change?.undo).toEqual({
    kind: 'packages',
    manager: 'apt',
    names: ['consul', 'iptables'],
    before: ['nomad', 'openssl'],
    existing: { users: [], groups: [], directories: [], files: [] },
  });
});

test('what a package could spoil is written down before it comes, with its owners', async () => {
  const host = fixtureHost({
    files: {
      '/etc/passwd': 'root:x:0:0::/root:/bin/bash\nconsul:x:900:900::/:/bin/false\n',
      '/etc/group': 'root:x:0:\n',
      '/etc/consul.d/zz-local.hcl': { content: 'x = 1\n', mode: 0o600 },
      '/etc/consul.d/tls/ca.pem': 'CA\n',
    },
    directories: { '/opt/consul': { owner: 'consul:consul', mode: 0o750 } },
  });
  const change = await packages(memoryManager({}).manager, wanted).plan(host, none);
  expect(change?.undo['existing']).toEqual({
    users: ['consul'],
    groups: [],
    directories: [
      { path: '/etc/consul.d', attributes: { mode: 0o755, owner: 'root:root' } },
      { path: '/opt/consul', attributes: { mode: 0o750, owner: 'consul:consul' } },
      { path: '/etc/consul.d/tls', attributes: { mode: 0o755, owner: 'root:root' } },
    ],
    files: [
      {
        path: '/etc/consul.d/zz-local.hcl',
        former: { contentBase64: btoa('x = 1\n'), attributes: { mode: 0o600, owner: 'root:root' } },
      },
      {
        path: '/etc/consul.d/tls/ca.pem',
        former: { contentBase64: btoa('CA\n'), attributes: { mode: 0o644, owner: 'root:root' } },
      },
    ],
  });
});

test('a package without a version is left at the one that is there', async () => {
  const { manager } = memoryManager({ nomad: '2.0.5-1', consul: '1.21.5-1', iptables: '1.4.0' });
  expect(await packages(manager, wanted).plan(host, none)).toBeUndefined();
});

test('what is not held yet is held', async () => {
  const { manager, holding } = memoryManager({}, ['consul']);
  const resource = packageHold(manager, holding, ['nomad', 'consul']);
  const change = await resource.plan(host, none);
  expect(change).toMatchObject({
    summary: 'hold nomad against upgrades',
    undo: { kind: 'package-hold', manager: 'apt', names: ['nomad'] },
  });
  await change?.apply(host);
  expect(await resource.plan(host, none)).toBeUndefined();
});

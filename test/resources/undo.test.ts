import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { generateKey } from 'openpgp';
import { describe, expect, test } from 'vitest';
import type { JournalEntry } from '../../src/core/journal.ts';
import type { Resource, Undo } from '../../src/core/types.ts';
import type { Departure } from '../../src/resources/departure.ts';
import type { PackageManager, PackagesUndo } from '../../src/resources/packages.ts';
import { type Undoing, whatWasMade } from '../../src/resources/undo.ts';
import { formerAgent } from '../../src/resources/undo-agent.ts';
import { formerData } from '../../src/resources/undo-data.ts';
import { archiveGone, directoryAsItWas, directoryGone, fileAsItWas } from '../../src/resources/undo-files.ts';
import { formerSysctl, moduleGone } from '../../src/resources/undo-kernel.ts';
import { keysGone, packagesGone } from '../../src/resources/undo-packages.ts';
import { type FixtureDescription, type FixtureHost, fixtureHost } from '../support/fixture-host.ts';

const none: ReadonlySet<string> = new Set();
const attributes = { mode: 0o644, owner: 'root:root' };
const nothing = { users: [], groups: [], directories: [], files: [] };

function journalOf(...undos: readonly Undo[]): readonly JournalEntry[] {
  return undos.map((undo, entry) => ({ entry, id: `x:${entry}`, undo, at: '2026-11-22T12:00:00Z', done: true }));
}

function file(path: string, content?: string) {
  return content === undefined ? { path } : { path, former: { contentBase64: btoa(content), attributes } };
}

function transaction(names: readonly string[], over: Partial<PackagesUndo> = {}): PackagesUndo {
  return { kind: 'packages', manager: 'apt', names, before: ['bash'], existing: nothing, ...over };
}

const noDeparture: Departure = { plan: async () => [], guard: async () => {}, leave: async () => {} };

function undoing(undos: readonly Undo[], over: Partial<Undoing> = {}): Undoing & { readonly remarks: string[] } {
  const remarks: string[] = [];
  return {
    made: whatWasMade(journalOf(...undos)),
    manager: undefined,
    packages: [],
    staying: new Set(),
    purgeData: false,
    departures: { nomad: noDeparture, consul: noDeparture },
    remark: message => void remarks.push(message),
    remarks,
    ...over,
  };
}

/** Applies what is planned and holds that nothing is left to do. Returns what was announced. */
async function carryOut(host: FixtureHost, resource: Resource): Promise<string | undefined> {
  const change = await resource.plan(host, none);
  await change?.apply(host);
  expect(await resource.plan(host, none)).toBeUndefined();
  return change?.summary;
}

function commandsOf(host: FixtureHost): readonly string[] {
  return host.log.flatMap(mutation => (mutation.kind === 'run' ? [mutation.argv.join(' ')] : []));
}

describe('what was made', () => {
  test('has of everything the state before the first run, whatever later runs found', () => {
    const made = whatWasMade(
      journalOf(
        { kind: 'files', files: [file('/etc/a', 'first\n')] },
        { kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '0' },
        { kind: 'directory', path: '/opt/cni' },
        { kind: 'service', unit: 'docker.service', enabled: false, running: false },
        { kind: 'files', files: [file('/etc/a', 'second\n')] },
        { kind: 'sysctl', key: 'net.ipv4.ip_forward', value: '1' },
        { kind: 'attributes', path: '/opt/cni', attributes },
        { kind: 'service', unit: 'docker.service', enabled: true, running: false },
      ),
    );
    expect(made.files.get('/etc/a')).toEqual(file('/etc/a', 'first\n'));
    expect(made.sysctls.get('net.ipv4.ip_forward')).toBe('0');
    expect(made.services.get('docker.service')).toEqual({ enabled: false, running: false });
    // A folder that was made cannot have had another owner before.
    expect([...made.directories]).toEqual(['/opt/cni']);
    expect(made.attributes.size).toBe(0);
  });

  test("has a package's own configuration as not there, and an operator's as it was before the package came", () => {
    const existing = {
      ...nothing,
      directories: [{ path: '/etc/nomad.d', attributes: { mode: 0o750, owner: 'root:root' } }],
      files: [file('/etc/nomad.d/zz-local.hcl', 'x = 1\n')],
    };
    const made = whatWasMade(
      journalOf(transaction(['nomad'], { existing }), {
        kind: 'agent',
        unit: 'nomad',
        files: [file('/etc/nomad.d/nomad.hcl', 'stock\n')],
        enabled: false,
        active: false,
      }),
    );
    expect(made.files.get('/etc/nomad.d/nomad.hcl')).toEqual(file('/etc/nomad.d/nomad.hcl'));
    expect(made.files.get('/etc/nomad.d/zz-local.hcl')).toEqual(file('/etc/nomad.d/zz-local.hcl', 'x = 1\n'));
    expect(made.attributes.get('/etc/nomad.d')).toEqual({ mode: 0o750, owner: 'root:root' });
  });

  test('counts what a cut-off transaction left as made, though the next run found it there', () => {
    const found = { ...nothing, users: ['nomad'], directories: [{ path: '/etc/nomad.d', attributes }] };
    const made = whatWasMade(journalOf(transaction(['nomad']), transaction(['nomad'], { existing: found })));
    expect(made.existing).toEqual(nothing);
  });

  test('is known of every kind that a resource writes into the journal', () => {
    const sources = readdirSync('src/resources').map(name => readFileSync(`src/resources/${name}`, 'utf8'));
    const kinds = new Set(
      sources.flatMap(source => [...source.matchAll(/\bkind: '([a-z-]+)'(?! \|)/g)].map(([, kind]) => kind)),
    );
    const paths = { path: '/x', directory: '/x', record: '/x' };
    const lists = { files: [], opened: [], names: [], packages: [], before: [], existing: nothing };
    const states = { unit: 'nomad', enabled: true, running: true, active: true, attributes };
    const everyField = { ...paths, ...lists, ...states, manager: 'apt', name: 'x', key: 'x' };
    const unknown = [...kinds].filter(kind => {
      try {
        whatWasMade(journalOf({ ...everyField, kind: kind ?? '' }));
        return false;
      } catch {
        return true;
      }
    });
    expect(kinds.size).toBeGreaterThan(10);
    // What an uninstallation itself writes, where there is nothing to know.
    expect(unknown).toEqual(['undone']);
  });

  test.each<[string, object | undefined]>([
    ['of a later release', { kind: 'hologram' }],
    ['in the shape of a later release', { kind: 'files', files: { '/etc/x': 'gone' } }],
    ['whose beginning is damaged, so that only its end is left', undefined],
  ])('by an entry %s is not guessed at', (_, undo) => {
    expect(() => whatWasMade(journalOf(undo as never))).toThrow(expect.objectContaining({ code: 'journal-unknown' }));
  });
});

describe('a file', () => {
  test('that was not there is removed, with the half that a cut-off write left', async () => {
    const host = fixtureHost({ files: { '/etc/a': 'ours\n', '/etc/.a.nomad-bootstrap-new': 'ou' } });
    expect(await carryOut(host, fileAsItWas(file('/etc/a')))).toBe('remove /etc/a');
    expect(host.contents()).toEqual({});
  });

  test('that was there is put back with its mode and owner', async () => {
    const former = { contentBase64: btoa('theirs\n'), attributes: { mode: 0o600, owner: 'www-data:root' } };
    const host = fixtureHost({ files: { '/etc/a': 'ours\n' } });
    expect(await carryOut(host, fileAsItWas({ path: '/etc/a', former }))).toBe('put back /etc/a');
    expect(host.log).toEqual([
      { kind: 'write', path: '/etc/a', content: 'theirs\n', mode: 0o600, owner: 'www-data:root' },
    ]);
  });

  test('that was a link is a link again', async () => {
    const host = fixtureHost({ files: { '/etc/a': 'ours\n' } });
    await carryOut(host, fileAsItWas({ path: '/etc/a', formerLink: '../lib/a' }));
    expect(host.log).toEqual([{ kind: 'symlink', path: '/etc/a', target: '../lib/a' }]);
  });

  test('that a package may take along is announced with the package', async () => {
    const host = fixtureHost({ files: { '/etc/nomad.d/nomad.hcl': 'theirs\n' } });
    const resource = fileAsItWas(file('/etc/nomad.d/nomad.hcl', 'theirs\n'), 'packages:apt');
    expect(await resource.plan(host, none)).toBeUndefined();
    expect(await resource.plan(host, new Set(['packages:apt']))).toMatchObject({
      summary: 'put back /etc/nomad.d/nomad.hcl',
    });
  });
});

describe('a folder', () => {
  const made = [
    { kind: 'directory', path: '/opt/cni' },
    { kind: 'directory', path: '/opt/cni/bin' },
    { kind: 'files', files: [file('/opt/cni/LICENSE')] },
  ];

  test('is announced to go when all in it will go', async () => {
    const host = fixtureHost({ files: { '/opt/cni/LICENSE': '', '/opt/cni/.LICENSE.nomad-bootstrap-new': '' } });
    expect(await directoryGone('/opt/cni', undoing(made)).plan(host, none)).toMatchObject({
      summary: 'remove /opt/cni',
    });
  });

  test('with something foreign in it stays, and that is named', async () => {
    const host = fixtureHost({ files: { '/opt/cni/bin/calico': '' } });
    const target = undoing(made);
    expect(await directoryGone('/opt/cni/bin', target).plan(host, none)).toBeUndefined();
    expect(target.remarks).toEqual(["/opt/cni/bin keeps what is not nomad-bootstrap's: calico"]);
  });

  test('that was there has its former mode and owner, also when a package took it along', async () => {
    const host = fixtureHost({ directories: { '/etc/nomad.d': { owner: 'nomad:nomad' } } });
    const resource = directoryAsItWas('/etc/nomad.d', { mode: 0o750, owner: 'root:root' }, 'packages:apt');
    await carryOut(host, resource);
    await host.remove('/etc/nomad.d');
    await carryOut(host, resource);
    expect(await host.stat('/etc/nomad.d')).toMatchObject({ mode: 0o750, owner: 'root:root' });
    expect(await resource.plan(host, new Set(['packages:apt']))).toBeDefined();
  });
});

describe('an unpacked archive', () => {
  const record = '/var/lib/nomad-bootstrap/cni-plugins.json';
  const digest = (content: string) => createHash('sha256').update(content).digest('hex');
  const digests = (host: FixtureHost) => {
    const files = Object.entries(host.contents()).filter(([path]) => path.startsWith('/opt/cni/bin/'));
    return { stdout: files.map(([path, content]) => `${digest(content)}  ${path}\n`).join('') };
  };
  const recorded = JSON.stringify({
    sha256: '0',
    files: { bridge: digest('ours'), loopback: digest('ours'), vlan: digest('ours') },
    former: { vlan: { attributes: { mode: 0o700, owner: 'root:root' }, saved: `${record}.former/vlan` } },
  });

  test('is gone file by file, but for what was changed since; what it replaced is back', async () => {
    const host = fixtureHost({
      files: {
        [record]: recorded,
        [`${record}.former/vlan`]: 'theirs',
        '/opt/cni/bin/bridge': 'ours',
        '/opt/cni/bin/loopback': 'changed',
        '/opt/cni/bin/vlan': 'ours',
        '/opt/cni/bin/calico': 'theirs',
        '/opt/cni/bin/.nomad-bootstrap-new/dhcp': 'half',
      },
      commands: {
        'sha256sum -- /opt/cni/bin/bridge /opt/cni/bin/loopback /opt/cni/bin/vlan': digests,
      },
    });
    const target = undoing([]);
    await carryOut(host, archiveGone('/opt/cni/bin', record, target));
    expect(host.contents()).toMatchObject({
      '/opt/cni/bin/calico': 'theirs',
      '/opt/cni/bin/loopback': 'changed',
      '/opt/cni/bin/vlan': 'theirs',
    });
    expect(await host.list('/opt/cni/bin')).toEqual(['calico', 'loopback', 'vlan']);
    expect(new Set(target.remarks)).toEqual(new Set(['/opt/cni/bin/loopback stays: it was changed']));
  });
});

describe('data', () => {
  const brought = [transaction(['nomad', 'consul', 'docker-ce'])];
  const opt: FixtureDescription = {
    files: {
      '/opt/nomad/data/server/raft.db': '',
      '/opt/nomad/data/alloc/1/secrets/x': '',
      '/opt/nomad/data/plugins/mine': '',
    },
    directories: { '/opt/nomad/data': { owner: 'nomad:nomad', mode: 0o700 } },
  };
  const data = { path: '/opt/nomad/data', own: ['alloc', 'client', 'server'] };

  test("is deleted on request, mounts first, and never an operator's plug-ins", async () => {
    const host = fixtureHost({
      ...opt,
      files: {
        ...opt.files,
        '/proc/self/mountinfo': [
          '1 0 8:1 / / rw - ext4 /dev/sda rw',
          '2 1 0:1 / /opt/nomad/data/alloc/1/secrets rw - tmpfs tmpfs rw',
          String.raw`3 2 0:2 / /opt/nomad/data/alloc/1/secrets/in\040side rw - tmpfs tmpfs rw`,
          '4 1 0:3 / /opt/nomad/database rw - tmpfs tmpfs rw',
          '',
        ].join('\n'),
      },
      commands: {
        'umount /opt/nomad/data/alloc/1/secrets': {},
        'umount /opt/nomad/data/alloc/1/secrets/in side': {},
      },
    });
    const target = undoing(brought, { purgeData: true });
    const change = await formerData(data, ['nomad'], target).plan(host, none);
    expect(change).toMatchObject({ diff: '/opt/nomad/data/alloc\n/opt/nomad/data/server\n' });
    await change?.apply(host);
    expect(commandsOf(host)).toEqual([
      'umount /opt/nomad/data/alloc/1/secrets/in side',
      'umount /opt/nomad/data/alloc/1/secrets',
    ]);
    expect(await host.list('/opt/nomad/data')).toEqual(['plugins']);
    expect(target.remarks).toEqual(["/opt/nomad/data keeps what is not nomad-bootstrap's: plugins"]);
  });

  test('is kept otherwise, and closed before its user goes, whose number could become anybody', async () => {
    const host = fixtureHost(opt);
    const target = undoing(brought);
    expect(await carryOut(host, formerData(data, ['nomad'], target))).toBe(
      'give /opt/nomad/data to root:root, since its user goes',
    );
    expect(await host.stat('/opt/nomad/data')).toMatchObject({ mode: 0o700, owner: 'root:root' });
    expect(new Set(target.remarks)).toEqual(new Set(['kept: the data in /opt/nomad/data']));
  });

  test('that never came to be leaves no empty folder', async () => {
    const host = fixtureHost({ directories: ['/opt/consul'] });
    expect(await carryOut(host, formerData({ path: '/opt/consul' }, ['consul'], undoing(brought)))).toBe(
      'remove the empty /opt/consul',
    );
  });

  test('goes out of a folder that was there before, which stays', async () => {
    const existing = {
      ...nothing,
      directories: [{ path: '/var/lib/docker', attributes: { mode: 0o710, owner: 'root:root' } }],
    };
    const host = fixtureHost({
      files: { '/var/lib/docker/engine-id': '' },
      directories: { '/var/lib/docker': { mode: 0o711 } },
    });
    const target = undoing([transaction(['docker-ce'], { existing })], { purgeData: true });
    await carryOut(host, formerData({ path: '/var/lib/docker' }, [], target));
    expect(await host.list('/var/lib/docker')).toEqual([]);
    expect(await host.stat('/var/lib/docker')).toMatchObject({ mode: 0o710 });
  });
});

describe('an agent', () => {
  const config = '/etc/nomad.d/nomad.hcl';
  const show = 'systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts nomad.service';
  const entry = (active: boolean, former?: string) => ({
    kind: 'agent',
    unit: 'nomad',
    files: [file(config, former)],
    enabled: active,
    active,
  });

  function node(files: FixtureDescription['files'] = {}) {
    let state = { active: true, enabled: true };
    const set = (change: Partial<typeof state>) => () => {
      state = { ...state, ...change };
      return {};
    };
    return fixtureHost({
      files: { [config]: 'ours\n', ...files },
      commands: {
        [show]: () => ({
          stdout: `LoadState=loaded\nActiveState=${state.active ? 'active' : 'inactive'}\nUnitFileState=${state.enabled ? 'enabled' : 'disabled'}\n`,
        }),
        'systemctl stop nomad.service': set({ active: false }),
        'systemctl reset-failed nomad.service': {},
        'systemctl disable --quiet nomad.service': set({ enabled: false }),
        'systemctl restart nomad.service': set({ active: true }),
      },
    });
  }

  test('whose package goes leaves its cluster, is stopped and disabled, and loses its configuration', async () => {
    const host = node();
    const trail: string[] = [];
    const departure: Departure = {
      plan: async () => ['drain', 'leave'],
      guard: async () => void trail.push('guard'),
      leave: async () => void trail.push(`leave after ${host.log.length} changes`),
    };
    const target = undoing([transaction(['nomad']), entry(false, 'stock\n')], {
      departures: { nomad: departure, consul: noDeparture },
    });
    expect(await carryOut(host, formerAgent('nomad', target))).toBe('drain, leave, stop, disable, unconfigure nomad');
    expect(trail).toEqual(['guard', 'leave after 0 changes']);
    expect(host.log.map(mutation => (mutation.kind === 'run' ? mutation.argv.join(' ') : mutation.kind))).toEqual([
      'systemctl stop nomad.service',
      'systemctl reset-failed nomad.service',
      'systemctl disable --quiet nomad.service',
      'remove',
    ]);
  });

  test('that was there before runs again with what it had then', async () => {
    const host = node();
    expect(await carryOut(host, formerAgent('nomad', undoing([entry(true, 'theirs\n')])))).toBe(
      'reconfigure, restart nomad',
    );
    expect(host.contents()[config]).toBe('theirs\n');
    expect(commandsOf(host)).toEqual(['systemctl restart nomad.service']);
  });

  test('whose package stays has the stock configuration that came with it, and does not run', async () => {
    const host = node();
    const target = undoing([transaction(['nomad']), entry(false, 'stock\n')], { staying: new Set(['nomad']) });
    expect(await carryOut(host, formerAgent('nomad', target))).toBe('stop, disable, reconfigure nomad');
    expect(host.contents()[config]).toBe('stock\n');
  });

  test('that is what it was is left alone', async () => {
    const host = node({ [config]: 'theirs\n' });
    expect(await carryOut(host, formerAgent('nomad', undoing([entry(true, 'theirs\n')])))).toBeUndefined();
  });
});

describe('the packages', () => {
  function memoryManager(initially: readonly string[], onRemove: () => void = () => {}) {
    let there = [...initially];
    const removed: (readonly string[])[] = [];
    const manager = {
      id: 'apt',
      installed: async () => new Map(),
      unpacked: async () => new Map(),
      all: async () => there,
      held: async () => new Set<string>(),
      async install() {},
      async exchange() {},
      removal: async (_host, names) => ({ packages: names, needed: {} }),
      present: async (_host, names) => names.filter(name => there.includes(name)),
      async remove(_host, names) {
        removed.push(names);
        there = there.filter(name => !names.includes(name));
        onRemove();
      },
    } satisfies PackageManager;
    return { manager, removed };
  }

  test('go in one transaction, and the folders that they leave empty', async () => {
    const host = fixtureHost({ directories: ['/etc/nomad.d', '/usr/share/doc/nomad', '/opt/nomad'] });
    const { manager, removed } = memoryManager(['nomad', 'libnftnl11', 'iptables']);
    const target = undoing([transaction(['nomad'])], { packages: ['nomad', 'libnftnl11'] });
    await carryOut(host, packagesGone(manager, target));
    expect(removed).toEqual([['nomad', 'libnftnl11']]);
    expect(await host.stat('/etc/nomad.d')).toBeUndefined();
    expect(await host.stat('/opt/nomad')).toBeUndefined();
  });

  test("leave an operator's configuration, which is root's from then on, and name it", async () => {
    const host = fixtureHost({
      files: { '/etc/nomad.d/zz-local.hcl': { content: 'x = 1\n', mode: 0o640, owner: 'nomad:nomad' } },
      directories: { '/etc/nomad.d': { owner: '996:996' } },
    });
    const target = undoing([transaction(['nomad'])], { packages: ['nomad'] });
    await carryOut(host, packagesGone(memoryManager(['nomad']).manager, target));
    expect(await host.stat('/etc/nomad.d/zz-local.hcl')).toMatchObject({ mode: 0o640, owner: 'root:root' });
    expect(await host.stat('/etc/nomad.d')).toMatchObject({ owner: 'root:root' });
    expect(target.remarks).toEqual(["/etc/nomad.d keeps what is not nomad-bootstrap's: zz-local.hcl"]);
  });

  test('that are gone leave nothing to do but to tidy up', async () => {
    const host = fixtureHost({ directories: ['/opt/nomad'] });
    const target = undoing([transaction(['nomad'])], { packages: ['nomad'] });
    expect(await carryOut(host, packagesGone(memoryManager([]).manager, target))).toBe(
      'tidy up after the removed packages',
    );
    expect(await host.stat('/opt/nomad')).toBeUndefined();
  });

  test('that are gone are tidied up after once more when data goes', async () => {
    const host = fixtureHost({ files: { '/opt/nomad/data/server/raft.db': '' } });
    const resource = packagesGone(memoryManager([]).manager, undoing([transaction(['nomad'])]));
    expect(await resource.plan(host, none)).toBeUndefined();
    expect(await resource.plan(host, new Set(['data:/opt/nomad/data']))).toBeDefined();
  });

  test("are no longer vouched for: keys of ours leave the package manager's store, others' stay", async () => {
    const { publicKey } = await generateKey({ userIDs: { name: 'A', email: 'a@example.net' }, format: 'object' });
    const path = '/etc/pki/rpm-gpg/RPM-GPG-KEY-hashicorp';
    const id = publicKey.getFingerprint().slice(-8);
    const host = fixtureHost({ files: { [path]: publicKey.armor() } });
    let keys = [`${id}-1`, 'aaaaaaaa-1', 'bbbbbbbb-1'];
    const keyring: NonNullable<PackageManager['keyring']> = {
      keys: async () => keys,
      async remove(_host, gone) {
        keys = keys.filter(one => !gone.includes(one));
      },
    };
    const target = undoing([transaction(['nomad'], { keys: ['aaaaaaaa-1'] }), { kind: 'files', files: [file(path)] }]);
    await carryOut(host, keysGone(memoryManager([]).manager, keyring, target));
    expect(keys).toEqual(['aaaaaaaa-1', 'bbbbbbbb-1']);
  });
});

describe('a kernel setting', () => {
  const key = 'net.ipv4.ip_forward';
  const proc = '/proc/sys/net/ipv4/ip_forward';
  const ours = { kind: 'files', files: [file('/etc/sysctl.d/90-nomad.conf')] };

  test('has its former value again', async () => {
    const command = `sysctl -qw ${key}=0`;
    const host = fixtureHost({
      files: { [proc]: '1\n', '/etc/sysctl.d/90-nomad.conf': `${key} = 1\n` },
      commands: {
        [command]: host => {
          void host.writeFile(proc, '0\n', attributes);
          return {};
        },
      },
    });
    expect(await carryOut(host, formerSysctl(key, '0', undoing([ours])))).toBe(`set ${key} = 0, as before`);
    expect(commandsOf(host)).toEqual([command]);
  });

  test('that somebody else asks for by now stays, and says for whom', async () => {
    const host = fixtureHost({ files: { [proc]: '1\n', '/etc/sysctl.d/99-vpn.conf': 'net/ipv4/ip_forward=1\n' } });
    const target = undoing([ours]);
    expect(await formerSysctl(key, '0', target).plan(host, none)).toBeUndefined();
    expect(target.remarks).toEqual([`${key} stays 1: /etc/sysctl.d/99-vpn.conf sets it`]);
  });

  test('counts what a file of ours will say again, not what it says now', async () => {
    const path = '/etc/sysctl.d/90-nomad.conf';
    const host = fixtureHost({ files: { [proc]: '1\n', [path]: `${key} = 1\n` } });
    const silent = undoing([{ kind: 'files', files: [file(path, '# theirs\n')] }]);
    expect(await formerSysctl(key, '0', silent).plan(host, none)).toBeDefined();
    const wanted = undoing([{ kind: 'files', files: [file(path, `${key} = 1\n`)] }]);
    expect(await formerSysctl(key, '0', wanted).plan(host, none)).toBeUndefined();
  });

  test('of a module that is in use stays with it until the next boot', async () => {
    const host = fixtureHost({
      files: { '/sys/module/bridge/initstate': 'live\n' },
      commands: { 'modprobe -r bridge': { exitCode: 1, stderr: 'modprobe: FATAL: Module bridge is in use.\n' } },
    });
    const target = undoing([]);
    expect(await carryOut(host, moduleGone('bridge', target))).toBe('unload the kernel module bridge');
    expect(target.remarks).toEqual(['the kernel module bridge is in use: it goes with the next boot']);
  });
});

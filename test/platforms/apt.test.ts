import { describe, expect, test } from 'vitest';
import { BootstrapError } from '../../src/core/errors.ts';
import { apt } from '../../src/platforms/apt.ts';
import {
  type FixtureCommand,
  type FixtureDescription,
  type FixtureHost,
  fixtureHost,
} from '../support/fixture-host.ts';

const ours = '/etc/apt/sources.list.d/hashicorp.sources';
const manager = apt([ours, '/etc/apt/sources.list.d/docker.sources']);

const format = `-f=\${Package}\\t\${db:Status-Status}\\t\${Version}\\n`;
const environment = {
  DEBIAN_FRONTEND: 'noninteractive',
  NEEDRESTART_SUSPEND: '1',
  APT_LISTCHANGES_FRONTEND: 'none',
};
const network = '-o Acquire::Retries=3 -o DPkg::Lock::Timeout=60 -o Dpkg::Use-Pty=0';
const update = `apt-get update -q -o APT::Update::Error-Mode=any -o Acquire::Languages=none -o APT::Get::List-Cleanup=0 ${network}`;
const fromOurs = `-o Dir::Etc::sourcelist=${ours} -o Dir::Etc::sourceparts=- -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=`;
const updateOurs = `${update} ${fromOurs}`;
const install = (rest: string, changeHeld = '') =>
  `apt-get install -y -q --no-install-recommends --no-remove -o APT::Keep-Downloaded-Packages=false ${changeHeld}${network} ` +
  `-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold ${rest}`;
const locks = 'lslocks --raw --noheadings --notruncate --output PID,MODE,COMMAND,PATH';
const heal = 'dpkg --force-confdef --force-confold --configure -a';

/** A Debian host in good order that answers to what an installation of nomad asks. */
function aptHost(commands: Readonly<Record<string, FixtureCommand>>, files: FixtureDescription['files'] = {}) {
  return fixtureHost({
    files: { [ours]: 'Types: deb\n', ...files },
    commands: {
      'dpkg --get-selections nomad': {},
      'dpkg --get-selections nomad iptables': {},
      'dpkg --audit': {},
      [locks]: {},
      [update]: {},
      [updateOurs]: {},
      [installAhead]: {},
      [downloadAhead]: {},
      ...commands,
    },
  });
}

function ran(host: FixtureHost): readonly string[] {
  return host.log.map(mutation => (mutation.kind === 'run' ? mutation.argv.join(' ') : mutation.kind));
}

/** Answers one after the other, the last one again and again. */
function inTurn(...answers: readonly FixtureCommand[]): FixtureCommand {
  let asked = 0;
  return host => {
    const answer = answers[Math.min(asked++, answers.length - 1)] ?? {};
    return typeof answer === 'function' ? answer(host) : answer;
  };
}

const nomad = [{ name: 'nomad', version: '2.0.5-1' }];
/** One that the distribution has is among them. */
const mixed = [...nomad, { name: 'iptables' }];
const installMixed = install('nomad=2.0.5-1 iptables');
const installAhead = install(`${fromOurs} nomad=2.0.5-1`);
const downloadAhead = install('--download-only -o Debug::NoLocking=true iptables');
/** What comes before the transaction of mixed packages. */
const begun = [updateOurs, installAhead, update];
const preparation = [...begun, downloadAhead];

describe('what is installed', () => {
  test('is what dpkg has configured, not what it has unpacked or removed', async () => {
    const host = fixtureHost({
      commands: {
        [`dpkg-query -W ${format} nomad consul iptables docker.io`]: {
          exitCode: 1,
          stdout: 'nomad\tinstalled\t2.0.5-1\nconsul\thalf-configured\t1.21.4-1\niptables\tconfig-files\t1.8.9-2\n',
          stderr: 'dpkg-query: no packages found matching docker.io\n',
        },
      },
    });
    expect(await manager.installed(host, ['nomad', 'consul', 'iptables', 'docker.io'])).toEqual(
      new Map([['nomad', '2.0.5-1']]),
    );
  });

  test('counts as there once it is unpacked, so that a rerun goes on with it and not back', async () => {
    const package_ = (name: string, state: string, version: string) =>
      `Package: ${name}\nStatus: install ok ${state}\nVersion: ${version}\n\n`;
    const host = fixtureHost({
      files: {
        '/var/lib/dpkg/status':
          package_('nomad', 'unpacked', '2.0.5-1') + package_('consul', 'half-installed', '1.21.5-1'),
      },
      directories: ['/var/lib/dpkg/updates'],
    });
    expect(await manager.unpacked(host, ['nomad', 'consul'])).toEqual(new Map([['nomad', '2.0.5-1']]));
    expect(await manager.installed(host, ['nomad', 'consul'])).toEqual(new Map());
  });

  test('is held when dpkg has it on hold', async () => {
    const host = fixtureHost({
      commands: { 'dpkg --get-selections nomad consul': { stdout: 'nomad\t\t\thold\nconsul:amd64\t\tinstall\n' } },
    });
    expect(await manager.held(host, ['nomad', 'consul'])).toEqual(new Set(['nomad']));
  });
});

describe('an installation', () => {
  test('brings ours while it gets ready for the others, without recommended packages, prompts or removals', async () => {
    const host = aptHost({ [installMixed]: {} });
    const parts: string[] = [];
    await manager.install(host, mixed, part => parts.push(`${part}: ${ran(host).at(-1)}`));
    expect(parts).toEqual([`pinned: ${update}`, `downloads: ${downloadAhead}`]);
    expect(host.log).toEqual(
      [...preparation, installMixed].map(line => ({ kind: 'run', argv: line.split(' '), env: environment })),
    );
  });

  test('tells what went wrong first, not what came of it', async () => {
    const host = aptHost({
      [installAhead]: {
        exitCode: 100,
        stderr: 'nomad: post-installation script failed\nE: Sub-process /usr/bin/dpkg returned an error code (1)\n',
      },
      [installMixed]: { exitCode: 100, stderr: 'E: dpkg was interrupted\n' },
    });
    await expect(manager.install(host, mixed)).rejects.toMatchObject({
      code: 'packages-failed',
      detail: expect.stringContaining('post-installation script failed'),
    });
    expect(ran(host)).toEqual(preparation);
  });

  test.each([
    'E: Unable to correct problems, you have held broken packages.\n',
    "E: The package libssl3 needs to be reinstalled, but I can't find an archive for it.\n",
    'E: Sub-process /usr/bin/dpkg exited unexpectedly\n',
    'E: Failed to fetch https://x/nomad.deb  404  Not Found\n',
  ])('brings all at once where ours could not be brought first: %j', async stderr => {
    const host = aptHost({ [installAhead]: { exitCode: 100, stderr }, [installMixed]: {} });
    const parts: string[] = [];
    await manager.install(host, mixed, part => parts.push(part));
    expect(parts).toEqual(['downloads']);
    expect(ran(host)).toEqual([...preparation, installMixed]);
  });

  test('of packages from our own repositories alone refreshes no others', async () => {
    const command = install(`${fromOurs} nomad=2.0.5-1`);
    const host = aptHost({ [command]: {} });
    await manager.install(host, nomad);
    expect(ran(host)).toEqual([updateOurs, command]);
  });

  test.each([
    'E: Unable to correct problems, you have held broken packages.\n',
    'E: Failed to fetch http://archive/openssl.deb  404  Not Found\n',
  ])('of such packages refreshes all when a dependency is missing: %j', async stderr => {
    const fromAll = install('nomad=2.0.5-1');
    const host = aptHost({ [installAhead]: { exitCode: 100, stderr }, [fromAll]: {} });
    await manager.install(host, nomad);
    expect(ran(host)).toEqual([updateOurs, installAhead, update, fromAll]);
  });

  test('of a held package holds it again', async () => {
    const command = install(`${fromOurs} nomad=2.0.5-1`, '--allow-change-held-packages ');
    const host = aptHost({
      'dpkg --get-selections nomad': { stdout: 'nomad\thold\n' },
      [command]: {},
      'apt-mark hold nomad': {},
    });
    await manager.install(host, nomad);
    expect(ran(host)).toEqual([updateOurs, command, 'apt-mark hold nomad']);
  });

  test('that exchanges versions never goes back unless it is told to', async () => {
    const host = aptHost({ [install(`${fromOurs} nomad=2.0.5-1`)]: {} });
    await manager.exchange(host, nomad, 'forward');
    expect(ran(host)).toEqual([updateOurs, install(`${fromOurs} nomad=2.0.5-1`)]);
  });

  test('that puts a version back lets no script of its own restart anything', async () => {
    const command = install(`${fromOurs} nomad=2.0.4-1`, '--allow-change-held-packages --allow-downgrades ');
    const host = aptHost({
      'dpkg --get-selections nomad': { stdout: 'nomad\thold\n' },
      'dpkg --audit': { stdout: 'nomad: half-configured\n' },
      [heal]: {},
      [command]: {},
      'apt-mark hold nomad': {},
    });
    await manager.exchange(host, [{ name: 'nomad', version: '2.0.4-1' }], 'back');
    expect(ran(host)).toEqual([heal, updateOurs, command, 'apt-mark hold nomad']);
    const inert = { ...environment, SYSTEMD_OFFLINE: '1' };
    expect(host.log[0]).toMatchObject({ env: inert });
    expect(host.log[2]).toMatchObject({ env: inert });
  });

  test('ends what an interrupted transaction left, before anything else', async () => {
    const command = install(`${fromOurs} nomad=2.0.5-1`);
    const audit = aptHost({ 'dpkg --audit': { stdout: 'runc: half-installed\n' }, [heal]: {}, [command]: {} });
    await manager.install(audit, nomad);
    expect(ran(audit)[0]).toBe(heal);

    const journal = aptHost({ [heal]: {}, [command]: {} }, { '/var/lib/dpkg/updates/0001': 'Package: runc\n' });
    await manager.install(journal, nomad);
    expect(ran(journal)[0]).toBe(heal);
  });

  test('goes on with our own repositories when another one is broken', async () => {
    const host = aptHost({
      [update]: { exitCode: 100, stderr: "E: The repository 'http://foreign stable' does not have a Release file.\n" },
      [installMixed]: {},
    });
    await manager.install(host, mixed);
    expect(ran(host)).toEqual([...begun, updateOurs, downloadAhead, installMixed]);
  });

  test('whose refresh was ended by a second Ctrl-C tries nothing else', async () => {
    const host = aptHost({ [update]: { exitCode: 143 } });
    const interrupted = new BootstrapError('interrupted', 'interrupted', { hint: 'x' });
    const ending = { ...host, sleep: () => Promise.reject(interrupted) };
    await expect(manager.install(ending, mixed)).rejects.toBe(interrupted);
    expect(ran(host)).toEqual(begun);
  });

  test.each([
    ['ours and others', mixed, [...begun, downloadAhead]],
    ['ours alone', nomad, [updateOurs, installAhead]],
  ] as const)('of %s that was ended by a second Ctrl-C is not begun anew', async (_which, wanted, expected) => {
    const host = aptHost({ [installAhead]: { exitCode: 143 } });
    const interrupted = new BootstrapError('interrupted', 'interrupted', { hint: 'x' });
    const ending = { ...host, sleep: () => Promise.reject(interrupted) };
    await expect(manager.install(ending, wanted)).rejects.toBe(interrupted);
    expect(ran(host)).toEqual(expected);
  });

  test.each([
    ['a download failed', 'E: Failed to fetch https://x/nomad.deb  404  Not Found\n'],
    ['its dpkg was killed', 'E: Sub-process /usr/bin/dpkg received signal 9.\n'],
    ['its dpkg was lost', 'E: Sub-process /usr/bin/dpkg exited unexpectedly\n'],
    ['it was killed itself', 'debconf: delaying package configuration\napt-get was ended by SIGKILL'],
  ])('tries again with fresh indexes when %s', async (_, stderr) => {
    const command = installMixed;
    const lost = { exitCode: 100, stderr };
    const host = aptHost({ [command]: inTurn(lost, lost, {}) });
    await manager.install(host, mixed);
    expect(ran(host)).toEqual([...preparation, command, update, command, update, command]);
  });

  test('fetches downloaded indexes anew that apt cannot read', async () => {
    const lists = '/var/lib/apt/lists';
    const fromAll = install('nomad=2.0.5-1');
    const stderr = `E: Unable to parse package file ${lists}/x_Packages (1)\nE: The package cache file is corrupted\n`;
    const host = aptHost(
      { [installAhead]: { exitCode: 100, stderr }, [fromAll]: {} },
      { [`${lists}/x_Packages`]: '@@', [`${lists}/y_Packages`]: 'Package: y\n' },
    );
    await manager.install(host, nomad);
    expect(ran(host)).toEqual([updateOurs, installAhead, 'remove', update, fromAll]);
    expect(host.contents()[`${lists}/x_Packages`]).toBeUndefined();
    expect(host.contents()[`${lists}/y_Packages`]).toBeDefined();
  });

  test('fetches them anew as well where the refresh itself cannot read them', async () => {
    const paths = ['x', 'y', 'z'].map(name => `/var/lib/apt/lists/${name}_Packages`);
    const told = (path: string) => ({
      exitCode: 100,
      stderr: `E: Problem with MergeList ${path}\nE: The package lists or status file could not be parsed or opened.\n`,
    });
    const host = aptHost(
      { [update]: inTurn(...paths.map(told), {}), [installMixed]: {} },
      Object.fromEntries(paths.map(path => [path, '@@'])),
    );
    await manager.install(host, mixed);
    expect(paths.filter(path => path in host.contents())).toEqual([]);
    expect(ran(host).filter(line => line === update)).toHaveLength(4);
  });

  test('fetches anew what is damaged of our own as well', async () => {
    const path = '/var/lib/apt/lists/apt.releases.hashicorp.com_Packages';
    const told = {
      exitCode: 100,
      stderr: `E: Problem with MergeList ${path}\nE: The package lists could not be parsed.\n`,
    };
    const host = aptHost({ [updateOurs]: inTurn(told, {}), [installAhead]: {} }, { [path]: '@@' });
    await manager.install(host, nomad);
    expect(ran(host)).toEqual([updateOurs, 'remove', updateOurs, installAhead]);
  });

  test('that goes wrong otherwise ends at once, with what apt-get said', async () => {
    const command = install(`${fromOurs} nomad=2.0.5-1`);
    const host = aptHost({
      [command]: { exitCode: 100, stderr: 'E: Sub-process /usr/bin/dpkg returned an error code (1)\n' },
    });
    await expect(manager.install(host, nomad)).rejects.toMatchObject({
      code: 'packages-failed',
      detail: expect.stringContaining('Sub-process'),
    });
    expect(ran(host)).toEqual([updateOurs, command]);
  });

  test.each([
    ['E: Packages need to be removed but remove is disabled.\n', 'conflict'],
    ["E: Unmet dependencies. Try 'apt --fix-broken install' with no packages\n", 'apt-get --fix-broken install'],
  ])('gives up, and no other packages for its own, once all repositories were tried: %s', async (stderr, hint) => {
    const [fromAll, failed] = [install('nomad=2.0.5-1'), { exitCode: 100, stderr }];
    const host = aptHost({ [installAhead]: failed, [fromAll]: failed });
    await expect(manager.install(host, nomad)).rejects.toMatchObject({
      code: 'packages-failed',
      hint: expect.stringContaining(hint),
    });
    expect(ran(host)).toEqual([updateOurs, installAhead, update, fromAll]);
  });

  test('whose index is signed with another key is not tried again', async () => {
    const stderr = 'W: GPG error: https://x InRelease: NO_PUBKEY FC9CA96ACA026560\n';
    const host = aptHost({ [updateOurs]: { exitCode: 100, stderr } });
    await expect(manager.install(host, nomad)).rejects.toMatchObject({
      code: 'key-not-accepted',
      hint: expect.stringContaining('--hashicorp-key-fingerprint'),
    });
    expect(ran(host)).toEqual([updateOurs]);
  });

  test.each([
    ['disk-full', 'E: Failed to fetch x.deb  Error writing to file - write (28: No space left on device)\n', 'df -h'],
    ['disk-full', "E: You don't have enough free space in /var/cache/apt/archives/.\n", 'df -i'],
    [
      'packages-failed',
      "E: Problem parsing file '/var/lib/dpkg/status' near line 40\\nE: The package lists or status file could not be parsed or opened.\\n",
      'status-old',
    ],
    [
      'packages-failed',
      'E: Conflicting values set for option Signed-By regarding source https://x\nE: The list of sources could not be read.\n',
      'configured twice',
    ],
    [
      'packages-failed',
      'E: Malformed entry 1 in list file /etc/apt/sources.list.d/x.list (URI)\nE: The list of sources could not be read.\n',
      'source file that is not ours',
    ],
  ])('on a machine that is not in order is %s, and is not tried again: %s', async (code, stderr, hint) => {
    const command = install(`${fromOurs} nomad=2.0.5-1`);
    const host = aptHost({ [command]: { exitCode: 100, stderr } });
    await expect(manager.install(host, nomad)).rejects.toMatchObject({ code, hint: expect.stringContaining(hint) });
    expect(ran(host)).toEqual([updateOurs, command]);
  });

  test('on a machine whose apt has a broken configuration is not taken for one without a network', async () => {
    const broken = { exitCode: 100, stderr: 'E: Syntax error /etc/apt/apt.conf.d/99x:2: Extra junk at end of file\n' };
    const host = aptHost({ [updateOurs]: broken });
    await expect(manager.install(host, nomad)).rejects.toMatchObject({
      code: 'packages-failed',
      hint: expect.stringContaining('configuration cannot be read'),
    });
    expect(ran(host)).toEqual([updateOurs]);
  });

  test('names the package that somebody else left half-done and dpkg cannot configure', async () => {
    const audit = 'The following packages are only half configured:\n foreign              somebody else\n';
    const host = aptHost({
      'dpkg --audit': { stdout: audit },
      [heal]: { exitCode: 1, stderr: 'dpkg: error processing package foreign (--configure):\n' },
    });
    await expect(manager.install(host, nomad)).rejects.toMatchObject({
      code: 'packages-failed',
      message: expect.stringContaining('foreign'),
      hint: expect.stringContaining('dpkg --purge foreign'),
    });
    expect(ran(host)).toEqual([heal]);
  });

  test('without an upstream ends after several tries', async () => {
    const down = { exitCode: 100, stderr: 'E: Failed to fetch https://x/InRelease  Could not resolve host\n' };
    const host = aptHost({ [updateOurs]: down });
    await expect(manager.install(host, mixed)).rejects.toMatchObject({ code: 'unreachable' });
    expect(ran(host)).toEqual(Array(5).fill(updateOurs));
  });

  test('does not depend on what is downloaded during the refresh', async () => {
    const host = aptHost({ [downloadAhead]: { exitCode: 100, stderr: 'E: unmet dependencies\n' }, [installMixed]: {} });
    await manager.install(host, mixed);
    expect(ran(host).at(-1)).toBe(installMixed);
  });
});

describe('a busy package manager', () => {
  const busy = { stdout: '812 WRITE unattended-upgr /var/lib/dpkg/lock-frontend\n' };

  test('is waited for, and who keeps it busy is named', async () => {
    const host = aptHost({ [locks]: inTurn(busy, busy, {}), [install(`${fromOurs} nomad=2.0.5-1`)]: {} });
    await manager.install(host, nomad);
    expect(host.waits).toEqual(
      Array(2).fill('waiting for unattended-upgr (process 812) to release /var/lib/dpkg/lock-frontend'),
    );
    expect(ran(host)).toHaveLength(2);
  });

  test('that stays busy is an error after ten minutes, which names who it is', async () => {
    const host = aptHost({ [locks]: busy });
    const before = host.now().getTime();
    await expect(manager.install(host, nomad)).rejects.toMatchObject({
      code: 'package-lock',
      message: expect.stringContaining('unattended-upgr (process 812)'),
      hint: expect.stringContaining('812'),
    });
    expect(host.now().getTime() - before).toBe(600_000);
    expect(host.log).toEqual([]);
  });

  test.each([
    'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 900\n',
    'dpkg: error: dpkg frontend lock was locked by another process with pid 900\n',
  ])('that somebody else got hold of first is waited for again: %s', async stderr => {
    const lost = { exitCode: 100, stderr };
    const host = aptHost({ [update]: inTurn(lost, {}), [installMixed]: {} });
    await manager.install(host, mixed);
    expect(ran(host).filter(line => line === update)).toHaveLength(2);
    expect(ran(host).at(-1)).toBe(installMixed);
  });
});

describe('a removal', () => {
  const simulate = (rest: string) =>
    'apt-get -s --allow-change-held-packages -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= ' +
    `-o Debug::NoLocking=true -o APT::AutoRemove::SuggestsImportant=false ${rest}`;
  const states = `-f=\${Package}\\t\${db:Status-Status}\\n`;
  const purging = (rest: string) => `apt-get purge -y -q --allow-change-held-packages ${network} ${rest}`;

  test('takes along what came along, and nothing that was there before or was unneeded already', async () => {
    const host = aptHost({
      [`dpkg-query -W ${states} docker.io`]: { stdout: 'docker.io\tinstalled\n' },
      [simulate('remove docker.io')]: { stdout: 'Remv docker.io [26.1]\n' },
      [simulate('autoremove')]: { stdout: 'Remv linux-image-old [6.1]\n' },
      [simulate('remove --auto-remove docker.io')]: {
        stdout: 'Remv docker.io [26.1]\nRemv containerd [1.7]\nRemv iptables [1.8]\nRemv linux-image-old [6.1]\n',
      },
    });
    expect(await manager.removal(host, ['docker.io'], ['iptables'])).toEqual({
      packages: ['docker.io', 'containerd'],
      needed: {},
    });
  });

  test('leaves what others need by now, with what that needs, and says who', async () => {
    const all = ['containerd.io', 'docker-ce', 'nomad'];
    const host = aptHost({
      [`dpkg-query -W ${states} ${all.join(' ')}`]: { stdout: all.map(name => `${name}\tinstalled\n`).join('') },
      [simulate(`remove ${all.join(' ')}`)]: {
        stdout: [...all, 'compose'].map(name => `Remv ${name} [1]\n`).join(''),
      },
      [simulate('remove containerd.io')]: { stdout: 'Remv docker-ce [1]\nRemv compose [1]\nRemv containerd.io [1]\n' },
      [simulate('remove docker-ce')]: { stdout: 'Remv compose [1]\nRemv docker-ce [1]\n' },
      [simulate('remove nomad')]: { stdout: 'Remv nomad [1]\n' },
      [simulate('autoremove')]: {},
      [simulate('remove --auto-remove nomad')]: { stdout: 'Remv nomad [1]\n' },
    });
    expect(await manager.removal(host, all, [])).toEqual({
      packages: ['nomad'],
      needed: { 'containerd.io': ['compose'], 'docker-ce': ['compose'] },
    });
  });

  test('counts what is only half there, and nothing that is not', async () => {
    const host = aptHost({
      [`dpkg-query -W ${states} nomad consul`]: { exitCode: 1, stdout: 'nomad\tconfig-files\n' },
      [simulate('remove nomad')]: {},
      [simulate('autoremove')]: {},
      [simulate('remove --auto-remove nomad')]: {},
    });
    expect(await manager.removal(host, ['nomad', 'consul'], [])).toEqual({ packages: ['nomad'], needed: {} });
  });

  test('takes the configuration along, in one transaction', async () => {
    const host = aptHost({ [purging('nomad libnftnl11')]: {} });
    await manager.remove(host, ['nomad', 'libnftnl11']);
    expect(ran(host)).toEqual([purging('nomad libnftnl11')]);
  });

  test("takes the teeth out of docker.io's purge, which would delete all images", async () => {
    const nuke = '/var/lib/docker/nuke-graph-directory.sh';
    const removing = `apt-get remove -y -q --allow-change-held-packages ${network} docker.io`;
    const host = aptHost({ [removing]: {}, [purging('docker.io')]: {} }, { [nuke]: 'rm -rf' });
    await manager.remove(host, ['docker.io']);
    expect(ran(host)).toEqual([removing, 'remove', purging('docker.io')]);
    expect(host.contents()[nuke]).toBeUndefined();
  });
});

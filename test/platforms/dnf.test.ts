import { describe, expect, test } from 'vitest';
import { dnf, excludedPackages } from '../../src/platforms/dnf.ts';
import { type FixtureCommand, fixtureHost } from '../support/fixture-host.ts';

const sourceFile = '/etc/yum.repos.d/hashicorp.repo';
const manager = dnf({ id: 'hashicorp', sourceFile });
const locks = 'lslocks --raw --noheadings --notruncate --output PID,MODE,COMMAND,PATH';
const install = (rest: string) =>
  'dnf -y --setopt=install_weak_deps=False --setopt=*.skip_if_unavailable=True ' +
  '--setopt=hashicorp.skip_if_unavailable=False --setopt=hashicorp.excludepkgs= ' +
  `--setopt=hashicorp.metadata_expire=1 install ${rest}`;
const recent = 'rpm -q -a --qf %{INSTALLTIME}\\t%{NAME}\\n';
const nomad = [{ name: 'nomad', version: '2.0.5-1' }];

function dnfHost(answers: Readonly<Record<string, FixtureCommand>>) {
  return fixtureHost({ commands: { [locks]: {}, [recent]: {}, ...answers } });
}

test('what rpm does not have is not installed', async () => {
  const query = 'rpm -q --qf %{NAME}\\t%{VERSION}-%{RELEASE}\\n nomad docker-ce kernel-modules-extra-6.12.0-55.el10';
  const host = fixtureHost({
    commands: {
      [query]: {
        exitCode: 1,
        stdout: 'nomad\t2.0.5-1\npackage docker-ce is not installed\nkernel-modules-extra\t6.12.0-55.el10\n',
      },
    },
  });
  expect(await manager.installed(host, ['nomad', 'docker-ce', 'kernel-modules-extra-6.12.0-55.el10'])).toEqual(
    new Map([
      ['nomad', '2.0.5-1'],
      ['kernel-modules-extra-6.12.0-55.el10', '6.12.0-55.el10'],
    ]),
  );
});

describe('a package', () => {
  const source = '[other]\nexcludepkgs=consul\n\n[hashicorp]\nname=HashiCorp\nexcludepkgs=nomad, consul\n';

  test("is held by the exclusion in HashiCorp's own section", async () => {
    expect(excludedPackages(source, 'hashicorp')).toEqual(['nomad', 'consul']);
    expect(excludedPackages('[hashicorp]\nname=HashiCorp\n', 'hashicorp')).toEqual([]);
    const host = fixtureHost({ files: { [sourceFile]: source } });
    expect(await manager.held(host, ['nomad', 'docker-ce'])).toEqual(new Set(['nomad']));
    expect(await manager.held(fixtureHost(), ['nomad'])).toEqual(new Set());
  });

  test('needs no command to be held', () => {
    expect(manager.holding).toBeUndefined();
  });
});

describe('an installation', () => {
  test('is one transaction of exact versions, for which alone the exclusion is lifted', async () => {
    const host = dnfHost({ [install('nomad-2.0.5-1 iptables-nft')]: {} });
    await manager.install(host, [...nomad, { name: 'iptables-nft' }]);
    expect(host.log).toEqual([{ kind: 'run', argv: install('nomad-2.0.5-1 iptables-nft').split(' ') }]);
  });

  test('that exchanges versions lets no script of theirs restart anything', async () => {
    const host = dnfHost({ [install('nomad-2.0.4-1')]: {} });
    await manager.exchange(host, [{ name: 'nomad', version: '2.0.4-1' }], 'back');
    expect(host.log).toEqual([
      { kind: 'run', argv: install('nomad-2.0.4-1').split(' '), env: { SYSTEMD_OFFLINE: '1' } },
    ]);
  });

  test('takes away what a killed transaction left beside the files, and nothing of one that may be at work', async () => {
    const now = Math.floor(fixtureHost().now().getTime() / 1000);
    const at = (seconds: number) => (now + seconds).toString(16);
    const torn = `/usr/bin/ctr;${at(-60)}`;
    const others = [`/usr/bin/ctr;${at(60)}`, `/usr/bin/mine;${at(-60)}`, '/usr/bin/ctr;backup'];
    const host = fixtureHost({
      files: Object.fromEntries([torn, ...others, '/usr/bin/ctr'].map(path => [path, 'x'])),
      commands: {
        [locks]: {},
        [install('nomad-2.0.5-1')]: {},
        [recent]: { stdout: `${now}\tcontainerd.io\n${now - 100_000}\tbash\n` },
        'rpm -q -l containerd.io': { stdout: '/usr/bin/ctr\n/usr/share/doc/containerd\n' },
      },
    });
    await manager.install(host, nomad);
    expect(Object.keys(host.contents()).sort()).toEqual([...others, '/usr/bin/ctr'].sort());
  });

  test.each([
    ['a download fails', 'Error: Error downloading packages:\n  Curl error (28): Timeout was reached\n'],
    [
      'another dnf empties the cache',
      "[Errno 2] No such file or directory: '/var/cache/dnf/hashicorp-1/packages/x.rpm'\n",
    ],
  ])('tries again when %s', async (_, stderr) => {
    let asked = 0;
    const lost = { exitCode: 1, stderr };
    const host = dnfHost({ [install('nomad-2.0.5-1')]: () => (asked++ < 2 ? lost : {}) });
    await manager.install(host, nomad);
    expect(host.log).toHaveLength(3);
  });

  const foreign = "Error: Failed to download metadata for repo 'foreign': Cannot download repomd.xml\n";
  test.each([
    ['a wrong signature', 'Error: GPG check FAILED\n', 'key-not-accepted', '--hashicorp-key-fingerprint'],
    [
      'a wrong signature in the words of dnf 5',
      'OpenPGP check for package "nomad-2.0.5-1.x86_64" from repo "hashicorp" has failed\n',
      'key-not-accepted',
      '--hashicorp-key-fingerprint',
    ],
    ['a version that is not there', 'Error: Unable to find a match: nomad-2.0.5-1\n', 'packages-failed', 'dnf says'],
    [
      'a kernel that the repositories have forgotten',
      'No match for argument: kernel-modules-extra-6.12.0-55.el10\n',
      'packages-failed',
      'dnf -y upgrade kernel',
    ],
  ])('with %s ends at once, also beside a foreign repository that is down', async (_, stderr, code, hint) => {
    const host = dnfHost({ [install('nomad-2.0.5-1')]: { exitCode: 1, stderr: foreign + stderr } });
    await expect(manager.install(host, nomad)).rejects.toMatchObject({ code, hint: expect.stringContaining(hint) });
    expect(host.log).toHaveLength(1);
  });

  test('waits for another transaction, and tells of the wait', async () => {
    const busy = { stdout: '700 WRITE dnf /var/lib/rpm/.rpm.lock\n' };
    let asked = 0;
    const host = dnfHost({
      [locks]: () => (asked++ === 0 ? busy : {}),
      [install('nomad-2.0.5-1')]: { stdout: 'Waiting for process with pid 701 to finish.\n' },
    });
    await manager.install(host, nomad);
    expect(host.waits).toEqual([
      'waiting for dnf (process 700) to release /var/lib/rpm/.rpm.lock',
      'dnf: Waiting for process with pid 701 to finish.',
    ]);
  });
});

describe('a removal', () => {
  const query = 'rpm -q --qf %{NAME}\\t%{VERSION}-%{RELEASE}\\n';
  const simulate = (names: string) =>
    `dnf --cacheonly --assumeno --setopt=clean_requirements_on_remove=True remove ${names}`;
  // As dnf 4.23 prints it; dnf 5 has the same headings.
  const answer = (...sections: readonly string[]) => ({
    exitCode: 1,
    stdout: `Dependencies resolved.\n====\n Package Arch Version Repository Size\n====\n${sections.join('')}\nTransaction Summary\n====\nRemove 2 Packages\n`,
  });
  const row = (name: string) => ` ${name}   x86_64   1.0-1.el9   @baseos   2.6 M\n`;

  test('takes along what nothing needs any more, but nothing that was there before', async () => {
    const host = dnfHost({
      [`${query} docker-ce consul`]: { exitCode: 1, stdout: 'docker-ce\t26.1-1\n' },
      [simulate('docker-ce')]: answer(
        `Removing:\n${row('docker-ce')}`,
        `Removing unused dependencies:\n${row('container-selinux')}${row('libnftnl')}`,
      ),
    });
    expect(await manager.removal(host, ['docker-ce', 'consul'], ['libnftnl'])).toEqual({
      packages: ['docker-ce', 'container-selinux'],
      needed: {},
    });
  });

  test('leaves what others need by now, and says who', async () => {
    const host = dnfHost({
      [`${query} docker-ce nomad`]: { stdout: 'docker-ce\t26.1-1\nnomad\t2.0.5-1\n' },
      [simulate('docker-ce nomad')]: answer(
        `Removing:\n${row('docker-ce')}${row('nomad')}`,
        `Removing dependent packages:\n${row('compose')}`,
      ),
      [simulate('docker-ce')]: answer(
        `Removing:\n${row('docker-ce')}`,
        `Removing dependent packages:\n${row('compose')}`,
      ),
      [simulate('nomad')]: answer(`Removing:\n${row('nomad')}`),
    });
    expect(await manager.removal(host, ['docker-ce', 'nomad'], [])).toEqual({
      packages: ['nomad'],
      needed: { 'docker-ce': ['compose'] },
    });
  });

  test('is of nothing but what was announced', async () => {
    const remove = 'dnf -y --setopt=clean_requirements_on_remove=False remove nomad consul';
    const host = dnfHost({ [remove]: {} });
    await manager.remove(host, ['nomad', 'consul']);
    expect(host.log).toEqual([{ kind: 'run', argv: remove.split(' ') }]);
  });

  test("takes keys out of rpm's own store by their ids", async () => {
    const host = dnfHost({
      'rpm -q --qf %{VERSION}-%{RELEASE}\\n gpg-pubkey': { stdout: '37f7e902-6b03045e\n06251ae9-6b03045e\n' },
      'rpm -e gpg-pubkey-37f7e902-6b03045e': {},
    });
    expect(await manager.keyring?.keys(host)).toEqual(['37f7e902-6b03045e', '06251ae9-6b03045e']);
    await manager.keyring?.remove(host, ['37f7e902-6b03045e']);
    expect(host.log).toEqual([{ kind: 'run', argv: ['rpm', '-e', 'gpg-pubkey-37f7e902-6b03045e'] }]);
  });
});

import { describe, expect, test } from 'vitest';
import { readInstalledAgents } from '../../src/facts/installed.ts';
import { type FixtureCommand, fixtureHost } from '../support/fixture-host.ts';

test('where no agent is, no process is started', async () => {
  const host = fixtureHost();
  expect(await readInstalledAgents(host)).toEqual({});
  expect(host.queries).toEqual([]);
});

describe('with dpkg', () => {
  async function installed(status: string, commands: Record<string, FixtureCommand> = {}) {
    const programs = { '/usr/bin/nomad': 'ELF', '/usr/bin/docker': 'ELF' };
    return readInstalledAgents(fixtureHost({ files: { ...programs, '/var/lib/dpkg/status': status }, commands }));
  }

  test('the versions are those of the packages, held or not, and no process is started', async () => {
    const status = [
      'Package: nomad-autoscaler\nStatus: install ok installed\nVersion: 0.4.7-1\n',
      'Package: nomad\nStatus: hold ok installed\nPriority: optional\nVersion: 2.0.5-1\nDepends: openssl\n',
      'Package: docker-ce\nStatus: install ok installed\nVersion: 5:29.10.0-1~debian.12~bookworm\n',
    ];
    expect(await installed(status.join('\n'))).toEqual({ nomad: '2.0.5', docker: '29.10.0' });
  });

  test("Debian's own Docker and a pre-release are read as well", async () => {
    const status = [
      'Package: docker.io\nStatus: install ok installed\nVersion: 26.1.5+dfsg1-9+b11\n',
      'Package: nomad\nStatus: install ok installed\nVersion: 2.1.0~beta.1-1\n',
    ];
    expect(await installed(status.join('\n'))).toEqual({ nomad: '2.1.0-beta.1', docker: '26.1.5' });
  });

  test('a program whose package is removed or half installed is asked itself', async () => {
    const status = [
      'Package: nomad\nStatus: install ok half-configured\nVersion: 2.0.5-1\n',
      'Package: docker-ce\nStatus: deinstall ok config-files\nVersion: 5:29.10.0-1\n',
    ];
    const commands = {
      '/usr/bin/nomad version': { stdout: 'Nomad v2.0.7\nBuildDate 2026-10-12T09:21:37Z\n' },
      '/usr/bin/docker --version': { exitCode: 1 },
    };
    expect(await installed(status.join('\n'), commands)).toEqual({ nomad: '2.0.7' });
  });
});

test('with rpm one query tells all of them', async () => {
  const files = { '/usr/bin/nomad': 'ELF', '/usr/bin/consul': 'ELF', '/usr/bin/docker': 'ELF' };
  const query = 'rpm -q --queryformat %{NAME} %{VERSION}\\n nomad consul docker-ce docker.io moby-engine';
  const stdout = [
    'nomad 2.0.5',
    'consul 2.0.3',
    'package docker-ce is not installed',
    'package docker.io is not installed',
    'moby-engine 29.10.0',
    '',
  ].join('\n');
  const host = fixtureHost({ files, commands: { [query]: { exitCode: 2, stdout } } });
  expect(await readInstalledAgents(host)).toEqual({ nomad: '2.0.5', consul: '2.0.3', docker: '29.10.0' });
  expect(host.queries).toEqual([query]);
});

describe('outside any package', () => {
  async function installed(program: string, argument: string, command: FixtureCommand) {
    const path = `/usr/bin/${program}`;
    const files = { [path]: 'ELF', '/var/lib/dpkg/status': '' };
    return readInstalledAgents(fixtureHost({ files, commands: { [`${path} ${argument}`]: command } }));
  }

  test.each([
    ['nomad', 'version', 'Nomad v2.0.5\nBuildDate 2026-08-12T09:21:37Z\n', '2.0.5'],
    ['nomad', 'version', 'Nomad v1.10.4+ent\n', '1.10.4'],
    ['nomad', 'version', 'Nomad v2.1.0-beta.1\n', '2.1.0-beta.1'],
    ['consul', 'version', 'Consul v2.0.3\nRevision abc\n', '2.0.3'],
    ['docker', '--version', 'Docker version 29.10.0, build 0000000\n', '29.10.0'],
    ['docker', '--version', 'Docker version 26.1.5+dfsg1, build a72d7cd\n', '26.1.5'],
  ])('%s %s tells its version: %j', async (program, argument, stdout, version) => {
    expect(await installed(program, argument, { stdout })).toEqual({ [program]: version });
  });

  test.each<[string, string, FixtureCommand]>([
    ["podman's imitation of Docker", 'docker', { stdout: 'podman version 5.4.0\n', stderr: 'Emulate Docker CLI' }],
    ['a program that fails', 'nomad', { exitCode: 1, stdout: 'Nomad v2.0.5\n' }],
    ['a program that says something else', 'consul', { stdout: 'Consul vNext\n' }],
  ])('%s is no installed agent', async (_, program, command) => {
    expect(await installed(program, program === 'docker' ? '--version' : 'version', command)).toEqual({});
  });
});

import { expect, test } from 'vitest';
import { readInstalledAgents } from '../../src/facts/installed.ts';
import { type FixtureCommand, fixtureHost } from '../support/fixture-host.ts';

async function installed(program: string, argument: string, command: FixtureCommand) {
  const path = `/usr/bin/${program}`;
  return readInstalledAgents(fixtureHost({ files: { [path]: 'ELF' }, commands: { [`${path} ${argument}`]: command } }));
}

test('where no agent is, no process is started', async () => {
  const host = fixtureHost();
  expect(await readInstalledAgents(host)).toEqual({});
  expect(host.queries).toEqual([]);
});

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

import { expect, test } from 'vitest';
import { fixtureHost } from './fixture-host.ts';

const attributes = { mode: 0o640, owner: 'root:nomad' };

test('a fixture host shows what was written to it and logs each change in order', async () => {
  const host = fixtureHost({ files: { '/etc/a': 'one' }, commands: { 'systemctl restart nomad': {} } });
  await host.writeFile('/etc/b/c', 'two', attributes);
  await host.replace('/etc/b/c', '/etc/a');
  await host.run(['systemctl', 'restart', 'nomad']);
  expect(host.contents()).toEqual({ '/etc/a': 'two' });
  expect(await host.stat('/etc/a')).toMatchObject({ kind: 'file', ...attributes, sizeBytes: 3 });
  expect(host.log).toEqual([
    { kind: 'write', path: '/etc/b/c', content: 'two', ...attributes },
    { kind: 'replace', from: '/etc/b/c', to: '/etc/a' },
    { kind: 'run', argv: ['systemctl', 'restart', 'nomad'] },
  ]);
});

test('a fixture host follows links, lists names and tells a missing file from an empty one', async () => {
  const host = fixtureHost({
    files: { '/usr/lib/os-release': 'ID=debian\n', '/empty': '' },
    symlinks: { '/etc/os-release': '../usr/lib/os-release', '/lib': 'usr/lib' },
  });
  expect(await host.readText('/etc/os-release')).toBe('ID=debian\n');
  expect(await host.readText('/lib/os-release')).toBe('ID=debian\n');
  expect(await host.readText('/empty')).toBe('');
  expect(await host.readText('/nothing')).toBeUndefined();
  expect(await host.list('/usr/lib')).toEqual(['os-release']);
  expect(await host.list('/nothing')).toBeUndefined();
  expect(await host.stat('/etc/os-release')).toMatchObject({ kind: 'symlink', linkTarget: '../usr/lib/os-release' });
});

test('a failing command is data for a query and an error for a run', async () => {
  const host = fixtureHost({ commands: { 'dpkg --audit': { exitCode: 100, stderr: 'E: no' } } });
  expect(await host.query(['dpkg', '--audit'])).toEqual({ exitCode: 100, stdout: '', stderr: 'E: no' });
  await expect(host.run(['dpkg', '--audit'])).rejects.toMatchObject({
    code: 'command-failed',
    detail: 'E: no',
  });
});

test.fails('an undescribed command fails its test even when the error was caught', async () => {
  const host = fixtureHost();
  await host.query(['lslocks']).catch(() => undefined);
});

test.fails('a query of a program that may change the host fails its test, though it is described', async () => {
  const host = fixtureHost({ commands: { reboot: {} } });
  await host.query(['reboot']).catch(() => undefined);
});

test.fails('an undescribed request fails its test even when the error was caught', async () => {
  const host = fixtureHost();
  await host.request('http://127.0.0.1:4646/v1/status/leader').catch(() => undefined);
});

test('a download with another digest leaves nothing behind', async () => {
  const host = fixtureHost({ requests: { 'GET https://example.net/x': { body: 'x' } } });
  const source = { url: 'https://example.net/x', sha256: '0'.repeat(64) };
  await expect(host.download(source, '/x', attributes)).rejects.toMatchObject({ code: 'checksum-mismatch' });
  expect(host.contents()).toEqual({});
});

test('a sleep moves the clock and takes no time', async () => {
  const host = fixtureHost({ now: new Date('2026-01-01T00:00:00Z') });
  await host.sleep(90_000);
  expect(host.now().toISOString()).toBe('2026-01-01T00:01:30.000Z');
});

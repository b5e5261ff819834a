import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isReadOnly } from '../../src/host/read-only-programs.ts';

const withoutCaches = ['-o', 'Dir::Cache::pkgcache=', '-o', 'Dir::Cache::srcpkgcache='];

describe('a query', () => {
  it.each([
    [['systemctl', 'show', '--property=ActiveState', 'nomad.service']],
    [['systemctl', 'is-enabled', 'nomad.service', 'consul.service']],
    [['journalctl', '--unit=nomad.service', '--lines=15', '--output=cat', '--no-pager']],
    [['dpkg-query', '-W', '-f=x', 'nomad']],
    [['dpkg', '--get-selections', 'nomad']],
    [['apt-get', '-s', ...withoutCaches, 'install', 'nomad=2.0.5-1']],
    [['rpm', '-q', '--qf', '%{NAME}', 'nomad']],
    [['dnf', '--cacheonly', '--assumeno', 'remove', 'nomad']],
    [['ss', '-Hltnp']],
    [['/usr/bin/nomad', 'version']],
    [['sha256sum', '--', '/opt/cni/bin/bridge']],
    [['grep', '-q', '-F', 'vpc_v4', '/usr/bin/consul']],
    [['chronyc', '-n', 'tracking']],
  ])('may run %j', argv => {
    expect(isReadOnly(argv)).toBe(true);
  });

  it.each([
    [['systemctl', 'restart', 'nomad.service']],
    [['systemctl', '--quiet', 'restart', 'nomad.service']],
    [['systemctl']],
    [['journalctl', '--vacuum-size=1M']],
    [['journalctl', '--unit=nomad', '--rotate']],
    [['dpkg', '-i', 'nomad.deb']],
    [['dpkg', '--audit-not']],
    [['apt-get', 'install', 'nomad']],
    [['apt-get', '-s', 'install', 'nomad']],
    [['apt-get', '-s', '-o', 'Dir::Cache::pkgcache=', 'install', 'nomad']],
    [['apt-get', '-s', ...withoutCaches, 'update']],
    [['apt-get', ...withoutCaches, 'install', 'nomad']],
    [['rpm', '-e', 'nomad']],
    [['rpm', '--eval', '%(touch /tmp/x)']],
    [['dnf', '--cacheonly', 'remove', 'nomad']],
    [['dnf', '--cacheonly', '--assumeno', '-y', 'remove', 'nomad']],
    [['ss', '-K']],
    [['ss', '-tK', 'dst', '10.0.0.1']],
    [['ss', '-D', '/tmp/dump']],
    [['/usr/local/bin/nomad', 'version']],
    [['nomad', 'version', '&&', 'reboot']],
    [['nomad', 'agent']],
    [['chronyc']],
    [['chronyc', '-n', 'makestep']],
    [['sh', '-c', 'true']],
    [['systemctl show']],
    [['constructor']],
    [['toString']],
    [['__proto__']],
    [['']],
    [[]],
  ])('may not run %j', argv => {
    expect(isReadOnly(argv)).toBe(false);
  });

  it('is of a program that is on the table, wherever one is written in the sources', () => {
    const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter(path => path.endsWith('.ts'));
    const asked = sources.flatMap(path =>
      Array.from(
        readFileSync(`src/${path}`, 'utf8').matchAll(/\bquery\(\s*\[\s*'(?<words>[^\]]*)/g),
        ({ groups }) => groups?.['words']?.split(/',\s*'?/)[0] ?? '',
      ),
    );

    expect(asked.length).toBeGreaterThan(10);
    const table = readFileSync('src/host/read-only-programs.ts', 'utf8');
    expect(asked.filter(program => !new RegExp(`^  '?${program.replaceAll('-', '\\-')}'?:`, 'm').test(table))).toEqual(
      [],
    );
  });
});

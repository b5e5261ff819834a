import { describe, expect, test } from 'vitest';
import { parseTriggered, readDpkgPackages } from '../../src/core/dpkg-status.ts';
import { apt } from '../../src/platforms/apt.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const status = '/var/lib/dpkg/status';
const database = `Package: consul
Status: hold ok installed
Priority: optional
Version: 1.21.4-1
Description: service discovery
 Package: nomad

Package: nomad
Status: install ok config-files
Version: 2.0.4-1

Package: nomad-driver-podman
Status: install ok installed
Version: 0.6.2-1
`;

function hostWith(updates: readonly string[], text = database) {
  return fixtureHost({
    files: { [status]: text, ...Object.fromEntries(updates.map(name => [`/var/lib/dpkg/updates/${name}`, ''])) },
    directories: ['/var/lib/dpkg/updates'],
    commands: {
      'dpkg --get-selections consul nomad': { stdout: 'consul\t\t\tinstall\n' },
    },
  });
}

describe("dpkg's database", () => {
  test('tells which packages have been triggered and have not done it yet', () => {
    const triggered = `Package: libc-bin\nStatus: install ok triggers-pending\nVersion: 2.36-9\n\n${database}
Package: man-db\nStatus: install ok triggers-awaited\n`;
    expect(parseTriggered(triggered)).toEqual(['libc-bin', 'man-db']);
    expect(parseTriggered(database)).toEqual([]);
  });

  test('tells selection, status and version of the packages asked for, by their whole name', async () => {
    expect(await readDpkgPackages(hostWith([]), ['consul', 'nomad', 'docker-ce'])).toEqual(
      new Map([
        ['consul', { selection: 'hold', status: 'installed', version: '1.21.4-1' }],
        ['nomad', { selection: 'install', status: 'config-files', version: '2.0.4-1' }],
      ]),
    );
  });

  test('is not believed while dpkg has more in its journal, or where there is none', async () => {
    expect(await readDpkgPackages(hostWith(['0001']), ['consul'])).toBeUndefined();
    expect(await readDpkgPackages(fixtureHost(), ['consul'])).toBeUndefined();
  });

  test('spares apt the processes that would tell the same', async () => {
    const { installed, held } = apt([]);
    const host = hostWith([]);

    expect(await installed(host, ['consul', 'nomad'])).toEqual(new Map([['consul', '1.21.4-1']]));
    expect(await held(host, ['consul', 'nomad'])).toEqual(new Set(['consul']));
    expect(host.queries).toEqual([]);
  });

  test('leaves it to dpkg to tell what is in its journal', async () => {
    const host = hostWith(['0001']);

    expect(await apt([]).held(host, ['consul', 'nomad'])).toEqual(new Set());
    expect(host.queries).toEqual(['dpkg --get-selections consul nomad']);
  });
});

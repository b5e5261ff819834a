import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { type SnapshotSpec, saveState, snapshotFolder } from '../../src/resources/state-snapshot.ts';
import { type FixtureDescription, type FixtureHost, fixtureHost } from '../support/fixture-host.ts';

const spec: SnapshotSpec = { name: 'nomad', save: ['nomad', 'operator', 'snapshot', 'save'] };
const saved = `${snapshotFolder}/nomad_2.0.4-1_20261122T120000Z.snap`;
const save = `nomad operator snapshot save ${saved}.half`;
const show = 'systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts nomad.service';

/** A server whose agent runs and writes its state, for all to read as it does. */
function server(files: FixtureDescription['files'] = {}, activeState = 'active'): FixtureHost {
  return fixtureHost({
    files,
    commands: {
      [show]: { stdout: `LoadState=loaded\nActiveState=${activeState}\nUnitFileState=enabled\n` },
      [save]: host => {
        void host.writeFile(`${saved}.half`, 'state', { mode: 0o644, owner: 'root:root' });
        return {};
      },
    },
  });
}

describe('the state of a cluster', () => {
  it('is in a file of its own afterwards, that root alone can read', async () => {
    const host = server();

    await saveState(host, spec, '2.0.4-1');

    expect(host.contents()).toEqual({ [saved]: 'state' });
    expect(await host.stat(saved)).toMatchObject({ mode: 0o600, owner: 'root:root' });
    expect(await host.stat(snapshotFolder)).toMatchObject({ mode: 0o700, owner: 'root:root' });
  });

  it('is asked for with the token that may have it, which is on no command line', async () => {
    const host = server();

    await saveState(host, { ...spec, token: { variable: 'NOMAD_TOKEN', value: new Secret('s3cret') } }, '2.0.4-1');

    expect(host.log.find(({ kind }) => kind === 'run')).toEqual({
      kind: 'run',
      argv: save.split(' '),
      env: { NOMAD_TOKEN: 's3cret' },
    });
  });

  it("is kept three times for each agent, and the last run's half is not", async () => {
    const at = (date: string, agent = 'nomad') => `${snapshotFolder}/${agent}_2.0.3-1_${date}T000000Z.snap`;
    const half = `${at('20261121')}.half`;
    const consuls = ['20260101', '20260102', '20260103', '20260104'].map(date => at(date, 'consul'));
    const own = ['20251231', '20260115', '20261101'].map(date => at(date));
    const host = server(Object.fromEntries([...own, ...consuls, half].map(path => [path, 'x'])));

    await saveState(host, spec, '2.0.4-1');

    expect(Object.keys(host.contents())).toEqual([...consuls, own[1], own[2], saved].sort());
  });

  it('of an agent that does not run is not asked for', async () => {
    const host = server({}, 'inactive');

    await saveState(host, spec, '2.0.4-1');

    expect(host.log).toEqual([]);
  });

  it('that cannot be had forbids the upgrade, and leaves nothing half', async () => {
    const described = server();
    const host: FixtureHost = {
      ...described,
      run: async (argv, options) => {
        await described.run(argv, options);
        const failing = fixtureHost({ commands: { [save]: { exitCode: 1, stderr: 'Error: No cluster leader' } } });
        return failing.run(argv, options);
      },
    };

    await expect(saveState(host, spec, '2.0.4-1')).rejects.toMatchObject({
      code: 'snapshot-failed',
      detail: 'Error: No cluster leader',
      hint: expect.stringContaining('systemctl stop nomad'),
    });

    expect(described.contents()).toEqual({});
  });
});

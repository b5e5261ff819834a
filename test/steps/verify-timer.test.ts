import { expect, test } from 'vitest';
import { readAsset } from '../../src/assets.ts';
import { installedProgram, metricsPath, verifyTimer } from '../../src/steps/verify-timer.ts';
import type { Mutation } from '../support/fixture-host.ts';
import { type FixtureDescription, fixtureHost } from '../support/fixture-host.ts';
import { targetOn } from '../support/target.ts';

const timer = 'nomad-bootstrap-verify.timer';
const show = 'systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts';
const units = Object.fromEntries(
  [timer, 'nomad-bootstrap-verify.service'].map(name => [
    `/etc/systemd/system/${name}`,
    { content: readAsset(`systemd/${name}`), mode: 0o644, owner: 'root:root' },
  ]),
);
const absent = { stdout: 'LoadState=not-found\nActiveState=inactive\n' };
const active = { stdout: 'LoadState=loaded\nUnitFileState=enabled\nActiveState=active\n' };

/** What the step would change on such a host, by id, and what each change does. */
async function changesOn(description: FixtureDescription): Promise<ReadonlyMap<string, readonly Mutation[]>> {
  const changes = new Map<string, readonly Mutation[]>();
  for (const resource of verifyTimer.resources(await targetOn('debian-12'))) {
    const host = fixtureHost(description);
    const change = await resource.plan(host, new Set());
    if (change === undefined) continue;
    await change.apply(host);
    changes.set(resource.id, host.log);
  }
  return changes;
}

test('the timer comes with the folder for its metrics, and systemd learns of each unit', async () => {
  const commands = {
    [`${show} ${timer}`]: absent,
    'systemctl daemon-reload': {},
    [`systemctl enable ${timer}`]: {},
    [`systemctl start ${timer}`]: {},
  };

  const changes = await changesOn({ directories: ['/var/lib', '/etc/systemd/system'], commands });

  expect([...changes.keys()]).toEqual([
    'directory:/var/lib/prometheus',
    'directory:/var/lib/prometheus/node-exporter',
    `file:${metricsPath}`,
    ...['service', 'timer'].map(kind => `file:/etc/systemd/system/nomad-bootstrap-verify.${kind}`),
    `service:${timer}`,
  ]);
  for (const kind of ['service', 'timer']) {
    const made = changes.get(`file:/etc/systemd/system/nomad-bootstrap-verify.${kind}`);
    expect(made?.map(mutation => mutation.kind)).toEqual(['write', 'run']);
  }
});

test('a timer that is there is left alone, and so are metrics and a folder that belongs to somebody else', async () => {
  const changes = await changesOn({
    files: {
      ...units,
      [metricsPath]: { content: 'nomad_bootstrap_healthy 1\n', mode: 0o600, owner: 'prometheus:prometheus' },
    },
    directories: { '/var/lib/prometheus/node-exporter': { mode: 0o700, owner: 'prometheus:prometheus' } },
    commands: { [`${show} ${timer}`]: active },
  });

  expect([...changes.keys()]).toEqual([]);
});

test('the service runs the program where it is looked for, and writes the metrics where they are expected', () => {
  const service = readAsset('systemd/nomad-bootstrap-verify.service');

  expect(service).toContain(`${installedProgram} verify --wait 20 --format prometheus`);
  expect(`${/^Environment=TEXTFILE_DIRECTORY=(.+)$/m.exec(service)?.[1]}/nomad-bootstrap.prom`).toBe(metricsPath);
});

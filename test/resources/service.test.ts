import { describe, expect, test } from 'vitest';
import { service } from '../../src/resources/service.ts';
import { type FixtureCommand, fixtureHost } from '../support/fixture-host.ts';

const show = 'systemctl show --property=ActiveState,UnitFileState docker.service';
const state = (active: string, enabled: string) => ({ stdout: `ActiveState=${active}\nUnitFileState=${enabled}\n` });
const journal = 'journalctl --no-pager --output=cat --lines=15 --unit=docker.service';
const docker = service('docker');
const none: ReadonlySet<string> = new Set();

function hostWith(active: string, enabled: string, commands: Readonly<Record<string, FixtureCommand>> = {}) {
  return fixtureHost({ commands: { [show]: state(active, enabled), ...commands } });
}

describe('a service', () => {
  test('that is enabled and runs is left alone', async () => {
    expect(await docker.plan(hostWith('active', 'enabled'), none)).toBeUndefined();
  });

  test.each([
    ['inactive', 'disabled', 'enable and start docker.service', ['enable', 'start']],
    ['active', 'disabled', 'enable docker.service', ['enable']],
    ['failed', 'enabled', 'start docker.service', ['start']],
    // Its package is not installed yet.
    ['inactive', '', 'enable and start docker.service', ['enable', 'start']],
  ])('that is %s and %j is brought up: %s', async (active, enabled, summary, verbs) => {
    const host = hostWith(active, enabled, {
      'systemctl enable docker.service': {},
      'systemctl start docker.service': {},
    });
    const change = await docker.plan(host, none);
    expect(change).toMatchObject({
      summary,
      undo: { kind: 'service', unit: 'docker.service', enabled: enabled === 'enabled', running: active === 'active' },
    });
    await change?.apply(host);
    expect(host.log).toEqual(verbs.map(verb => ({ kind: 'run', argv: ['systemctl', verb, 'docker.service'] })));
  });

  test('that does not start ends with its own last lines', async () => {
    const host = hostWith('inactive', 'enabled', {
      'systemctl start docker.service': { exitCode: 1, stderr: 'Job for docker.service failed.\n' },
      [journal]: { stdout: 'failed to start daemon: iptables: Extension addrtype is not supported\n' },
    });
    const change = await docker.plan(host, none);
    await expect(change?.apply(host)).rejects.toMatchObject({
      code: 'command-failed',
      detail: 'failed to start daemon: iptables: Extension addrtype is not supported',
    });
  });
});

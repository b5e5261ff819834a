import { describe, expect, test } from 'vitest';
import { service } from '../../src/resources/service.ts';
import { type FixtureCommand, fixtureHost } from '../support/fixture-host.ts';

const show = 'systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts docker.service';
const state = (active: string, enabled: string) => ({
  stdout: `LoadState=${enabled === '' ? 'not-found' : 'loaded'}\nActiveState=${active}\nUnitFileState=${enabled}\n`,
});
const journal = 'journalctl --unit=docker.service --lines=15 --output=cat --no-pager';
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

  test('that is not wanted is stopped and disabled, and announced where its package would start it', async () => {
    const unwanted = service('docker', false);
    const host = hostWith('active', 'enabled', {
      'systemctl disable docker.service': {},
      'systemctl stop docker.service': {},
    });

    const change = await unwanted.plan(host, none);
    await change?.apply(host);

    expect(change?.summary).toBe('disable and stop docker.service');
    expect(host.log).toHaveLength(2);
    expect(await unwanted.plan(hostWith('inactive', 'disabled'), none)).toBeUndefined();
    expect(await unwanted.plan(hostWith('inactive', ''), none)).toBeUndefined();
    expect(await unwanted.plan(hostWith('inactive', ''), new Set(['packages:apt']))).toMatchObject({
      summary: 'disable and stop docker.service',
    });
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

import { describe, expect, test } from 'vitest';
import { BootstrapError } from '../../src/core/errors.ts';
import { consulDeparture, nomadDeparture } from '../../src/resources/departure.ts';
import { drainedMark } from '../../src/resources/eligibility.ts';
import { type FixtureDescription, type FixtureHost, fixtureHost } from '../support/fixture-host.ts';

const nomad = 'http://127.0.0.1:4646';
const consul = 'http://127.0.0.1:8500';
const node = `${nomad}/v1/node/abc`;
const client = {
  '/opt/nomad/data/client/client-id': 'abc',
  '/opt/nomad/data/client/secret-id': 'the-node-secret',
};
const server = { '/opt/nomad/data/server/node-id': 'def' };
const show = (unit: string) =>
  `systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts ${unit}.service`;
const sigterm = 'systemctl kill --kill-who=main --signal=SIGTERM nomad.service';

function options(drainSeconds = 180, force = false) {
  const remarks: string[] = [];
  return { force, drainSeconds, remark: (message: string) => void remarks.push(message), remarks };
}

/** Answers one after the other, the last one again and again. */
function inTurn<T>(...answers: readonly [T, ...T[]]): () => T {
  let asked = 0;
  return () => answers[Math.min(asked++, answers.length - 1)] ?? answers[0];
}

function sent(host: FixtureHost): readonly string[] {
  return host.log.map(mutation =>
    mutation.kind === 'send'
      ? `${mutation.method} ${mutation.url} ${mutation.body ?? ''}`.trim()
      : mutation.kind === 'run'
        ? mutation.argv.join(' ')
        : mutation.kind,
  );
}

const drainOrder = (deadline: number) =>
  `PUT ${node}/drain {"DrainSpec":{"Deadline":${deadline},"IgnoreSystemJobs":false},"MarkEligible":false}`;

describe('a Nomad client', () => {
  const draining = { body: '{"DrainStrategy":{"Deadline":1}}' };
  const drained = { body: '{"DrainStrategy":null}' };

  test('drains itself and waits until its last allocation has ended', async () => {
    const host = fixtureHost({
      files: client,
      requests: {
        [`PUT ${node}/drain`]: { body: '{}' },
        [`GET ${node}`]: inTurn(draining, drained),
        [`GET ${node}/allocations`]: inTurn<{ body: string }>(
          { body: '[{"ClientStatus":"running"},{"ClientStatus":"complete"}]' },
          { body: '[{"ClientStatus":"complete"}]' },
        ),
      },
    });
    const asked = options();
    const departure = nomadDeparture(asked);
    expect(await departure.plan(host)).toEqual(['drain']);
    await departure.leave(host);
    // A mark for when it comes back: first that it was begun, then that it is done.
    expect(sent(host)).toEqual([drainOrder(180e9), 'write', 'write']);
    expect(Object.keys(host.contents())).toContain(drainedMark);
    expect(host.waits).toHaveLength(2);
    expect(asked.remarks).toEqual([]);
  });

  test.each(['null', '{}', '"x"', 'x'])('leaves all the same when its Nomad answers nonsense: %s', async body => {
    const host = fixtureHost({
      files: client,
      requests: { [`PUT ${node}/drain`]: {}, [`GET ${node}`]: { body }, [`GET ${node}/allocations`]: { body } },
    });
    await nomadDeparture(options()).leave(host);
    expect(sent(host)).toEqual([drainOrder(180e9), 'write', 'write']);
  });

  test('that is given no time stops its allocations at once', async () => {
    const host = fixtureHost({
      files: client,
      requests: {
        [`PUT ${node}/drain`]: { body: '{}' },
        [`GET ${node}`]: drained,
        [`GET ${node}/allocations`]: { body: '[]' },
      },
    });
    await nomadDeparture(options(0)).leave(host);
    expect(sent(host)).toEqual([drainOrder(-1), 'write', 'write']);
  });

  test('goes all the same when its allocations do not end, and says so', async () => {
    const host = fixtureHost({
      files: client,
      requests: {
        [`PUT ${node}/drain`]: { body: '{}' },
        [`GET ${node}`]: drained,
        [`GET ${node}/allocations`]: { body: '[{"ClientStatus":"running"}]' },
      },
    });
    const asked = options(10);
    await nomadDeparture(asked).leave(host);
    expect(asked.remarks).toEqual([
      'jobs of this node end without notice: some of its allocations did not end in time',
    ]);
  });

  test.each<[string, NonNullable<FixtureDescription['requests']>[string], string]>([
    ['does not answer', 'unreachable', 'no answer'],
    ['has no leader', { status: 500, body: 'No cluster leader' }, '500 No cluster leader'],
    ['refuses', { status: 403, body: 'Permission denied' }, '403 Permission denied'],
  ])('goes undrained when its cluster %s, and says so', async (_, answer, told) => {
    const host = fixtureHost({ files: client, requests: { [`PUT ${node}/drain`]: answer } });
    const asked = options();
    await nomadDeparture(asked).leave(host);
    expect(asked.remarks).toEqual([`jobs of this node end without notice: Nomad did not drain it (${told})`]);
  });

  test('goes on with its work when the drain is interrupted', async () => {
    const host = fixtureHost({
      files: client,
      requests: {
        [`PUT ${node}/drain`]: { body: '{}' },
        [`GET ${node}`]: draining,
        [`GET ${node}/allocations`]: { body: '[]' },
      },
    });
    const interrupted = new BootstrapError('interrupted', 'interrupted', { hint: '' });
    const sleepless: FixtureHost = { ...host, sleep: () => Promise.reject(interrupted) };
    await expect(nomadDeparture(options()).leave(sleepless)).rejects.toBe(interrupted);
    expect(sent(host).slice(-2)).toEqual([`PUT ${node}/drain {"DrainSpec":null,"MarkEligible":true}`, 'remove']);
    expect(await host.stat(drainedMark)).toBeUndefined();
  });
});

describe('a Nomad server', () => {
  test('leaves raft: it is told by SIGTERM and waited for', async () => {
    const states = ['active', 'deactivating', 'inactive'];
    const host = fixtureHost({
      files: server,
      commands: {
        [sigterm]: {},
        [show('nomad')]: () => ({ stdout: `LoadState=loaded\nActiveState=${states.shift() ?? 'inactive'}\n` }),
      },
    });
    const asked = options();
    const departure = nomadDeparture(asked);
    expect(await departure.plan(host)).toEqual(['leave']);
    await departure.leave(host);
    expect(sent(host)).toEqual([sigterm]);
    expect([states, asked.remarks]).toEqual([[], []]);
  });

  test('stays where the cluster cannot do without it, unless it is forced', async () => {
    const host = fixtureHost({
      files: server,
      requests: {
        [`GET ${nomad}/v1/status/peers`]: { body: '["10.0.0.1:4647","10.0.0.2:4647"]' },
        [`GET ${nomad}/v1/operator/autopilot/health`]: { status: 429, body: '{"FailureTolerance":0}' },
        [`GET ${consul}/v1/agent/members`]: { body: '[]' },
      },
    });
    await expect(nomadDeparture(options()).guard(host)).rejects.toMatchObject({
      code: 'would-lose-quorum',
      message: 'Nomad must be removed on this server, and the cluster cannot do without it now',
    });
    await nomadDeparture(options(180, true)).guard(host);
  });

  test('may go as the last of its cluster', async () => {
    const host = fixtureHost({
      files: server,
      requests: { [`GET ${nomad}/v1/status/peers`]: { body: '["10.0.0.1:4647"]' } },
    });
    await nomadDeparture(options()).guard(host);
    expect(host.gets).toEqual([`GET ${nomad}/v1/status/peers`]);
  });
});

describe('Consul', () => {
  test('leaves and is waited for', async () => {
    const states = ['active', 'inactive'];
    const host = fixtureHost({
      requests: { [`PUT ${consul}/v1/agent/leave`]: {} },
      commands: { [show('consul')]: () => ({ stdout: `ActiveState=${states.shift() ?? ''}\n` }) },
    });
    const asked = options();
    await consulDeparture(asked).leave(host);
    expect(sent(host)).toEqual([`PUT ${consul}/v1/agent/leave`]);
    expect([states, asked.remarks]).toEqual([[], []]);
  });

  test('that does not answer is left behind, and that is said', async () => {
    const host = fixtureHost({ requests: { [`PUT ${consul}/v1/agent/leave`]: 'unreachable' } });
    const asked = options();
    await consulDeparture(asked).leave(host);
    expect(asked.remarks).toEqual(['Consul did not leave its cluster: no answer']);
  });

  test('on a client is no server whose vote could be missed', async () => {
    const host = fixtureHost();
    await consulDeparture(options()).guard(host);
    expect(host.gets).toEqual([]);
  });
});

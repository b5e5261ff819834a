import { expect, test } from 'vitest';
import { drain, drainSeconds } from '../../src/resources/drain.ts';
import { drainedMark } from '../../src/resources/eligibility.ts';
import { type FixtureDescription, fixtureHost } from '../support/fixture-host.ts';

const api = 'http://127.0.0.1:4646';
const serversOnly = '/etc/systemd/system/nomad.service.d/20-server-user.conf';
const none: ReadonlySet<string> = new Set();
const client = { '/opt/nomad/data/client/client-id': 'abc', '/opt/nomad/data/client/secret-id': 'secret' };
const order = `PUT ${api}/v1/node/abc/drain`;

async function applied(requests: FixtureDescription['requests'] & object) {
  const host = fixtureHost({ files: client, requests });
  await (await drain(api, serversOnly).plan(host, none))?.apply(host);
  return host;
}

test('a client that is to be a mere server is drained, and left with the mark by which it can come back', async () => {
  const host = await applied({
    [order]: { body: '{}' },
    [`GET ${api}/v1/node/abc`]: { body: '{"DrainStrategy":null}' },
    [`GET ${api}/v1/node/abc/allocations`]: { body: '[]' },
  });

  expect(host.log[0]).toMatchObject({
    kind: 'send',
    body: expect.stringContaining(`"Deadline":${drainSeconds * 1e9}`),
  });
  expect(host.contents()).toHaveProperty([drainedMark], '');
  expect(await drain(api, serversOnly).plan(host, none)).toBeUndefined();
});

test('one that Nomad does not drain is left as it is, and that is said', async () => {
  await expect(applied({ [order]: { status: 500, body: 'No cluster leader' } })).rejects.toMatchObject({
    code: 'agent-refused',
    message: expect.stringContaining('500 No cluster leader'),
    hint: expect.stringContaining('nomad node drain -self'),
  });
});

test('one that Nomad does not know has no jobs', async () => {
  expect((await applied({ [order]: { status: 404, body: 'node not found' } })).contents()).not.toHaveProperty(
    drainedMark,
  );
});

test.each<[string, Readonly<Record<string, string>>]>([
  ['never was one', {}],
  ['is a mere server already', { ...client, [serversOnly]: '[Service]\nUser=nomad\n' }],
  ['was drained', { ...client, [drainedMark]: '' }],
])('nothing is done on a node that %s', async (_, files) => {
  expect(await drain(api, serversOnly).plan(fixtureHost({ files }), none)).toBeUndefined();
});

test.each([
  ['goes on with a drain that was cut off, as by a crash', 'active', true],
  ['leaves data alone that an uninstallation drained and kept', 'inactive', false],
])('%s', async (_, activeState, planned) => {
  const show = 'systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts nomad.service';
  const host = fixtureHost({
    files: { ...client, [drainedMark]: 'begun\n' },
    commands: { [show]: { stdout: `LoadState=loaded\nActiveState=${activeState}\n` } },
  });

  expect((await drain(api, serversOnly).plan(host, none)) !== undefined).toBe(planned);
});

import { expect, test } from 'vitest';
import { drainedMark, eligibility } from '../../src/resources/eligibility.ts';
import { type FixtureAnswer, fixtureHost } from '../support/fixture-host.ts';

const api = 'http://127.0.0.1:4646';
const none: ReadonlySet<string> = new Set();
const kept = { '/opt/nomad/data/client/client-id': 'abc', '/opt/nomad/data/client/secret-id': 'secret' };

function client(answer: () => FixtureAnswer) {
  return fixtureHost({
    files: { ...kept, [drainedMark]: '' },
    requests: { [`PUT ${api}/v1/node/abc/eligibility`]: answer },
  });
}

test('a client that an uninstallation drained takes jobs again, as soon as its servers know it', async () => {
  const answers: FixtureAnswer[] = ['unreachable', { status: 404, body: 'node not found' }, { body: '{}' }];
  const host = client(() => answers.shift() ?? 'unreachable');
  const resource = eligibility(api);

  await (await resource.plan(host, none))?.apply(host);

  expect(answers).toEqual([]);
  expect(host.log.at(-2)).toMatchObject({ kind: 'send', body: '{"Eligibility":"eligible"}' });
  expect(await resource.plan(host, none)).toBeUndefined();
});

test('one that an operator has drained is left so: nobody asks', async () => {
  const host = fixtureHost({ files: kept });

  expect(await eligibility(api).plan(host, none)).toBeUndefined();

  expect(host.log).toEqual([]);
});

test('one whose servers cannot be reached says so, and the next run tries again', async () => {
  const host = client(() => ({ status: 500, body: 'No path to region' }));
  const resource = eligibility(api);

  await expect((await resource.plan(host, none))?.apply(host)).rejects.toMatchObject({
    code: 'agent-refused',
    message: expect.stringContaining('500 No path to region'),
  });

  expect(await resource.plan(host, none)).toBeDefined();
});

import { expect, test } from 'vitest';
import { fetchUpstream, upstream } from '../../src/resolution/upstream.ts';
import { type FixtureAnswer, fixtureHost } from '../support/fixture-host.ts';

const url = 'https://apt.releases.hashicorp.com/gpg';
const text = (body: Uint8Array) => new TextDecoder().decode(body);

/** A host whose upstream gives these answers one after the other, the last one again and again. */
function answering(...answers: readonly FixtureAnswer[]) {
  let asked = 0;
  return fixtureHost({
    requests: { [`GET ${url}`]: () => answers[Math.min(asked++, answers.length - 1)] ?? 'unreachable' },
  });
}

test('a mirror keeps every upstream under its host name', () => {
  expect(upstream({}, 'apt.releases.hashicorp.com/gpg')).toBe(url);
  expect(upstream({ mirror: 'https://mirror.example/pub' }, 'apt.releases.hashicorp.com/gpg')).toBe(
    'https://mirror.example/pub/apt.releases.hashicorp.com/gpg',
  );
});

test('what an upstream does not have is undefined, after one question', async () => {
  const host = answering({ status: 404 });
  expect(await fetchUpstream(host, url, text)).toBeUndefined();
  expect(host.gets).toHaveLength(1);
});

test('an upstream that answers with an error for a while is asked again', async () => {
  const host = answering({ status: 503 }, 'unreachable', { body: 'key' });
  expect(await fetchUpstream(host, url, text)).toBe('key');
});

test('an upstream is given the time that it asks for', async () => {
  const host = answering({ status: 429, headers: { 'retry-after': '30' } }, { body: 'key' });
  const before = host.now().getTime();
  await fetchUpstream(host, url, text);
  expect(host.now().getTime() - before).toBe(30_000);
});

test('a refusal is not asked again, and names the URL', async () => {
  const host = answering({ status: 403 });
  await expect(fetchUpstream(host, url, text)).rejects.toMatchObject({
    code: 'upstream-refused',
    message: `${url} answered 403`,
    hint: expect.stringContaining('--mirror'),
  });
  expect(host.gets).toHaveLength(1);
});

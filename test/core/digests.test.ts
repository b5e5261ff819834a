import { expect, test } from 'vitest';
import { anticipatingDigests, digestsOf } from '../../src/core/digests.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const digest = (letter: string) => letter.repeat(64);

test('digests that were begun early are given once, and read anew after that', async () => {
  let content = 'a';
  const machine = fixtureHost({
    commands: {
      'sha256sum -- /one': () => ({ stdout: `${digest(content)}  /one\n` }),
      'sha256sum -- /two': () => ({ stdout: `${digest('b')}  /two\n` }),
    },
  });
  const host = anticipatingDigests(machine, ['/one']);
  expect(machine.queries).toEqual(['sha256sum -- /one']);
  content = 'c';

  expect([...(await digestsOf(host, ['/two']))]).toEqual([['/two', digest('b')]]);
  expect([...(await digestsOf(host, ['/one']))]).toEqual([['/one', digest('a')]]);
  expect([...(await digestsOf(host, ['/one']))]).toEqual([['/one', digest('c')]]);
  expect(machine.queries).toEqual(['sha256sum -- /one', 'sha256sum -- /two', 'sha256sum -- /one']);
});

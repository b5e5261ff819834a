import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { Secret } from '../../src/core/secret.ts';

test('a secret shows itself nowhere but where it is revealed', () => {
  const secret = new Secret('test-vector-not-a-secret');

  const shown = [String(secret), `${secret}`, JSON.stringify({ secret }), inspect({ secret }), inspect(secret, true)];

  expect(shown).toEqual(['[hidden]', '[hidden]', '{"secret":"[hidden]"}', '{ secret: [hidden] }', '[hidden]']);
  expect(Object.values(secret)).toEqual([]);
  expect(secret.reveal()).toBe('test-vector-not-a-secret');
});

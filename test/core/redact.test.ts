import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRedactor } from '../../src/core/redact.ts';
import { Secret } from '../../src/core/secret.ts';
import { testClientToken, testServerToken } from '../token/vectors.ts';

// A test vector, not a secret.
const value = 'p"w/ü+1 & ?3\\x';

function encodings(secret: string): Record<string, string> {
  return {
    raw: secret,
    base64: Buffer.from(secret).toString('base64'),
    base64url: Buffer.from(secret).toString('base64url'),
    'a URL': encodeURIComponent(secret),
    'a URL in lower case': encodeURIComponent(secret).replace(/%../g, octet => octet.toLowerCase()),
    'a form': new URLSearchParams({ a: secret }).toString().slice(2),
    JSON: JSON.stringify(secret).slice(1, -1),
  };
}

describe('what is redacted', () => {
  test.each(Object.entries(encodings(value)))('a secret in the form of %s is hidden', (_name, form) => {
    const { text } = createRedactor([new Secret(value)]);

    expect(text(`before ${form}, after`)).toBe('before [hidden], after');
  });

  test('a secret encoded together with what stands before and after it is not readable', () => {
    const secret = 'test-vector-of-some-length';
    const { text } = createRedactor([new Secret(secret)]);

    for (const user of ['', 'a', 'ab', 'abc']) {
      const shown = text(Buffer.from(`${user}:${secret}:rest`).toString('base64'));
      const left = Buffer.from(shown.replace('[hidden]', ''), 'base64').toString();
      expect(shown).toContain('[hidden]');
      // The two encoded characters at the edges may each give away part of one character.
      expect(left).not.toContain(secret.slice(1, 4));
      expect(left).not.toContain(secret.slice(-4, -1));
    }
  });

  test('a key of several lines is hidden in a diff, in indented output and in JSON', () => {
    const key = '-----BEGIN PRIVATE KEY-----\nTESTVECTORTESTVECTOR\nNOTASECRETNOTASECRET\n-----END PRIVATE KEY-----\n';
    const { text } = createRedactor([new Secret(key)]);

    const diff = key.replaceAll(/^/gm, '+');
    const shown = [diff, key.replaceAll('\n', '\r\n    '), JSON.stringify({ key })].map(text);

    for (const output of shown) expect(output).not.toMatch(/TESTVECTOR|NOTASECRET/);
    expect(shown[0]).toBe('+-----BEGIN PRIVATE KEY-----\n+[hidden]\n+[hidden]\n+-----END PRIVATE KEY-----\n+');
  });

  test('of two secrets of which one contains the other, nothing is left', () => {
    const { text } = createRedactor([new Secret('abcdefgh'), new Secret('abcdefghijkl')]);

    expect(text('abcdefghijkl abcdefgh')).toBe('[hidden] [hidden]');
  });

  test('strings are redacted wherever they are in the data, and nothing else is changed', () => {
    const { data } = createRedactor([new Secret('test-vector')]);

    const redacted = data({
      list: ['a test-vector', 1, null],
      deep: { 'key-test-vector': true, n: undefined, text: 'x' },
    });

    expect(redacted).toEqual({
      list: ['a [hidden]', 1, null],
      deep: { 'key-[hidden]': true, n: undefined, text: 'x' },
    });
  });
});

test('without a secret everything comes back as it was', () => {
  const { text, data } = createRedactor([new Secret('')]);
  const event = { type: 'notice', message: 'x' };

  expect(data(event)).toEqual(event);
  expect(text('x nbserver1 nbclient1.')).toBe('x nbserver1 nbclient1.');
});

test("what looks like a cluster's token is hidden, though nobody knows it as a secret: it may stand in the place of a file", () => {
  const { text, data } = createRedactor();

  for (const token of [testServerToken, testClientToken, testServerToken.slice(0, 30)]) {
    expect(text(`--token-file ${token} cannot be read`)).toBe('--token-file [hidden] cannot be read');
    expect(data({ message: `"${token}", twice: ${token}` })).toEqual({ message: '"[hidden]", twice: [hidden]' });
  }
});

test('no secret, of whatever characters, is found in what has been redacted', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 9, unit: 'binary' }), fc.string(), fc.string(), (secret, before, after) => {
      fc.pre(!'[hidden]'.includes(secret) && !(before + after).includes(secret));
      const { text } = createRedactor([new Secret(secret)]);

      for (const form of Object.values(encodings(secret))) {
        expect(text(`${before}\n${form}\n${after}`)).not.toContain(form);
      }
    }),
  );
});

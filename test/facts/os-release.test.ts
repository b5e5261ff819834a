import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseOsRelease } from '../../src/facts/os-release.ts';

test('quotes, escapes, comments, blank lines, foreign lines and DOS line ends are understood', () => {
  const text = [
    '# ID=commented',
    '',
    '  ID=Debian  ',
    "ID_LIKE='rhel  fedora'",
    'VERSION_ID="12"\r',
    'VERSION_CODENAME=""',
    'PRETTY_NAME="Say \\"hi\\" for \\$5 \\\\ \\`now\\`"',
    'not an assignment',
    'lower=ignored',
  ].join('\n');
  expect(parseOsRelease(text)).toEqual({
    id: 'debian',
    idLike: ['rhel', 'fedora'],
    versionId: '12',
    codename: '',
    baseCodename: '',
    prettyName: 'Say "hi" for $5 \\ `now`',
  });
});

test('the last of duplicate keys counts', () => {
  expect(parseOsRelease('ID=one\nID=two\n').id).toBe('two');
});

test('an empty or missing file is some Linux', () => {
  const some = { id: 'linux', idLike: [], versionId: '', codename: '', baseCodename: '', prettyName: 'Linux' };
  expect(parseOsRelease('')).toEqual(some);
  expect(parseOsRelease(undefined)).toEqual(some);
});

test("a derivative's base is Ubuntu's or Debian's codename", () => {
  expect(parseOsRelease('ID=linuxmint\nUBUNTU_CODENAME=noble\n').baseCodename).toBe('noble');
  expect(parseOsRelease('ID=lmde\nDEBIAN_CODENAME=bookworm\n').baseCodename).toBe('bookworm');
});

test('a name in double quotes is read back as it was written', () => {
  fc.assert(
    fc.property(
      fc.string().filter(name => !/[\r\n]/.test(name) && name !== ''),
      name => {
        const written = name.replace(/[\\"$`]/g, '\\$&');
        expect(parseOsRelease(`PRETTY_NAME="${written}"`).prettyName).toBe(name);
      },
    ),
  );
});

test('any text is read without an error', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ID=_"\'\\$\n #aX') }), text => {
      expect(parseOsRelease(text).id).not.toBe('');
    }),
  );
});

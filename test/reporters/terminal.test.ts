import { describe, expect, test } from 'vitest';
import { describeTerminal, noTerminal, paintFor, printable, truncate, widthOf } from '../../src/reporters/terminal.ts';

const utf8 = { TERM: 'xterm-256color', LANG: 'en_US.UTF-8' };

describe('what a stream can show', () => {
  test.each([
    ['a pipe', {}, utf8],
    ['a dumb terminal', { isTTY: true }, { ...utf8, TERM: 'dumb' }],
    ['a terminal of unknown kind', { isTTY: true }, { LANG: 'en_US.UTF-8' }],
  ])('%s gets plain lines', (_name, stream, environment) => {
    expect(describeTerminal(stream, environment)).toBe(noTerminal);
  });

  test.each([
    [utf8, { live: true, colour: true, unicode: true }],
    [
      { ...utf8, NO_COLOR: '1' },
      { live: true, colour: false, unicode: true },
    ],
    [
      { ...utf8, NO_COLOR: '' },
      { live: true, colour: true, unicode: true },
    ],
    [
      { ...utf8, LC_ALL: 'C' },
      { live: true, colour: true, unicode: false },
    ],
    [
      { ...utf8, TERM: 'linux' },
      { live: true, colour: true, unicode: false },
    ],
    [{ TERM: 'vt220' }, { live: true, colour: true, unicode: false }],
    [
      { TERM: 'vt220', LC_CTYPE: 'C.utf8' },
      { live: true, colour: true, unicode: true },
    ],
  ])('a terminal with %j is %j', (environment, expected) => {
    expect(describeTerminal({ isTTY: true }, environment)).toMatchObject(expected);
  });

  test('the size is the one that the window has now', () => {
    const stream = { isTTY: true, columns: 100, rows: 30 };
    const terminal = describeTerminal(stream, utf8);

    stream.columns = 60;

    expect([terminal.columns, terminal.rows]).toEqual([60, 30]);
    expect(describeTerminal({ isTTY: true, columns: 0 }, utf8).columns).toBe(80);
  });
});

test('only a terminal with colours gets them, whatever the process itself writes to', () => {
  expect(paintFor(noTerminal)('red', 'x')).toBe('x');
  expect(paintFor({ ...noTerminal, colour: true })('red', 'x')).toBe('\x1b[31mx\x1b[39m');
});

test('nothing that a terminal acts on is printable', () => {
  expect(printable('a\x1b[1mb\x1b]0;title\x07c\td\r\ne\x00\x9b')).toBe('abc    d\ne');
});

test('East Asian characters and emoji take two columns', () => {
  expect([widthOf('nomad'), widthOf('ü…✓█'), widthOf('日本'), widthOf('🚀')]).toEqual([5, 4, 4, 2]);
});

test.each([
  ['nomad', 5, 'nomad'],
  ['nomad', 4, 'nom…'],
  ['日本語', 5, '日本…'],
  ['日本語', 4, '日…'],
  ['nomad', 1, '…'],
  ['nomad', 0, ''],
  ['nomad', -1, ''],
])('%s in %i columns is %s', (line, columns, expected) => {
  expect(truncate(line, columns, '…')).toBe(expected);
});

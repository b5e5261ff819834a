import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BootstrapError, type ErrorCode, errorCodes } from '../src/core/errors.ts';
import { exitCodes } from '../src/core/exit-codes.ts';

function read(name: string): string {
  return readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8');
}

function rowsOf(text: string): string[][] {
  const rows = text.split('\n').filter(line => /^\| [`\d]/.test(line));
  return rows.map(row =>
    row
      .slice(1, -1)
      .split(' | ')
      .map(cell => cell.trim()),
  );
}

describe('docs/errors.md', () => {
  /** Every row, with the exit code of the section that it stands in. */
  const rows = read('errors.md')
    .split(/^## Exit code /m)
    .slice(1)
    .flatMap(section => rowsOf(section).map(cells => ({ exitCode: Number.parseInt(section, 10), cells })));

  it('has exactly the codes that there are', () => {
    expect(rows.map(({ cells }) => cells[0]).sort()).toEqual(
      Object.keys(errorCodes)
        .map(code => `\`${code}\``)
        .sort(),
    );
  });

  it.each(Object.keys(errorCodes) as ErrorCode[])(
    'tells %s in the words of the program, under its exit code, and what to do',
    code => {
      const row = rows.find(({ cells }) => cells[0] === `\`${code}\``);

      expect(row?.exitCode).toBe(errorCodes[code].exitCode);
      expect(row?.cells[1]).toBe(errorCodes[code].meaning);
      expect(row?.cells).toHaveLength(3);
      expect(row?.cells[2]).toMatch(/^[A-Z`].+[.]$/);
    },
  );
});

describe('docs/exit-codes.md', () => {
  it('has exactly the codes that there are, by number and by name', () => {
    const rows = rowsOf(read('exit-codes.md'));

    expect(rows.map(([number, name]) => [name, Number(number)])).toEqual(
      Object.entries(exitCodes).map(([name, number]) => [`\`${name}\``, number]),
    );
  });
});

describe('the codes', () => {
  it.each(Object.entries(errorCodes))('%s: a kebab-case noun, with one sentence', (code, { meaning }) => {
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(meaning).toMatch(/^[A-Z][^|\n]+\.$/);
  });

  it('end no run with 0', () => {
    expect(Object.values(errorCodes).map(({ exitCode }) => exitCode)).not.toContain(0);
  });

  it('give an error its exit code', () => {
    expect(new BootstrapError('locked', 'x', { hint: 'y' }).exitCode).toBe(4);
  });
});

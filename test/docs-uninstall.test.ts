import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { leftovers } from './cluster/leftovers.ts';

test('docs/uninstall.md has every exception with its reason, and no other', () => {
  const rows = readFileSync('docs/uninstall.md', 'utf8').matchAll(/^\| (?<paths>`\/.*`) \| (?<why>.*) \|$/gm);
  const documented = [...rows].flatMap(({ groups }) =>
    (groups?.['paths'] ?? '').split(', ').map(path => [path.replaceAll('`', ''), groups?.['why']]),
  );
  expect(documented).toEqual(leftovers.map(({ path, reason }) => [path, reason]));
});

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { commands } from '../src/commands/index.ts';
import { supportedSystems } from '../src/platforms/index.ts';
import { steps } from '../src/steps/index.ts';

const readme = readFileSync('README.md', 'utf8');

test('README.md lists every command', () => {
  const listed = [...section('Commands').matchAll(/^\| `nomad-bootstrap (?<name>\w+)` \|/gm)].map(
    ({ groups }) => groups?.['name'],
  );

  expect(listed.toSorted()).toEqual([...Object.keys(commands), 'completion'].toSorted());
});

test('README.md tells the steps of a run in their order', () => {
  const told = [...section('What a run does').matchAll(/^ +\| (?<ids>[a-z, -]+) \|/gm)].flatMap(
    ({ groups }) => groups?.['ids']?.split(', ') ?? [],
  );

  expect(told.filter(id => id !== 'step')).toEqual(steps.map(({ id }) => id));
});

test('README.md names every system and release that is supported', () => {
  const words = (text: string): readonly string[] => text.match(/[A-Z]\w+|\d+(?:\.\d+)?/g) ?? [];
  const [systems = ''] = supportedSystems.split(', each on ');

  const missing = words(systems).filter(word => !words(section('Supported systems')).includes(word));

  expect(missing).toEqual([]);
});

/** The text below a heading of the second level. */
function section(title: string): string {
  const [, text = ''] = readme.split(`\n## ${title}\n`);
  return text.split('\n## ')[0] ?? '';
}

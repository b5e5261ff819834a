import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readAsset } from '../src/assets.ts';

it('every file under templates/ and systemd/ can be read by its path', () => {
  const files = ['templates', 'systemd'].flatMap(folder =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(file => file.isFile())
      .map(file => `${file.parentPath}/${file.name}`),
  );

  expect(files.length).toBeGreaterThan(0);
  expect(files.filter(file => readAsset(file) === '')).toEqual([]);
});

it.each(['templates/no-such-file.mustache', 'package.json', 'templates/../package.json', '/etc/hostname'])(
  'what is not an asset is refused: %s',
  path => {
    expect(() => readAsset(path)).toThrow();
  },
);

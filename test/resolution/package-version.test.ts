import { expect, test } from 'vitest';
import {
  compareReleases,
  installedRelease,
  isOfLine,
  newestFirst,
  releaseOf,
} from '../../src/resolution/package-version.ts';

test("a package's version tells the agent's release", () => {
  expect(releaseOf('2.0.7-1')).toBe('2.0.7');
  expect(releaseOf('2.0.7')).toBe('2.0.7');
});

test('pre-releases and enterprise builds are no stable releases', () => {
  for (const version of [
    '2.1.0~rc.1-1',
    '2.1.0-rc.1',
    '2.0.7+ent-1',
    '2.0',
    '2.00.7',
    '99999999999999999999.0.0',
    '',
  ]) {
    expect(releaseOf(version)).toBeUndefined();
  }
});

test('the release of a package that a distribution built is read as far as it goes', () => {
  expect(installedRelease('0.12.10+dfsg1-3')).toBe('0.12.10');
  expect(installedRelease('2.0.7-1')).toBe('2.0.7');
});

test('releases are ordered by number, not by letter', () => {
  expect(compareReleases('2.0.10', '2.0.9')).toBeGreaterThan(0);
  expect(compareReleases('1.11.0', '2.0.0')).toBeLessThan(0);
  expect(newestFirst(['2.0.9-1', '2.0.10-1', '1.11.3-1', '2.0.9-2', '2.1.0~rc.1-1'])).toEqual([
    '2.0.10-1',
    '2.0.9-2',
    '2.0.9-1',
    '1.11.3-1',
  ]);
});

test('a release belongs to the minor line of its first two numbers', () => {
  expect(isOfLine('2.0.7', '2.0')).toBe(true);
  expect(isOfLine('2.10.7', '2.1')).toBe(false);
});

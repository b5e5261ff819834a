import { expect, it } from 'vitest';
import { unifiedDiff } from '../../src/resources/unified-diff.ts';

const lines = (count: number, but: Record<number, string> = {}) =>
  Array.from({ length: count }, (_, index) => `${but[index + 1] ?? `line ${index + 1}`}\n`).join('');

it('a diff shows three lines around each change', async () => {
  expect(await unifiedDiff('/etc/a', lines(20), lines(20, { 10: 'other' }))).toBe(
    [
      '--- /etc/a',
      '+++ /etc/a',
      '@@ -7,7 +7,7 @@',
      ...[' line 7', ' line 8', ' line 9', '-line 10', '+other', ' line 11', ' line 12', ' line 13', ''],
    ].join('\n'),
  );
});

it('a diff of a file that comes or goes is all of it', async () => {
  expect(await unifiedDiff('/etc/a', undefined, 'x\n')).toBe('--- /dev/null\n+++ /etc/a\n@@ -0,0 +1,1 @@\n+x\n');
  expect(await unifiedDiff('/etc/a', 'x\n', undefined)).toBe('--- /etc/a\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-x\n');
});

it('a diff tells a last line without its end', async () => {
  expect(await unifiedDiff('/etc/a', 'x', 'x\n')).toContain('\\ No newline at end of file');
});

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** An empty file system of this size (as mount spells it) for the length of the test. */
export function mountedTmpfs(size: string): string {
  return mounted(['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs']);
}

/** The same folder, where nothing can be written, for the length of the test. */
export function mountedReadOnly(folder: string): string {
  return mounted(['--bind', '-o', 'ro', folder]);
}

function mounted(what: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'mounted-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  execFileSync('mount', [...what, folder]);
  onTestFinished(() => void execFileSync('umount', [folder]));
  return folder;
}

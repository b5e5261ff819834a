import { chmod, chown, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Path } from '../core/types.ts';

/**
 * Unpacks the regular files of a .tar.gz into an existing, empty directory, owned by root and not writable for others.
 * Links, devices and paths that would leave the directory are refused. The only file that uses tar.
 */
export async function unpackTarGz(archive: Path, directory: Path): Promise<readonly string[]> {
  const { extract } = await import('tar');
  await extract({
    file: archive,
    cwd: directory,
    strict: true,
    preserveOwner: false,
    filter: (_path, entry) => !('type' in entry) || entry.type === 'File' || entry.type === 'Directory',
  });
  const names = await readdir(directory);
  for (const name of names) {
    await chown(join(directory, name), 0, 0);
    await chmod(join(directory, name), 0o755);
  }
  return names.sort();
}

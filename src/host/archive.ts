import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { BootstrapError } from '../core/errors.ts';
import type { Path } from '../core/types.ts';
import { writing } from './files.ts';

/** Nothing hidden, nothing within a folder, nothing that a shell or sha256sum would spell differently. */
const plainName = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/;

/** Of what is read at once. tar's own 16 MiB cost 70 MiB of memory, and no time is saved by them. */
const chunkBytes = 256 * 2 ** 10;

/**
 * Unpacks a .tar.gz of plain files, all at its top, into an existing, empty directory of root's; they are executable, not
 * writable for others, and on disk. Anything else in it (links, devices, folders, paths that lead elsewhere) or a damaged
 * archive is `archive-refused`. Returns the names, sorted. The only file that uses tar.
 */
export async function unpackTarGz(archive: Path, directory: Path): Promise<readonly string[]> {
  const { extract } = await import('tar');
  const names = new Set<string>();
  const strange: string[] = [];
  try {
    await writing(directory, () =>
      extract({
        file: archive,
        cwd: directory,
        maxReadSize: chunkBytes,
        strict: true,
        preserveOwner: false,
        filter(path, entry) {
          const name = path.replace(/^\.\//, '');
          // The folder itself is commonly the first entry.
          if (name === '' || name === '.') return false;
          const wanted = 'type' in entry && entry.type === 'File' && plainName.test(name);
          if (wanted) names.add(name);
          else strange.push(path);
          return wanted;
        },
      }),
    );
  } catch (error) {
    if (error instanceof BootstrapError) throw error;
    throw refusal('is damaged', error);
  }
  if (strange.length > 0) throw refusal(`holds something other than plain files: ${JSON.stringify(strange[0])}`);
  if (names.size === 0) throw refusal('holds no files');

  for (const name of names) await finish(join(directory, name));
  return [...names].sort();
}

/** Whoever made the archive does not decide who may change its files. */
async function finish(path: Path): Promise<void> {
  await writing(path, async () => {
    const file = await open(path, 'r');
    try {
      await file.chown(0, 0);
      await file.chmod(0o755);
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

function refusal(reason: string, cause?: unknown): BootstrapError {
  return new BootstrapError('archive-refused', `the archive ${reason}`, {
    hint: 'name the version and the digest of an archive of plain files (see --cni-version and --cni-sha256)',
    detail: cause instanceof Error ? cause.message : undefined,
    cause,
  });
}

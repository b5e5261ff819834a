import { posix } from 'node:path';
import { BootstrapError } from '../core/errors.ts';
import type { Change, FileAttributes, FileStat, HostReader, Path, Resource, ResourceId } from '../core/types.ts';

/**
 * A directory with this mode and owner; where the path is a link, the directory that it leads to. What lies in it is not
 * touched. `disturbedBy` is a resource whose change may set them anew (a package's own script): then this is announced
 * with it. Anything else in its place is `file-refused`.
 */
export function directory(path: Path, attributes: FileAttributes, disturbedBy?: ResourceId): Resource {
  return {
    id: `directory:${path}`,
    plan: (host, before) => planDirectory(host, path, attributes, disturbedBy !== undefined && before.has(disturbedBy)),
  };
}

/** A change that makes a directory, or gives it another mode and owner. */
export interface DirectoryChange extends Change {
  readonly undo:
    | { readonly kind: 'directory'; readonly path: Path }
    | { readonly kind: 'attributes'; readonly path: Path; readonly attributes: FileAttributes };
}

/** What {@link directory} plans, for a resource that has a directory as a part. */
export async function planDirectory(
  host: HostReader,
  path: Path,
  attributes: FileAttributes,
  disturbed = false,
): Promise<DirectoryChange | undefined> {
  const { real, stat } = await followed(host, path);
  if (stat !== undefined && stat.kind !== 'directory') throw inTheWay(real);
  if (stat?.mode === attributes.mode && stat.owner === attributes.owner && !disturbed) return undefined;
  return {
    summary: `${stat === undefined ? 'create' : 'set mode and owner of'} ${real}`,
    undo:
      stat === undefined
        ? { kind: 'directory', path: real }
        : { kind: 'attributes', path: real, attributes: { mode: stat.mode, owner: stat.owner } },
    apply: target => target.makeDirectory(real, attributes),
  };
}

const mostLinks = 8;

/** Where links lead, as when an operator has put the folder on another disk. */
async function followed(host: HostReader, path: Path): Promise<{ real: Path; stat: FileStat | undefined }> {
  let real = path;
  for (let links = 0; links <= mostLinks; links += 1) {
    const stat = await host.stat(real);
    if (stat?.linkTarget === undefined) return { real, stat };
    real = posix.resolve(posix.dirname(real), stat.linkTarget);
  }
  throw inTheWay(path);
}

function inTheWay(path: Path): BootstrapError {
  return new BootstrapError('file-refused', `${path} must be a directory, and something else is there`, {
    hint: `look at it (ls -ld ${path}), move it away, then run the same command again`,
  });
}

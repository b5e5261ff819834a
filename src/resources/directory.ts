import type { FileAttributes, Path, Resource } from '../core/types.ts';

/** A directory with this mode and owner. What lies in it is not touched. */
export function directory(path: Path, attributes: FileAttributes): Resource {
  return {
    id: `directory:${path}`,
    async plan(host) {
      const stat = await host.stat(path);
      if (stat?.kind === 'directory' && stat.mode === attributes.mode && stat.owner === attributes.owner)
        return undefined;
      return {
        summary: `${stat === undefined ? 'create' : 'set mode and owner of'} ${path}`,
        undo:
          stat === undefined
            ? { kind: 'directory', path }
            : { kind: 'attributes', path, attributes: { mode: stat.mode, owner: stat.owner } },
        apply: host => host.makeDirectory(path, attributes),
      };
    },
  };
}

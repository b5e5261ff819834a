import type { FileAttributes, Path, Resource, ResourceId } from '../core/types.ts';

/**
 * A directory with this mode and owner. What lies in it is not touched. `disturbedBy` is a resource whose change may set
 * them anew (a package's own script): then this is announced with it.
 */
export function directory(path: Path, attributes: FileAttributes, disturbedBy?: ResourceId): Resource {
  return {
    id: `directory:${path}`,
    async plan(host, before) {
      const stat = await host.stat(path);
      const right = stat?.kind === 'directory' && stat.mode === attributes.mode && stat.owner === attributes.owner;
      if (right && !(disturbedBy !== undefined && before.has(disturbedBy))) return undefined;
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

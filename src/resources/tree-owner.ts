import type { Path, Resource } from '../core/types.ts';

/**
 * A folder that belongs to this user and group, with all that is in it; nothing where there is none. It was another's when the user got
 * another number since, or the agent ran as another user. Undo: `none`.
 */
export function treeOwner(path: Path, owner: string): Resource {
  return {
    id: `owner:${path}`,
    async plan(host) {
      const stat = await host.stat(path);
      if (stat?.kind !== 'directory' || stat.owner === owner) return undefined;
      return {
        summary: `give ${path} and all in it to ${owner}`,
        diff: `${path}: ${stat.owner} -> ${owner}\n`,
        undo: { kind: 'none' },
        async apply(target) {
          await target.run(['chown', '--recursive', '--no-dereference', owner, path]);
        },
      };
    },
  };
}

import type { Host, Path, Resource } from '../core/types.ts';
import type { Data } from './residue.ts';
import { existingDirectories, type Undoing, undone } from './undo.ts';

/** Data of a package that goes: deleted where that was asked for, else closed to all but root when its user goes. */
export function formerData({ path, own }: Data, users: readonly string[], undoing: Undoing): Resource {
  const { purgeData, remark } = undoing;
  const existing = existingDirectories(undoing).get(path);
  const attributes = existing ?? { mode: 0o700, owner: 'root:root' };
  return {
    id: `data:${path}`,
    async plan(host) {
      const entries = await host.list(path);
      if (entries === undefined) return undefined;
      const unwanted = purgeData ? entries.filter(entry => own === undefined || own.includes(entry)) : [];
      const rest = entries.filter(entry => !unwanted.includes(entry));
      const removable = rest.length === 0 && existing === undefined;
      if (unwanted.length > 0 || removable) {
        if (rest.length > 0) remark(`${path} keeps what is not nomad-bootstrap's: ${rest.join(', ')}`);
        return {
          summary: unwanted.length === 0 ? `remove the empty ${path}` : `delete the data in ${path}`,
          ...(unwanted.length === 0 ? {} : { diff: unwanted.map(entry => `${path}/${entry}\n`).join('') }),
          undo: undone,
          async apply(target) {
            for (const entry of unwanted) await removeTree(target, `${path}/${entry}`);
            if (removable) await target.remove(path);
            else if (existing !== undefined) await target.setAttributes(path, existing);
          },
        };
      }
      if (rest.length > 0) remark(`kept: the data in ${path}`);
      const stat = await host.stat(path);
      if (stat === undefined || stat.owner === attributes.owner) return undefined;
      if (!users.includes(stat.owner.split(':')[0] ?? '')) return undefined;
      return {
        summary: `give ${path} to ${attributes.owner}, since its user goes`,
        undo: undone,
        apply: target => target.setAttributes(path, attributes),
      };
    },
  };
}

/** Tasks leave mounts behind (their secrets, for one): these go first, the innermost before the others. */
async function removeTree(host: Host, path: Path): Promise<void> {
  const mounts = ((await host.readText('/proc/self/mountinfo')) ?? '')
    .split('\n')
    .map(line => unescaped(line.split(' ')[4] ?? ''))
    .filter(mount => mount.startsWith(`${path}/`));
  for (const mount of mounts.toReversed()) await host.run(['umount', mount]);
  await host.remove(path);
}

/** The kernel writes a space as \040. */
function unescaped(text: string): string {
  return text.replace(/\\(?<octal>[0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

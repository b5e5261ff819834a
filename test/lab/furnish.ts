import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { baseFor } from './bases.ts';
import { runCommand } from './commands.ts';
import { mirroredHosts, networks } from './hosts.ts';
import { networkdFile } from './network.ts';
import { type NodeRecord, type NodeSpec, nodeDirectory } from './node-record.ts';

/** Folders of a node that lie on a real file system instead of the overlay, since Docker makes overlays in them. */
export const realDirectories: readonly string[] = ['docker', 'containerd'];

/** Makes a node's directory with its root file system, an overlay over the system's base. Throws when the name is taken. */
export async function furnishNode(
  labId: string,
  record: NodeRecord,
  { diskMiB, image }: Pick<NodeSpec, 'diskMiB' | 'image'>,
): Promise<void> {
  const base = await baseFor(record.system);
  const directory = nodeDirectory(labId, record.name);
  mkdirSync(path.dirname(directory), { recursive: true });
  mkdirSync(directory);
  const disk = path.join(directory, 'disk');
  mkdirSync(disk);
  if (diskMiB !== undefined) {
    const image = path.join(directory, 'disk.img');
    await runCommand(['truncate', '-s', `${diskMiB}M`, image]);
    await runCommand(['mkfs.ext4', '-q', '-m', '0', image]);
    await runCommand(['mount', '-o', 'loop', image, disk]);
  }
  for (const folder of ['upper', 'work']) mkdirSync(path.join(disk, folder));
  for (const folder of realDirectories) {
    mkdirSync(path.join(disk, folder));
    chmodSync(path.join(disk, folder), 0o710); // mkdir's mode would pass the umask
  }
  const root = path.join(directory, 'root');
  mkdirSync(root);
  const lower = image === undefined ? base : `${path.join(nodeDirectory(labId, image), 'disk/upper')}:${base}`;
  const layers = `lowerdir=${lower},upperdir=${path.join(disk, 'upper')},workdir=${path.join(disk, 'work')}`;
  await runCommand(['mount', '-t', 'overlay', 'overlay', '-o', layers, root]);
  furnish(root, record);
  writeFileSync(path.join(directory, 'node.json'), JSON.stringify(record));
}

function furnish(root: string, record: NodeRecord): void {
  const put = (file: string, content: string) => writeFileSync(path.join(root, file), content);
  put('etc/hostname', `${record.name}\n`);
  put(
    'etc/hosts',
    [
      '127.0.0.1 localhost',
      `127.0.1.1 ${record.name}`,
      '::1 localhost ip6-localhost ip6-loopback',
      '# The lab answers for these:',
      ...mirroredHosts.map(host => `${networks.public.gateway} ${host}`),
      '',
    ].join('\n'),
  );
  put('etc/resolv.conf', '# The lab has no name server; see /etc/hosts.\n');
  record.interfaces.forEach((link, index) => {
    put(`etc/systemd/network/${String(5 + index).padStart(2, '0')}-${link.name}.network`, networkdFile(link));
  });
}

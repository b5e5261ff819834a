import type { Path } from '../core/types.ts';
import { fail, type HealthCheck, onDockerClients, pass, warn } from './health-check.ts';

/** Where the agents keep their state, and where logs go. A file system that holds several is named once. */
const places = ['/opt/nomad/data', '/opt/consul', '/var/log'];
/** Images and containers, often on a disk of their own. */
const dockerPlace = '/var/lib/docker';
/** Raft stops at a failed write, and with it the server: so the alarm comes before. */
const leastMiB = 256;
const tightShare = 0.1;
/** A tenth of a large disk is no concern. */
const tightMiB = 5 * 1024;
/** The same of files: an image of a container alone has thousands. */
const leastFiles = 1000;
const tightFiles = 50_000;

export const diskSpace: HealthCheck = {
  id: 'disk-space',
  title: 'There is room for state and logs',
  scope: 'node',
  async run(host, target) {
    const all = [...places, ...(onDockerClients(target) ? [dockerPlace] : [])];
    // Of the host: the unit that runs this every five minutes sees everything read-only.
    const mounts = await host.readText('/proc/1/mounts');
    const readOnly = all.find(path => isReadOnly(path, mounts ?? ''));
    if (readOnly !== undefined) {
      return fail(
        `${readOnly} is on a file system that is mounted read-only`,
        'find out why: dmesg | grep -i remount; after a file system check: mount -o remount,rw, and restart the agents',
      );
    }
    const spaces = await Promise.all(
      all.map(async path => ({ path, space: (await host.space(path)) ?? (await host.space('/')) })),
    );
    let tight: string | undefined;
    let roomiest = '';
    for (const { path, space } of spaces) {
      if (space === undefined) continue;
      const availableMiB = Math.floor(space.availableBytes / 2 ** 20);
      const room = `${availableMiB} MiB left at ${path}`;
      const files = space.files ?? { most: Number.POSITIVE_INFINITY, available: Number.POSITIVE_INFINITY };
      const roomForFiles = `room for ${files.available} more files at ${path}`;
      if (files.available < leastFiles) {
        return fail(
          roomForFiles,
          'find where they are, and remove what nobody needs: du --inodes -xh --max-depth=3 /opt /var | sort -h; docker system prune; nomad system gc',
        );
      }
      if (files.available < tightFiles && files.available < files.most * tightShare) tight ??= roomForFiles;
      if (availableMiB < leastMiB) {
        return fail(
          room,
          'make room: journalctl --vacuum-size=200M, docker system prune, nomad system gc; or resize the disk',
        );
      }
      if (availableMiB < tightMiB && space.availableBytes < space.sizeBytes * tightShare) tight ??= room;
      roomiest ||= room;
    }
    if (tight !== undefined)
      return warn(tight, 'make room before it is full: du -xh --max-depth=2 /opt /var | sort -h');
    return pass(roomiest);
  },
};

/** By the last mount that holds the path. Source: proc_pid_mounts(5). */
function isReadOnly(path: Path, mounts: string): boolean {
  const holding = mounts
    .split('\n')
    .map(line => line.split(' '))
    .filter(([, point = '']) => point === path || path.startsWith(point === '/' ? '/' : `${point}/`))
    .sort(([, a = ''], [, b = '']) => a.length - b.length);
  return holding.at(-1)?.[3]?.split(',').includes('ro') === true;
}

import type { Check } from '../../core/types.ts';
import type { Target } from '../../target.ts';

/** Where files are written; apt needs /tmp. */
const places = ['/etc', '/usr', '/opt', '/var', '/tmp'];

interface Mount {
  readonly point: string;
  readonly readOnly: boolean;
}

/** The file systems that a run writes to are not mounted read-only. A dry run does without. */
export const rootWritable: Check<Target> = {
  id: 'root-writable',
  title: 'The root file system can be written to',
  async run(host) {
    const mounts = parseMounts((await host.readText('/proc/mounts')) ?? '');
    const closed = places
      .map(path => ({ path, mount: mountOf(path, mounts) }))
      .find(({ mount }) => mount?.readOnly === true);
    if (closed === undefined) return { status: 'pass', detail: places.join(', ') };
    return {
      status: 'fail',
      detail: `${closed.path} is mounted read-only`,
      hint: `mount -o remount,rw ${closed.mount?.point}; if that fails, dmesg may tell of a damaged disk`,
    };
  },
};

/** Columns of /proc/mounts: device, mount point with octal escapes, type, options. */
function parseMounts(text: string): readonly Mount[] {
  return text
    .split('\n')
    .map(line => line.split(' '))
    .map(([, point = '', , options = '']) => ({
      point: point.replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8))),
      readOnly: options.split(',').includes('ro'),
    }));
}

/** The mount that a path lies on: the deepest, and of several on one point the last. */
function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  return mounts
    .filter(({ point }) => point === '/' || path === point || path.startsWith(`${point}/`))
    .reduce<Mount | undefined>(
      (best, mount) => (mount.point.length >= (best?.point.length ?? 0) ? mount : best),
      undefined,
    );
}

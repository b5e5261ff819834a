import type { Check } from '../../core/types.ts';
import type { Target } from '../../target.ts';

/** Where programs, packages, the agents' data and Docker's images go. Each may be a file system of its own. */
const places = ['/usr', '/opt', '/var'];
const bytesPerMiB = 2 ** 20;
const leastMiB = 1024;
const comfortableMiB = 4096;

/** There is room for the packages, and some for images and state. */
export const disk: Check<Target> = {
  id: 'disk',
  title: 'There is enough disk space',
  async run(host) {
    const rooms = await Promise.all(
      places.map(async path => {
        const space = (await host.space(path)) ?? (await host.space('/'));
        return { path, availableMiB: Math.floor((space?.availableBytes ?? 0) / bytesPerMiB) };
      }),
    );
    const tightest = rooms.reduce((least, room) => (room.availableMiB < least.availableMiB ? room : least));
    const detail = `${tightest.availableMiB} MiB available in ${tightest.path}`;
    if (tightest.availableMiB < leastMiB) {
      return { status: 'fail', detail, hint: `free or add space: at least ${leastMiB} MiB are needed` };
    }
    if (tightest.availableMiB < comfortableMiB) {
      return { status: 'warn', detail, hint: `${comfortableMiB} MiB or more leave room for images and state` };
    }
    return { status: 'pass', detail };
  },
};

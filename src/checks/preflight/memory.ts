import type { Check } from '../../core/types.ts';
import type { Target } from '../../target.ts';

/** Both agents start in this much, and nothing else then. */
const leastMiB = 400;
/** A Linode of 2 GB shows some 1960 MiB to its system. */
const comfortableMiB = 1800;

/** There is memory for the agents, and some for jobs. */
export const memory: Check<Target> = {
  id: 'memory',
  title: 'There is enough memory',
  async run(_host, { facts }) {
    const detail = `${facts.memoryMiB} MiB`;
    if (facts.memoryMiB < leastMiB) {
      return { status: 'fail', detail, hint: `use a machine with at least ${leastMiB} MiB, better with 2 GiB` };
    }
    if (facts.memoryMiB < comfortableMiB) {
      return { status: 'warn', detail, hint: 'use a machine with 2 GiB or more for anything but a trial' };
    }
    return { status: 'pass', detail };
  },
};

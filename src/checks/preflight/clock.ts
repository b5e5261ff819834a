import type { Check } from '../../core/types.ts';

/** No machine that runs this program can be older than the program. */
const earliest = new Date('2026-01-01T00:00:00Z');

/** The clock is not at its factory setting: certificates and signatures would all be of the future. */
export const clock: Check<unknown> = {
  id: 'clock',
  title: 'The clock is plausible',
  async run(host) {
    const now = host.now();
    const detail = now.toISOString();
    if (now >= earliest) return { status: 'pass', detail };
    return {
      status: 'fail',
      detail: `the clock says ${detail}`,
      hint: 'set the time: timedatectl set-ntp true, or date -s, then run the command again',
    };
  },
};

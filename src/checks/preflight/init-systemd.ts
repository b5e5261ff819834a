import type { Check } from '../../core/types.ts';
import type { Target } from '../../target.ts';

/** The agents' packages bring systemd units and nothing else that could start them. */
export const initSystemd: Check<Target> = {
  id: 'init-systemd',
  title: 'The machine is run by systemd',
  async run(_host, { facts }) {
    if (facts.init === 'systemd') return { status: 'pass', detail: 'systemd' };
    return {
      status: 'fail',
      detail: 'systemd does not run here',
      hint: 'use a virtual machine, or a container that boots systemd as its first process',
    };
  },
};

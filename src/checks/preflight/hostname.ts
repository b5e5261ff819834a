import type { Check } from '../../core/types.ts';
import type { Target } from '../../target.ts';

/** The machine has a name of its own. The agents get theirs explicitly, so this is for people and logs. */
export const hostname: Check<Target> = {
  id: 'hostname',
  title: 'The machine has a host name of its own',
  async run(_host, { facts, config }) {
    const name = facts.hostname;
    if (name !== '' && !/^localhost(\.|$)/i.test(name)) return { status: 'pass', detail: name };
    const called = config.node === undefined ? '' : `; the agents call it ${config.node.name}`;
    return {
      status: 'warn',
      detail: `the host name is ${name || 'empty'}${called}`,
      hint: `hostnamectl set-hostname ${config.node?.name ?? 'NAME'}`,
    };
  },
};

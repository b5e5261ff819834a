import type { Check } from '../../core/types.ts';
import type { Target } from '../../target.ts';

/** For people; the platforms decide. */
const supported =
  'Debian 12 and 13, Ubuntu 22.04, 24.04 and 26.04 (and what is built on them), RHEL, Rocky Linux, AlmaLinux and CentOS Stream 9 and 10, Fedora 43 and 44, each on amd64 or arm64 with systemd';

/** The operating system, its version and the processor are ones that the agents are packaged for. */
export const osSupported: Check<Target> = {
  id: 'os-supported',
  title: 'The operating system and the processor are supported',
  async run(_host, { facts, platform }) {
    if (facts.architecture === undefined) {
      return {
        status: 'fail',
        detail: `there are no Nomad and Consul packages for ${facts.machine}`,
        hint: 'use a machine with an x86_64 or aarch64 system',
      };
    }
    const reason = platform.unsupportedReason(facts.os);
    if (reason !== undefined) {
      return { status: 'fail', detail: reason, hint: `use one of: ${supported}` };
    }
    return { status: 'pass', detail: `${facts.os.prettyName}, ${facts.architecture}` };
  },
};

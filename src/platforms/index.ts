import { BootstrapError } from '../core/errors.ts';
import type { Facts, OsRelease } from '../facts/facts.ts';
import { debian } from './debian.ts';
import type { Platform } from './platform.ts';
import { redhat } from './redhat.ts';

/** Every OS family, in the order in which they are asked. */
export const platforms: readonly Platform[] = [debian, redhat];

/** What can be bootstrapped, for people. */
export const supportedSystems =
  'Debian 12 and 13, Ubuntu 22.04, 24.04 and 26.04 (and what is built on them), RHEL, Rocky Linux, AlmaLinux and CentOS Stream 9 and 10, Fedora 43 and 44, each on amd64 or arm64 with systemd';

/**
 * The family of a host, by its own identifier or by those that it says it is like. `unsupported-os` when it is of none;
 * a version of a family that is not supported is told by {@link unsupportedReason}.
 */
export function platformFor(os: OsRelease): Platform {
  const platform = platforms.find(platform => platform.supports(os));
  if (platform !== undefined) return platform;
  throw new BootstrapError('unsupported-os', noFamily(os), { hint: `use one of: ${supportedSystems}` });
}

/** Why a machine cannot be bootstrapped, in a sentence, or `undefined` when it can be. */
export function unsupportedReason(facts: Pick<Facts, 'os' | 'architecture' | 'machine' | 'init'>): string | undefined {
  const platform = platforms.find(platform => platform.supports(facts.os));
  if (platform === undefined) return noFamily(facts.os);
  if (facts.architecture === undefined) return `there are no agents for the architecture ${facts.machine}`;
  if (facts.init !== 'systemd') return 'process 1 of this machine is not systemd';
  return platform.unsupportedReason(facts.os);
}

function noFamily({ prettyName }: OsRelease): string {
  return `${prettyName} is not of the Debian or the Red Hat family`;
}

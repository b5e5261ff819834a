import { BootstrapError } from '../core/errors.ts';

const again = 'then run the same command again: it continues from here';

/** What package managers say of a machine that is not in order, the first that fits counts, and what to do about each. */
const known: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [
    /need to be removed|Packages need|remove is disabled/i,
    'packages that are installed conflict with the new ones: remove those first (see: apt-get install -s), or choose others with --docker distro or --docker none',
  ],
  [
    /Unmet dependencies|--fix-broken|unmet dependencies/,
    `packages of this machine lack what they need: apt-get --fix-broken install, or remove them; ${again}`,
  ],
  [
    /\/var\/lib\/dpkg\/status/,
    `dpkg's database is damaged: mend the line that is named above, or take its backup (cp -a /var/lib/dpkg/status-old /var/lib/dpkg/status); ${again}`,
  ],
  [
    /Conflicting values/,
    `a package repository is configured twice, with different keys: remove the other entry from /etc/apt/sources.list.d (see: grep -r hashicorp.com -r docker.com /etc/apt), ${again}`,
  ],
  [
    /Malformed|list of sources could not be read/,
    `a source file that is not ours cannot be read: mend or remove the file that is named above, ${again}`,
  ],
  [
    /Syntax error|Extra junk/,
    `a file of the package manager's configuration cannot be read: mend or remove the file that is named above, ${again}`,
  ],
  [
    /kernel-modules-extra/,
    'the repositories no longer have the modules of the running kernel: dnf -y upgrade kernel, reboot, then run the same command again',
  ],
];

/** The error for a transaction that failed: `packages-failed`, or `disk-full`, with what to do as far as it can be told. */
export function transactionFailure(manager: string, message: string, error: BootstrapError): BootstrapError {
  const detail = error.detail ?? '';
  if (/No space left on device|enough free space|more space needed/i.test(detail)) {
    return new BootstrapError('disk-full', `${manager} ran out of disk space`, {
      hint: `make room (df -h shows where; df -i, if it is inodes that lack), ${again}`,
      detail,
      cause: error,
    });
  }
  const hint = known.find(([pattern]) => pattern.test(detail))?.[1];
  return new BootstrapError('packages-failed', message, {
    hint:
      hint ??
      `see what ${manager} says above; once its cause is gone, run the same command again: it continues from here`,
    detail: error.detail,
    cause: error,
  });
}

/** Whether trying again cannot help: it is this machine that is not in order. */
export function isOfThisMachine(detail: string): boolean {
  return /Conflicting values|Syntax error|Extra junk|Malformed|could not be parsed|parsing file|No space left on device|enough free space|more space needed/i.test(
    detail,
  );
}

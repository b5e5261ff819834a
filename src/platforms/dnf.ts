import { BootstrapError } from '../core/errors.ts';
import type { Host, HostReader, Path } from '../core/types.ts';
import type { PackageVersion } from '../resolution/resolution.ts';
import type { PackageManager, Removal } from '../resources/packages.ts';
import { describeHolder, waitForPackageLock } from './package-lock.ts';
import { transactionFailure } from './transaction-failure.ts';

/** Held for the time of a transaction by rpm and, in dnf 5, by dnf itself. dnf 4 waits for another dnf by itself. */
const lockFiles: readonly Path[] = [
  '/var/lib/rpm/.rpm.lock',
  '/usr/lib/sysimage/rpm/.rpm.lock',
  '/usr/lib/sysimage/libdnf5/transaction_lock',
  '/run/dnf/rpmtransaction.lock',
];

const lockDeadlineSeconds = 600;
const transactionTimeoutMs = 45 * 60_000;
const attempts = 5;

/**
 * The package manager of Fedora and Enterprise Linux, in its versions 4 and 5. `repository` is HashiCorp's source file:
 * its `excludepkgs` is what keeps the agents at their version, since the versionlock plug-in is not everywhere. This
 * program alone lifts the exclusion, for its own transaction.
 */
export function dnf(repository: { readonly id: string; readonly sourceFile: Path }): PackageManager {
  return {
    id: 'dnf',
    installed,
    unpacked: installed,
    all,
    async held(host, names) {
      const excluded = excludedPackages(await host.readText(repository.sourceFile), repository.id);
      return new Set(names.filter(name => excluded.includes(name)));
    },
    install(host, packages, endPart) {
      // Nobody is to wait: when it has downloaded is not to be seen.
      endPart?.('downloads');
      return install(host, packages, repository.id);
    },
    // `install` goes to exactly the version that is named, up or down. For the variable see apt.ts.
    exchange: (host, packages) => install(host, packages, repository.id, { SYSTEMD_OFFLINE: '1' }),
    removal,
    async present(host, names) {
      const found = await installed(host, names);
      return names.filter(name => found.has(name));
    },
    async remove(host, names) {
      // Nothing but what was announced.
      await runUnlocked(host, ['dnf', '-y', '--setopt=clean_requirements_on_remove=False', 'remove', ...names]);
    },
    keyring: {
      async keys(host) {
        const { stdout } = await host.query(['rpm', '-q', '--qf', '%{VERSION}-%{RELEASE}\\n', 'gpg-pubkey']);
        return stdout.split('\n').filter(line => /^[0-9a-f]+-[0-9a-f]+$/.test(line));
      },
      async remove(host, keys) {
        await host.run(['rpm', '-e', ...keys.map(key => `gpg-pubkey-${key}`)]);
      },
    },
  };
}

/** `names` may carry their version (`kernel-modules-extra-6.12.0-55.el10`), where several are installed side by side. */
async function installed(host: HostReader, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await host.query(['rpm', '-q', '--qf', '%{NAME}\\t%{VERSION}-%{RELEASE}\\n', ...names]);
  const found = new Map<string, string>();
  for (const line of stdout.split('\n')) {
    // Of a package that is missing rpm says so in a sentence, on standard output.
    const [name, version] = line.split('\t');
    if (name === undefined || version === undefined) continue;
    for (const wanted of names) if (wanted === name || wanted === `${name}-${version}`) found.set(wanted, version);
  }
  return found;
}

async function all(host: HostReader): Promise<readonly string[]> {
  const { stdout } = await host.query(['rpm', '-q', '-a', '--qf', '%{NAME}\\n']);
  return [...new Set(stdout.split('\n').filter(name => name !== ''))].sort();
}

/** Asks dnf what it would do: it lists dependents, and what nothing needs any more, apart. */
async function removal(host: HostReader, names: readonly string[], before: readonly string[]): Promise<Removal> {
  const needed: Record<string, readonly string[]> = {};
  let going = [...(await installed(host, names)).keys()];
  let transaction = await simulatedRemoval(host, going);
  while (transaction.dependents.length > 0) {
    const kept: Record<string, readonly string[]> = {};
    for (const name of going) {
      const by = (await simulatedRemoval(host, [name])).dependents.filter(dependent => !going.includes(dependent));
      if (by.length > 0) kept[name] = by;
    }
    if (Object.keys(kept).length === 0) break;
    Object.assign(needed, kept);
    going = going.filter(name => kept[name] === undefined);
    transaction = await simulatedRemoval(host, going);
  }
  return { packages: [...going, ...transaction.unneeded.filter(name => !before.includes(name))], needed };
}

async function simulatedRemoval(host: HostReader, names: readonly string[]) {
  if (names.length === 0) return { dependents: [], unneeded: [] };
  const { stdout } = await host.query(
    ['dnf', '--cacheonly', '--assumeno', '--setopt=clean_requirements_on_remove=True', 'remove', ...names],
    { timeoutMs: 60_000 },
  );
  return {
    dependents: listedUnder('Removing dependent packages:', stdout),
    unneeded: listedUnder('Removing unused dependencies:', stdout),
  };
}

/** The first word of each indented line after `heading`; dnf 4 and 5 agree on that much. */
function listedUnder(heading: string, output: string): readonly string[] {
  const [, list = ''] = output.split(`${heading}\n`);
  const lines = list.split('\n');
  const end = lines.findIndex(line => !line.startsWith(' '));
  return lines.slice(0, end === -1 ? undefined : end).flatMap(line => line.trim().split(/\s+/)[0] ?? []);
}

/** What the repository's section of its source file excludes. */
export function excludedPackages(sourceFile: string | undefined, id: string): readonly string[] {
  const section = (sourceFile ?? '').split(/^(?=\[)/m).find(part => part.startsWith(`[${id}]`)) ?? '';
  const names = /^\s*exclude(pkgs)?\s*=\s*(?<names>.*)$/m.exec(section)?.groups?.['names'] ?? '';
  return names.split(/[\s,]+/).filter(name => name !== '');
}

async function install(
  host: Host,
  packages: readonly PackageVersion[],
  repositoryId: string,
  env?: Readonly<Record<string, string>>,
): Promise<void> {
  const argv = [
    'dnf',
    '-y',
    '--setopt=install_weak_deps=False',
    // A broken repository that is not ours must not stop us; ours must not be passed over in silence.
    '--setopt=*.skip_if_unavailable=True',
    `--setopt=${repositoryId}.skip_if_unavailable=False`,
    `--setopt=${repositoryId}.excludepkgs=`,
    // Cached metadata may be older than the version that was just resolved.
    `--setopt=${repositoryId}.metadata_expire=1`,
    'install',
    ...packages.map(({ name, version }) => (version === undefined ? name : `${name}-${version}`)),
  ];
  const startedAt = Math.floor(host.now().getTime() / 1000);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await runUnlocked(host, argv, env);
      await removeTorn(host, startedAt);
      return;
    } catch (error) {
      if (!(error instanceof BootstrapError) || error.code !== 'command-failed') throw error;
      if (attempt === attempts || !mayPass(error.detail ?? '')) throw transactionFailed(error);
      await host.sleep(1000 * 2 ** (attempt - 1));
    }
  }
}

const secondsPerDay = 86_400;

/**
 * rpm writes a file as `NAME;TIME` first, where TIME is when its transaction began, in hexadecimal. One that was killed leaves
 * these behind for ever, beside the files of the one that came after it.
 */
async function removeTorn(host: Host, before: number): Promise<void> {
  const { stdout: installed } = await host.query(['rpm', '-q', '-a', '--qf', '%{INSTALLTIME}\\t%{NAME}\\n']);
  const recent = installed.split('\n').flatMap(line => {
    const [time = '', name = ''] = line.split('\t');
    return Number(time) >= before - secondsPerDay && name !== '' ? [name] : [];
  });
  if (recent.length === 0) return;
  const { stdout: files } = await host.query(['rpm', '-q', '-l', ...recent]);
  const folders = new Set(
    files.split('\n').flatMap(path => /^(?<folder>\/.*)\/[^/]+$/.exec(path)?.groups?.['folder'] ?? []),
  );
  for (const folder of folders) {
    const names = (await host.list(folder)) ?? [];
    for (const name of names) {
      const { whole = '', time = '' } = /^(?<whole>.+);(?<time>[0-9a-f]{8})$/.exec(name)?.groups ?? {};
      // A transaction of somebody else's may be at work by now.
      if (names.includes(whole) && Number.parseInt(time, 16) < before) await host.remove(`${folder}/${name}`);
    }
  }
}

/** Whether trying again may help. Repositories that were passed over are in the output too, so what is final counts first. */
function mayPass(detail: string): boolean {
  if (/GPG|OpenPGP|No match for argument|Unable to find a match|conflicts with|nothing provides/i.test(detail))
    return false;
  // Another dnf, such as a killed run has left, empties the cache that both of them use.
  return /download|Curl error|No more mirrors|Librepo error|failed to lock|No such file.*\/var\/cache\/dnf/i.test(
    detail,
  );
}

async function runUnlocked(host: Host, argv: readonly string[], env?: Readonly<Record<string, string>>): Promise<void> {
  await waitForPackageLock(host, {
    paths: lockFiles,
    deadlineSeconds: lockDeadlineSeconds,
    onWaiting: (holder, waitedSeconds) =>
      host.waiting(`waiting for ${describeHolder(holder)} to release ${holder.path}`, waitedSeconds),
  });
  await host.run(argv, {
    ...(env === undefined ? {} : { env }),
    timeoutMs: transactionTimeoutMs,
    onLine: line => {
      if (/^Waiting for process with pid \d+/.test(line)) host.waiting(`dnf: ${line}`, 0);
    },
  });
}

function transactionFailed(error: BootstrapError): BootstrapError {
  const detail = error.detail ?? '';
  if (/GPG|OpenPGP|Public key for/i.test(detail)) {
    return new BootstrapError('key-not-accepted', 'dnf does not accept the signature of a package', {
      hint: 'the signing key may have been replaced: take the newest release of nomad-bootstrap, or check the new key with its owner and name it with --hashicorp-key-fingerprint or --docker-key-fingerprint',
      detail,
      cause: error,
    });
  }
  return transactionFailure('dnf', 'dnf could not install the packages', error);
}

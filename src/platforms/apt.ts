import { parseTriggered, readDpkgPackages } from '../core/dpkg-status.ts';
import { BootstrapError } from '../core/errors.ts';
import type { Host, HostReader, Path } from '../core/types.ts';
import type { PackageVersion } from '../resolution/resolution.ts';
import type { InstallationPart, PackageManager, Removal } from '../resources/packages.ts';
import { describeHolder, lockHolder, waitForPackageLock } from './package-lock.ts';
import { isOfThisMachine, transactionFailure } from './transaction-failure.ts';

/** What apt-get locks in a refresh. */
const listsLock: Path = '/var/lib/apt/lists/lock';
/** What apt-get and dpkg lock in a transaction. */
const transactionLocks: readonly Path[] = [
  '/var/lib/dpkg/lock-frontend',
  '/var/lib/dpkg/lock',
  '/var/cache/apt/archives/lock',
];
const lockFiles: readonly Path[] = [...transactionLocks, listsLock];

/** First boots keep apt busy for minutes (unattended-upgrades, apt-daily, cloud-init). */
const lockDeadlineSeconds = 600;
const transactionTimeoutMs = 45 * 60_000;
const attempts = 5;

/** No question, no restart of other services by needrestart, no page of news. */
const quiet = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1', APT_LISTCHANGES_FRONTEND: 'none' };

/**
 * The packages' scripts restart the agents. systemctl ignores that, and reloading units, where there is no systemd to talk to, as
 * in a chroot; this makes it believe so. Source: ENVIRONMENT.md of systemd, since version 239.
 */
const inert: Transaction = { options: [], env: { SYSTEMD_OFFLINE: '1' } };
const inertBack: Transaction = { ...inert, options: ['--allow-downgrades'] };

/** What is peculiar to a transaction. */
interface Transaction {
  readonly options: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const ordinary: Transaction = { options: [], env: {} };

/** A configuration file that was changed is kept: the packages' own come with changed ones of ours in place. */
const keepConfiguration = ['--force-confdef', '--force-confold'];

/** Reading without the caches that apt-get otherwise writes even when it only simulates. */
const withoutCaches = ['-o', 'Dir::Cache::pkgcache=', '-o', 'Dir::Cache::srcpkgcache='];
const readOnly = [...withoutCaches, '-o', 'Debug::NoLocking=true'];

/**
 * Debian's package manager. `sources` are the source files that this program writes, HashiCorp's first: when other repositories
 * of the host are broken, refreshing these is enough.
 */
export function apt(sources: readonly Path[]): PackageManager {
  return {
    id: 'apt',
    installed,
    unpacked: (host, names) => inState(host, names, unpackedStates),
    all,
    held,
    install: (host, packages, endPart) => install(host, packages, sources, ordinary, endPart),
    exchange: (host, packages, direction) => install(host, packages, sources, direction === 'back' ? inertBack : inert),
    remains: { of: triggered, settle: host => heal(host) },
    removal,
    present,
    remove,
    holding: {
      async hold(host, names) {
        await host.run(['apt-mark', 'hold', ...names]);
      },
      async release(host, names) {
        await host.run(['apt-mark', 'unhold', ...names]);
      },
    },
  };
}

function installed(host: HostReader, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  return inState(host, names, ['installed']);
}

/** The states of dpkg in which a package's files are those of its version. Source: dpkg(1), PACKAGE STATES. */
const unpackedStates = ['unpacked', 'half-configured', 'triggers-awaited', 'triggers-pending', 'installed'];

async function inState(
  host: HostReader,
  names: readonly string[],
  states: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const known = await readDpkgPackages(host, names);
  if (known !== undefined) {
    return new Map(
      [...known].flatMap(([name, { status, version }]) => (states.includes(status) ? [[name, version]] : [])),
    );
  }
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are dpkg-query's own
  const format = '-f=${Package}\\t${db:Status-Status}\\t${Version}\\n';
  const { stdout } = await host.query(['dpkg-query', '-W', format, ...names]);
  return new Map(
    rows(stdout).flatMap(([name = '', status = '', version = '']) =>
      states.includes(status) ? [[name, version]] : [],
    ),
  );
}

async function all(host: HostReader): Promise<readonly string[]> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are dpkg-query's own
  const { stdout } = await host.query(['dpkg-query', '-W', '-f=${Package}\\t${db:Status-Status}\\n']);
  const names = rows(stdout).flatMap(([name = '', status]) => (status === 'installed' ? [name] : []));
  return [...new Set(names)].sort();
}

/** Read from dpkg, where apt-mark keeps them: 8 ms instead of the 450 of `apt-mark showhold`, which also writes caches. */
async function held(host: HostReader, names: readonly string[]): Promise<ReadonlySet<string>> {
  const known = await readDpkgPackages(host, names);
  if (known !== undefined) {
    return new Set([...known].flatMap(([name, { selection }]) => (selection === 'hold' ? [name] : [])));
  }
  const { stdout } = await host.query(['dpkg', '--get-selections', ...names]);
  return new Set(
    stdout.split('\n').flatMap(line => {
      const [name = '', selection] = line.split(/\s+/);
      return selection === 'hold' ? [name.replace(/:.*/, '')] : [];
    }),
  );
}

async function install(
  host: Host,
  packages: readonly PackageVersion[],
  sources: readonly Path[],
  { options, env }: Transaction,
  endPart?: (part: InstallationPart) => void,
): Promise<void> {
  const heldNames = await held(
    host,
    packages.map(({ name }) => name),
  );
  const transaction = [
    ...['apt-get', 'install', '-y', '-q', '--no-install-recommends', '--no-remove'],
    // apt-get would keep the files, some 150 MB of them.
    ...['-o', 'APT::Keep-Downloaded-Packages=false'],
    ...(heldNames.size > 0 ? ['--allow-change-held-packages'] : []),
    ...options,
    ...networkOptions,
    ...keepConfiguration.flatMap(option => ['-o', `Dpkg::Options::=${option}`]),
  ];
  const label = ({ name, version }: PackageVersion) => (version === undefined ? name : `${name}=${version}`);
  // Versions are told of HashiCorp's packages alone.
  const ours = packages.filter(({ version }) => version !== undefined).map(label);
  const others = packages.filter(({ version }) => version === undefined).map(label);
  const [hashicorp = ''] = sources;
  // What those depend on is on every machine, as a rule.
  let oursAlone = others.length === 0;

  await heal(host, env);
  if (ours.length > 0) await refreshOurs(host, [hashicorp]);
  for (let attempt = 1; ; attempt += 1) {
    if (!oursAlone && attempt === 1 && ours.length > 0) {
      // One is unpacked while the other is downloaded.
      await together([
        ahead(host, async () => {
          await runUnlocked(host, [...transaction, ...from(hashicorp), ...ours], env, transactionLocks);
          endPart?.('pinned');
        }),
        ahead(host, async () => {
          await refresh(host, sources, [listsLock]);
          // The other one holds locks that this does not need.
          await runUnlocked(
            host,
            [...transaction, '--download-only', '-o', 'Debug::NoLocking=true', ...others],
            {},
            [],
          );
          endPart?.('downloads');
        }),
      ]);
      await heal(host, env);
    } else if (!oursAlone) {
      await refresh(host, sources);
    }
    try {
      await runUnlocked(host, [...transaction, ...(oursAlone ? from(hashicorp) : []), ...packages.map(label)], env);
      // Installing a held package by its name takes its hold away.
      if (heldNames.size > 0) await host.run(['apt-mark', 'hold', ...heldNames]);
      return;
    } catch (error) {
      if (!(error instanceof BootstrapError) || error.code !== 'command-failed') throw error;
      const detail = error.detail ?? '';
      const final = isOfThisMachine(detail);
      const damaged = damagedIndexes(detail);
      for (const path of damaged) await host.remove(path);
      // HashiCorp's repository alone may not be enough: for what the packages need, or what else of this machine is to be mended.
      const more = oursAlone && !final && !ofDpkg.test(detail);
      if (more || (damaged.length > 0 && attempt < attempts)) {
        oursAlone = false;
        await host.sleep(0);
      } else if ((unfetched.test(detail) || cutOff.test(detail)) && !final && attempt < attempts) {
        await host.sleep(1000 * 2 ** (attempt - 1));
      } else {
        throw notInstalled(error);
      }
      await heal(host, env);
    }
  }
}

/** It lacks what a repository was to give: another attempt may get it. */
const unfetched = /Failed to fetch|Unable to fetch|Hash Sum mismatch|was not found|Unable to locate package/;
/** Something, such as a kernel that is short of memory, ended apt-get or its dpkg: what they left can be gone on with. */
const cutOff = /Sub-process \S*dpkg (?:received|exited unexpectedly)|apt-get was ended by SIG/;
/** A package could not be brought: what comes after it hides the cause. A dpkg that was killed says otherwise. */
const ofDpkg = /Sub-process \S*dpkg returned an error/;

/** What cannot be done ahead of time is done, or fails, when everything is there. */
async function ahead(host: Host, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof BootstrapError) || error.code !== 'command-failed') throw error;
    if (ofDpkg.test(error.detail ?? '')) throw notInstalled(error);
    // After Ctrl-C, which may be what ended it, nothing else is tried.
    await host.sleep(0);
  }
}

function notInstalled(error: BootstrapError): BootstrapError {
  return transactionFailure('apt-get', 'apt-get could not install the packages', error);
}

/** Like Promise.all, but nothing still runs when it throws. */
async function together(work: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(work);
  await Promise.all(work);
}

const networkOptions = ['-o', 'Acquire::Retries=3', '-o', 'DPkg::Lock::Timeout=60', '-o', 'Dpkg::Use-Pty=0'];

/** Downloaded indexes that apt cannot read: a refresh fetches those anew that are not there. */
function damagedIndexes(detail: string): readonly Path[] {
  if (!/Unable to parse package file|package cache file is corrupted|Problem with MergeList/.test(detail)) return [];
  return detail.match(/\/var\/lib\/apt\/lists\/[^\s/]+/g) ?? [];
}

/** Ends a transaction that was cut off, by a power loss say: nothing can be installed before. */
async function heal(host: Host, env: Transaction['env'] = {}): Promise<void> {
  const [audit, updates] = await Promise.all([host.query(['dpkg', '--audit']), host.list('/var/lib/dpkg/updates')]);
  if (audit.stdout.trim() === '' && (updates ?? []).length === 0) return;
  try {
    await runUnlocked(host, ['dpkg', ...keepConfiguration, '--configure', '-a'], env);
  } catch (error) {
    if (!(error instanceof BootstrapError) || error.code !== 'command-failed') throw error;
    throw packageNotConfigured(error, audit.stdout);
  }
}

/** The translations of all descriptions are half of what a refresh takes, and nobody reads them here; those that are there stay. */
const update = [
  ...['apt-get', 'update', '-q', '-o', 'APT::Update::Error-Mode=any'],
  ...['-o', 'Acquire::Languages=none', '-o', 'APT::Get::List-Cleanup=0'],
  ...networkOptions,
];

/** Refreshes all indexes; when that fails because of a repository that is not ours, our own are enough. */
async function refresh(host: Host, sources: readonly Path[], locks = lockFiles): Promise<void> {
  try {
    await updateIndexes(host, update, locks);
    return;
  } catch (error) {
    if (!(error instanceof BootstrapError) || error.code !== 'command-failed') throw error;
    if (isOfThisMachine(error.detail ?? '')) throw refreshFailed(error);
    // After Ctrl-C, which may be what ended it, nothing else is tried.
    await host.sleep(0);
  }
  await refreshOurs(host, sources, locks);
}

/** Damaged indexes are fetched anew: apt-get tells of one, as a rule. What comes damaged anew is so upstream. */
async function updateIndexes(
  host: Host,
  argv: readonly string[],
  locks: readonly Path[],
  fetchedAnew: readonly Path[] = [],
): Promise<void> {
  try {
    await runUnlocked(host, argv, {}, locks);
  } catch (error) {
    const damaged = error instanceof BootstrapError ? damagedIndexes(error.detail ?? '') : [];
    for (const path of damaged) await host.remove(path);
    if (damaged.every(path => fetchedAnew.includes(path))) throw error;
    await updateIndexes(host, argv, locks, [...fetchedAnew, ...damaged]);
  }
}

/** One source file alone: apt-get need not read all the others' indexes. The caches that all use are left to them. */
function from(source: Path): readonly string[] {
  return ['-o', `Dir::Etc::sourcelist=${source}`, '-o', 'Dir::Etc::sourceparts=-', ...withoutCaches];
}

async function refreshOurs(host: Host, sources: readonly Path[], locks = lockFiles): Promise<void> {
  for (const source of sources) {
    if ((await host.stat(source)) === undefined) continue;
    await refreshOne(host, [...update, ...from(source)], locks);
  }
}

async function refreshOne(host: Host, argv: readonly string[], locks: readonly Path[]): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await updateIndexes(host, argv, locks);
      return;
    } catch (error) {
      if (!(error instanceof BootstrapError) || error.code !== 'command-failed') throw error;
      const detail = error.detail ?? '';
      const final = /NO_PUBKEY|not signed|is not valid yet/.test(detail);
      if (final || isOfThisMachine(detail) || attempt === attempts) throw refreshFailed(error);
      await host.sleep(1000 * 2 ** (attempt - 1));
    }
  }
}

/** Runs once nobody holds a lock; whoever is quicker than us is waited for as well. */
async function runUnlocked(
  host: Host,
  argv: readonly string[],
  env: Transaction['env'] = {},
  paths = lockFiles,
): Promise<void> {
  const deadline = host.now().getTime() + lockDeadlineSeconds * 1000;
  for (;;) {
    await waitForPackageLock(host, {
      paths,
      deadlineSeconds: lockDeadlineSeconds,
      onWaiting: (holder, waitedSeconds) =>
        host.waiting(`waiting for ${describeHolder(holder)} to release ${holder.path}`, waitedSeconds),
    });
    try {
      await host.run(argv, { env: { ...quiet, ...env }, timeoutMs: transactionTimeoutMs });
      return;
    } catch (error) {
      const lost =
        error instanceof BootstrapError &&
        /Could not get lock|Unable to lock|locked by another process/.test(error.detail ?? '');
      if (!lost || host.now().getTime() > deadline) throw error;
      await host.sleep(2000);
    }
  }
}

/** While somebody is at work, what is still to do is theirs. */
async function triggered(host: HostReader): Promise<readonly string[]> {
  const names = parseTriggered((await host.readText('/var/lib/dpkg/status')) ?? '');
  return names.length > 0 && (await lockHolder(host, lockFiles)) === undefined ? names : [];
}

/** Those in any state but gone: also half-installed, or removed with their configuration left. */
async function present(host: HostReader, names: readonly string[]): Promise<readonly string[]> {
  if (names.length === 0) return [];
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are dpkg-query's own
  const format = '-f=${Package}\\t${db:Status-Status}\\n';
  const { stdout } = await host.query(['dpkg-query', '-W', format, ...names]);
  const found = new Set(rows(stdout).flatMap(([name, status]) => (status === 'not-installed' ? [] : [name])));
  return names.filter(name => found.has(name));
}

/** Asks apt what it would do. What it would already remove now, unasked, is not ours to remove. */
async function removal(host: HostReader, names: readonly string[], before: readonly string[]): Promise<Removal> {
  const needed: Record<string, readonly string[]> = {};
  let going = await present(host, names);
  while (going.length > 0) {
    const dependents = without(await simulatedRemovals(host, ['remove', ...going]), going);
    if (dependents.length === 0) break;
    const kept: Record<string, readonly string[]> = {};
    for (const name of going) {
      const by = without(await simulatedRemovals(host, ['remove', name]), going);
      if (by.length > 0) kept[name] = by;
    }
    if (Object.keys(kept).length === 0) break;
    Object.assign(needed, kept);
    going = without(going, Object.keys(kept));
  }
  const [unneeded, unneededThen] = await Promise.all([
    simulatedRemovals(host, ['autoremove']),
    simulatedRemovals(host, ['remove', '--auto-remove', ...going]),
  ]);
  return { packages: [...going, ...without(unneededThen, [...going, ...before, ...unneeded])], needed };
}

/**
 * A purge of Debian's docker.io deletes all containers and images with a script that its removal leaves among them: data
 * is not the package manager's to delete.
 */
async function remove(host: Host, names: readonly string[]): Promise<void> {
  const command = (verb: string) => ['apt-get', verb, '-y', '-q', '--allow-change-held-packages', ...networkOptions];
  await heal(host);
  if (names.includes('docker.io')) {
    await runUnlocked(host, [...command('remove'), ...names]);
    await host.remove('/var/lib/docker/nuke-graph-directory.sh');
  }
  await runUnlocked(host, [...command('purge'), ...names]);
}

function without(names: readonly string[], others: readonly string[]): readonly string[] {
  return names.filter(name => !others.includes(name));
}

/** A mere suggestion of another package does not keep what came along: systemd suggests a library of iptables. */
const strict = ['-o', 'APT::AutoRemove::SuggestsImportant=false'];

async function simulatedRemovals(host: HostReader, command: readonly string[]): Promise<readonly string[]> {
  const argv = ['apt-get', '-s', '--allow-change-held-packages', ...readOnly, ...strict, ...command];
  const { stdout } = await host.query(argv, { timeoutMs: 60_000 });
  return [...stdout.matchAll(/^Remv (?<name>\S+)/gm)].map(match => match.groups?.['name'] ?? '');
}

function refreshFailed(error: BootstrapError): BootstrapError {
  const detail = error.detail ?? '';
  if (/NO_PUBKEY|not signed/.test(detail)) {
    return new BootstrapError('key-not-accepted', 'apt does not accept the signature of a package repository', {
      hint: 'the signing key may have been replaced: take the newest release of nomad-bootstrap, or check the new key with its owner and name it with --hashicorp-key-fingerprint or --docker-key-fingerprint',
      detail,
      cause: error,
    });
  }
  if (isOfThisMachine(detail)) return transactionFailure('apt-get', 'apt-get cannot work on this machine', error);
  return new BootstrapError('unreachable', 'the package indexes could not be refreshed', {
    hint: "check this machine's network, DNS, clock and proxy, or name a mirror that it can reach with --mirror URL",
    detail,
    cause: error,
  });
}

/** Names the packages that stand in the way, by dpkg's audit: they need not be ours. */
function packageNotConfigured(error: BootstrapError, audit: string): BootstrapError {
  const names = [...audit.matchAll(/^ (?<name>[a-z0-9][a-z0-9.+:-]*) /gm)].map(match => match.groups?.['name'] ?? '');
  const which = names.length === 0 ? 'a package' : names.join(', ');
  const failure = transactionFailure('dpkg', `dpkg cannot configure ${which}, which it left half-done before`, error);
  if (failure.code !== 'packages-failed') return failure;
  return new BootstrapError('packages-failed', failure.message, {
    hint: `until then nothing can be installed: see dpkg --configure -a, or remove it (dpkg --purge ${names[0] ?? 'PACKAGE'}); then run the same command again`,
    detail: failure.detail,
    cause: error,
  });
}

function rows(text: string): readonly string[][] {
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => line.split('\t'));
}

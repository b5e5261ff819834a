/**
 * How what was made is taken back: the journal folded into what everything was before the first run, and a resource for
 * each thing that is not so yet. Because they are resources, the runner plans, announces and holds them to their word as it
 * does when it makes them, and a run that was cut off is continued by the next.
 */
import { digestsOf } from '../core/digests.ts';
import { BootstrapError } from '../core/errors.ts';
import type { JournalEntry } from '../core/journal.ts';
import type { FileAttributes, Host, HostReader, Path, Resource, Undo } from '../core/types.ts';
import { readUnit } from '../core/unit.ts';
import { readArchiveRecord } from './archive.ts';
import { type Departure, isUp } from './departure.ts';
import { type FormerFile, formerFile, restoreFile } from './file.ts';
import { readOpenPgpKeys } from './openpgp-keys.ts';
import { type PackageManager, type PackagesUndo, packagesId } from './packages.ts';
import { accounts, type Data, type Existing, type Residue, residueOf, withResidue } from './residue.ts';
import { readSysctl } from './sysctl.ts';

/** Every way in which a change is taken back, as the resources write it into the journal. */
type KnownUndo =
  | { readonly kind: 'files'; readonly files: readonly FormerFile[] }
  | { readonly kind: 'directory'; readonly path: Path }
  | { readonly kind: 'attributes'; readonly path: Path; readonly attributes: FileAttributes }
  | { readonly kind: 'archive'; readonly directory: Path; readonly record: Path }
  | { readonly kind: 'sysctl'; readonly key: string; readonly value?: string }
  | { readonly kind: 'kernel-module'; readonly name: string }
  | PackagesUndo
  | { readonly kind: 'package-hold'; readonly manager: PackageManager['id']; readonly names: readonly string[] }
  | ({ readonly kind: 'service'; readonly unit: string } & FormerService)
  | ({ readonly kind: 'agent'; readonly unit: AgentName } & FormerAgent)
  | PackagesRemoved;

/** Written by an uninstallation itself, so that a transaction that is cut off is continued with the same packages. */
interface PackagesRemoved extends Undo {
  readonly kind: 'packages-removed';
  readonly packages: readonly string[];
}

type AgentName = 'nomad' | 'consul';

interface FormerService {
  readonly enabled: boolean;
  readonly running: boolean;
}

interface FormerAgent {
  readonly files: readonly FormerFile[];
  readonly directories?: readonly Path[];
  readonly enabled: boolean;
  readonly active: boolean;
}

/** What all runs on this machine made, each with what it was before the first of them; the last made comes first. */
export interface Made {
  readonly files: ReadonlyMap<Path, FormerFile>;
  /** Folders that were not there. */
  readonly directories: ReadonlySet<Path>;
  /** Folders that had another mode or owner, or that a package's scripts or its removal may give one. */
  readonly attributes: ReadonlyMap<Path, FileAttributes>;
  /** Directory to record. */
  readonly archives: ReadonlyMap<Path, Path>;
  /** Value by key; `undefined` for a setting that was not there. */
  readonly sysctls: ReadonlyMap<string, string | undefined>;
  readonly modules: ReadonlySet<string>;
  /** The packages that were not there. */
  readonly packages: ReadonlySet<string>;
  readonly firstTransaction: PackagesUndo | undefined;
  /** What there was of the packages' residue. */
  readonly existing: Existing;
  readonly holds: ReadonlySet<string>;
  readonly services: ReadonlyMap<string, FormerService>;
  readonly agents: ReadonlyMap<AgentName, FormerAgent>;
  /** Packages that an uninstallation has begun to remove. */
  readonly removing: ReadonlySet<string>;
}

/** Folds the journal. Throws `journal-unknown` for an entry of a later release. */
export function whatWasMade(entries: readonly JournalEntry[]): Made {
  const made = {
    files: new Map<Path, FormerFile>(),
    directories: new Set<Path>(),
    attributes: new Map<Path, FileAttributes>(),
    archives: new Map<Path, Path>(),
    sysctls: new Map<string, string | undefined>(),
    modules: new Set<string>(),
    packages: new Set<string>(),
    firstTransaction: undefined as PackagesUndo | undefined,
    transactions: [] as PackagesUndo[],
    holds: new Set<string>(),
    services: new Map<string, FormerService>(),
    agents: new Map<AgentName, FormerAgent>(),
    removing: new Set<string>(),
  };
  // From the last to the first, so that the first former state is what remains.
  for (const { id, undo } of entries.toReversed()) {
    const known = undo as KnownUndo;
    switch (known.kind) {
      case 'files':
        for (const file of known.files) made.files.set(file.path, file);
        break;
      case 'directory':
        made.directories.add(known.path);
        made.attributes.delete(known.path);
        break;
      case 'attributes':
        made.attributes.set(known.path, known.attributes);
        break;
      case 'archive':
        made.archives.set(known.directory, known.record);
        break;
      case 'sysctl':
        made.sysctls.set(known.key, known.value);
        break;
      case 'kernel-module':
        made.modules.add(known.name);
        break;
      case 'packages':
        foldPackages(made, known);
        made.firstTransaction = known;
        made.transactions.unshift(known);
        break;
      case 'package-hold':
        for (const name of known.names) made.holds.add(name);
        break;
      case 'service':
        made.services.set(known.unit, { enabled: known.enabled, running: known.running });
        break;
      case 'agent': {
        const later = made.agents.get(known.unit);
        for (const file of known.files) made.files.set(file.path, file);
        for (const path of known.directories ?? []) made.directories.add(path);
        made.agents.set(known.unit, {
          files: [...known.files, ...(later?.files ?? [])],
          enabled: known.enabled,
          active: known.active,
        });
        break;
      }
      case 'packages-removed':
        for (const name of known.packages) made.removing.add(name);
        break;
      default:
        throw new BootstrapError(
          'journal-unknown',
          `the journal has an entry (${id}) that this release does not know`,
          {
            hint: 'uninstall with the release of nomad-bootstrap that was used on this machine last, or a later one',
          },
        );
    }
  }
  const { transactions, ...rest } = made;
  return { ...rest, existing: existingBefore(transactions) };
}

/** Of each package's residue, what there was before the first transaction that brought it. */
function existingBefore(transactions: readonly PackagesUndo[]): Existing {
  const seen = new Set<string>();
  const first = transactions.map(({ names, existing }) => {
    const residues = withResidue(names)
      .filter(name => !seen.has(name))
      .map(residueOf);
    for (const name of withResidue(names)) seen.add(name);
    const isOf = (path: Path) => residues.some(residue => foldersOf(residue).some(folder => isWithin(path, folder)));
    return {
      users: existing.users.filter(user => residues.some(({ users = [] }) => users.includes(user))),
      groups: existing.groups.filter(group => residues.some(({ groups = [] }) => groups.includes(group))),
      directories: existing.directories.filter(({ path }) => isOf(path)),
      files: existing.files.filter(({ path }) => isOf(path)),
    };
  });
  return {
    users: first.flatMap(({ users }) => users),
    groups: first.flatMap(({ groups }) => groups),
    directories: first.flatMap(({ directories }) => directories),
    files: first.flatMap(({ files }) => files),
  };
}

function foldersOf({ configuration = [], directories = [], data = [] }: Residue): readonly Path[] {
  return [...configuration, ...directories, ...data.map(({ path }) => path)];
}

function isWithin(path: Path, folder: Path): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** Whatever a package's folders of configuration did not have before it came was not there, whoever changed it later. */
function foldPackages(
  made: { files: Map<Path, FormerFile>; attributes: Map<Path, FileAttributes>; packages: Set<string> },
  { names, existing }: PackagesUndo,
): void {
  const residues = withResidue(names).map(residueOf);
  const folders = residues.flatMap(({ configuration = [] }) => configuration);
  const isConfiguration = (path: Path) => folders.some(folder => isWithin(path, folder));
  for (const path of made.files.keys()) if (isConfiguration(path)) made.files.set(path, { path });
  for (const path of residues.flatMap(foldersOf)) made.attributes.delete(path);
  for (const file of existing.files) made.files.set(file.path, file);
  for (const { path, attributes } of existing.directories) {
    if (isConfiguration(path)) made.attributes.set(path, attributes);
  }
  for (const name of names) made.packages.add(name);
}

/** All that the undoing resources know. */
export interface Undoing {
  readonly made: Made;
  /** Absent where no packages were installed. */
  readonly manager: PackageManager | undefined;
  /** All packages that are there and that go. */
  readonly packages: readonly string[];
  /** Packages that were brought, or came along, and that stay. */
  readonly staying: ReadonlySet<string>;
  readonly purgeData: boolean;
  readonly departures: Readonly<Record<AgentName, Departure>>;
  /** For what stays, and why. */
  readonly remark: (message: string) => void;
}

const undone: Undo = { kind: 'undone' };
const toRoot = 'root:root';

/** Whether the package was brought, or came along, and is gone when all is done. */
export function isGoing({ made, staying }: Undoing, name: string): boolean {
  return (made.packages.has(name) || withResidue([...made.packages]).includes(name)) && !staying.has(name);
}

/** Whether a file needs no more than {@link formerAgent}: not so one that was there and that a package's removal deletes. */
export function isLeftToItsAgent(undoing: Undoing, file: FormerFile): boolean {
  const agent = [...undoing.made.agents].find(([, { files }]) => files.some(({ path }) => path === file.path));
  return agent !== undefined && !(wasThere(file) && isGoing(undoing, agent[0]));
}

/** An agent that left its cluster, neither runs nor is enabled, and has no configuration of ours; or is what it was before. */
export function formerAgent(name: AgentName, undoing: Undoing): Resource {
  const former = undoing.made.agents.get(name);
  const going = isGoing(undoing, name);
  const wanted = !going && former !== undefined ? former : { enabled: false, active: false };
  // The first of a path is the oldest. Of a package that stays, its own stock configuration is put back.
  const files = (former?.files ?? []).filter((file, at, all) => all.findIndex(({ path }) => path === file.path) === at);
  const departure = undoing.departures[name];
  return {
    id: `agent:${name}`,
    async plan(host) {
      const [unit, stale] = await Promise.all([readUnit(host, name), staleFiles(host, undoing.made, files, going)]);
      const up = isUp(unit.activeState);
      const restart = wanted.active && (!up || stale.length > 0);
      const verbs = [
        ...(up && !wanted.active ? [...(await departure.plan(host)), 'stop'] : []),
        ...(unit.enabled && !wanted.enabled ? ['disable'] : []),
        ...(stale.length > 0 ? [going ? 'unconfigure' : 'reconfigure'] : []),
        ...(!unit.enabled && wanted.enabled ? ['enable'] : []),
        ...(restart ? ['restart'] : []),
      ];
      if (verbs.length === 0) return undefined;
      return {
        summary: `${verbs.join(', ')} ${name}`,
        ...(stale.length === 0 ? {} : { diff: stale.map(listed).join('') }),
        undo: undone,
        async apply(target) {
          const systemctl = (...words: string[]) => target.run(['systemctl', ...words], { timeoutMs: 120_000 });
          if (up && !wanted.active) {
            await departure.guard(target);
            await departure.leave(target);
            await systemctl('stop', `${name}.service`);
            // Stopped by a signal, it counts as failed.
            await systemctl('reset-failed', `${name}.service`).catch(() => undefined);
          }
          if (unit.enabled && !wanted.enabled) await systemctl('disable', '--quiet', `${name}.service`);
          for (const file of stale) await restoreFile(target, file);
          if (stale.some(({ path }) => path.startsWith('/etc/systemd/'))) await systemctl('daemon-reload');
          if (!unit.enabled && wanted.enabled) await systemctl('enable', '--quiet', `${name}.service`);
          if (restart) await systemctl('restart', `${name}.service`);
        },
      };
    },
  };
}

/** Of an agent that goes, even files that will be put back are taken away first: rpm would rename them. */
async function staleFiles(
  host: HostReader,
  made: Made,
  files: readonly FormerFile[],
  going: boolean,
): Promise<readonly FormerFile[]> {
  const differing: FormerFile[] = [];
  for (const file of files) {
    const { path } = file;
    const wanted = going ? (made.files.get(path) ?? { path }) : file;
    const now = await formerFile(host, path);
    if (!isSame(now, wanted) && (!going || wasThere(now))) differing.push(going ? { path } : wanted);
  }
  return differing;
}

function listed({ path }: FormerFile): string {
  return `${path}\n`;
}

/** The units of a container engine that goes are stopped first: a package's removal leaves containers running. */
export function engineStopped(unit: string): Resource {
  return {
    id: `service:${unit}`,
    async plan(host) {
      if (!isUp((await readUnit(host, unit)).activeState)) return undefined;
      return {
        summary: `stop ${unit}`,
        undo: undone,
        async apply(target) {
          await target.run(['systemctl', 'stop', unit], { timeoutMs: 180_000 });
          await target.run(['systemctl', 'reset-failed', unit]).catch(() => undefined);
        },
      };
    },
  };
}

/** A service whose package stays is enabled and runs as it did. */
export function formerService(unit: string, former: FormerService): Resource {
  return {
    id: `service:${unit.replace(/\.service$/, '')}`,
    async plan(host) {
      const { exists, enabled, activeState } = await readUnit(host, unit);
      const running = isUp(activeState);
      const verbs = [
        ...(enabled === former.enabled ? [] : [former.enabled ? 'enable' : 'disable']),
        ...(running === former.running ? [] : [former.running ? 'start' : 'stop']),
      ];
      if (!exists || verbs.length === 0) return undefined;
      return {
        summary: `${verbs.join(' and ')} ${unit}, as before`,
        undo: undone,
        async apply(target) {
          for (const verb of verbs) await target.run(['systemctl', verb, unit], { timeoutMs: 180_000 });
        },
      };
    },
  };
}

/** A bridge that a program made for containers, and that nothing is left to use. */
export function interfaceGone(name: string): Resource {
  return {
    id: `interface:${name}`,
    async plan(host) {
      if ((await host.stat(`/sys/class/net/${name}/bridge`)) === undefined) return undefined;
      return {
        summary: `remove the network interface ${name}`,
        undo: undone,
        async apply(target) {
          await target.run(['ip', 'link', 'delete', name]);
        },
      };
    },
  };
}

/** Data of a package that goes: deleted where that was asked for, else closed to all but root when its user goes. */
export function formerData({ path, own }: Data, users: readonly string[], undoing: Undoing): Resource {
  const { purgeData, remark } = undoing;
  const existing = existingDirectories(undoing).get(path);
  const attributes = existing ?? { mode: 0o700, owner: toRoot };
  return {
    id: `data:${path}`,
    async plan(host) {
      const entries = await host.list(path);
      if (entries === undefined) return undefined;
      const unwanted = purgeData ? entries.filter(entry => own === undefined || own.includes(entry)) : [];
      const rest = entries.filter(entry => !unwanted.includes(entry));
      const removable = rest.length === 0 && existing === undefined;
      if (unwanted.length > 0 || removable) {
        if (rest.length > 0) remark(`${path} keeps what is not nomad-bootstrap's: ${rest.join(', ')}`);
        return {
          summary: unwanted.length === 0 ? `remove the empty ${path}` : `delete the data in ${path}`,
          ...(unwanted.length === 0 ? {} : { diff: unwanted.map(entry => `${path}/${entry}\n`).join('') }),
          undo: undone,
          async apply(target) {
            for (const entry of unwanted) await removeTree(target, `${path}/${entry}`);
            if (removable) await target.remove(path);
            else if (existing !== undefined) await target.setAttributes(path, existing);
          },
        };
      }
      if (rest.length > 0) remark(`kept: the data in ${path}`);
      const stat = await host.stat(path);
      if (stat === undefined || stat.owner === attributes.owner) return undefined;
      if (!users.includes(stat.owner.split(':')[0] ?? '')) return undefined;
      return {
        summary: `give ${path} to ${attributes.owner}, since its user goes`,
        undo: undone,
        apply: target => target.setAttributes(path, attributes),
      };
    },
  };
}

/** Tasks leave mounts behind (their secrets, for one): these go first, the innermost before the others. */
async function removeTree(host: Host, path: Path): Promise<void> {
  const mounts = ((await host.readText('/proc/self/mountinfo')) ?? '')
    .split('\n')
    .map(line => unescaped(line.split(' ')[4] ?? ''))
    .filter(mount => mount.startsWith(`${path}/`));
  for (const mount of mounts.toReversed()) await host.run(['umount', mount]);
  await host.remove(path);
}

/** The kernel writes a space as \040. */
function unescaped(text: string): string {
  return text.replace(/\\(?<octal>[0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Packages that stay and were not held are free again. */
export function holdReleased(manager: PackageManager, names: readonly string[]): Resource {
  return {
    id: `package-hold:${names.join(',')}`,
    async plan(host) {
      const held = [...(await manager.held(host, names))];
      if (held.length === 0 || manager.holding === undefined) return undefined;
      const { release } = manager.holding;
      return {
        summary: `let upgrades have ${held.join(' and ')} again`,
        undo: undone,
        apply: target => release(target, held),
      };
    },
  };
}

/** The packages that go, and the folders that they leave behind empty. */
export function packagesGone(manager: PackageManager, undoing: Undoing): Resource {
  const { packages, remark } = undoing;
  return {
    id: packagesId(manager),
    async plan(host) {
      const present = await manager.present(host, packages);
      const tidying = await whatIsLeft(host, undoing);
      if (present.length === 0 && tidying.empty.length === 0 && tidying.orphans.length === 0) return undefined;
      return {
        summary: present.length === 0 ? 'tidy up after the removed packages' : `remove ${present.join(', ')}`,
        undo: { kind: 'packages-removed', packages: present } satisfies PackagesRemoved,
        async apply(target) {
          if (present.length > 0) await manager.remove(target, present);
          const { empty, orphans, kept } = await whatIsLeft(target, undoing);
          for (const path of empty) await target.remove(path);
          for (const { path, mode } of orphans) await target.setAttributes(path, { mode, owner: toRoot });
          for (const [folder, names] of kept)
            remark(`${folder} keeps what is not nomad-bootstrap's: ${names.join(', ')}`);
        },
      };
    },
  };
}

interface Leftovers {
  /** Folders to remove, inner ones first. */
  readonly empty: readonly Path[];
  /** Files whose user goes, or is gone already and only a number. */
  readonly orphans: readonly { readonly path: Path; readonly mode: number }[];
  readonly kept: ReadonlyMap<Path, readonly string[]>;
}

async function whatIsLeft(host: HostReader, undoing: Undoing): Promise<Leftovers> {
  const existed = existingDirectories(undoing);
  const empty: Path[] = [];
  const orphans: { path: Path; mode: number }[] = [];
  const kept = new Map<Path, readonly string[]>();
  for (const { users = [], configuration = [], directories = [] } of goingResidues(undoing)) {
    for (const path of [...configuration, ...directories].filter(path => !existed.has(path))) {
      const names = ((await host.list(path)) ?? ['']).filter(name => !empty.includes(`${path}/${name}`));
      if (names.length === 0) empty.push(path);
      if (names.length === 0 || names[0] === '' || !configuration.includes(path)) continue;
      kept.set(path, names);
      for (const inside of [path, ...names.map(name => `${path}/${name}`)]) {
        const stat = await host.stat(inside);
        const user = stat?.owner.split(':')[0] ?? '';
        if (stat !== undefined && (users.includes(user) || /^\d+$/.test(user))) {
          orphans.push({ path: inside, mode: stat.mode });
        }
      }
    }
  }
  return { empty, orphans, kept };
}

/** A user that a package's script made, with its group. On Debian, purging the package does the same. */
export function userGone(name: string): Resource {
  return accountGone('user', name, '/etc/passwd', 'userdel');
}

/** A group that a package's script made. */
export function groupGone(name: string): Resource {
  return accountGone('group', name, '/etc/group', 'groupdel');
}

function accountGone(
  kind: 'user' | 'group',
  name: string,
  database: '/etc/passwd' | '/etc/group',
  program: string,
): Resource {
  return {
    id: `${kind}:${name}`,
    async plan(host) {
      if (!(await accounts(host, database)).has(name)) return undefined;
      return {
        summary: `delete the ${kind} ${name}`,
        undo: undone,
        async apply(target) {
          await target.run([program, name]);
        },
      };
    },
  };
}

/** Keys from files of ours that the package manager did not know before, out of its own store. */
export function keysGone(
  manager: PackageManager,
  keyring: NonNullable<PackageManager['keyring']>,
  { made }: Undoing,
): Resource {
  const known = new Set(made.firstTransaction?.keys);
  return {
    id: `package-keys:${manager.id}`,
    async plan(host) {
      const ours = await fingerprints(host, made);
      // The id begins with the end of the fingerprint, or with all of it.
      const keys = (await keyring.keys(host)).filter(
        key => !known.has(key) && ours.some(fingerprint => fingerprint.endsWith(key.split('-')[0] ?? '-')),
      );
      if (keys.length === 0) return undefined;
      return {
        summary: `no longer trust the signing ${keys.length === 1 ? 'key' : 'keys'} ${keys.join(' and ')}`,
        undo: undone,
        apply: target => keyring.remove(target, keys),
      };
    },
  };
}

async function fingerprints(host: HostReader, { files }: Made): Promise<readonly string[]> {
  const found: string[] = [];
  for (const path of files.keys()) {
    if (!/key/i.test(path)) continue;
    const content = await host.readFile(path);
    if (content === undefined) continue;
    const keys = await readOpenPgpKeys(content).catch(() => []);
    found.push(...keys.map(({ fingerprint }) => fingerprint.toLowerCase()));
  }
  return found;
}

/** A file as it was, or not there. `disturbedBy`: a resource whose change may take a file along that was there. */
export function fileAsItWas(wanted: FormerFile, disturbedBy?: string): Resource {
  const { path } = wanted;
  const cutOff = temporaryOf(path);
  return {
    id: `file:${path}`,
    async plan(host, before) {
      const [now, temporary] = await Promise.all([formerFile(host, path), host.stat(cutOff)]);
      const disturbed = wasThere(wanted) && disturbedBy !== undefined && before.has(disturbedBy);
      if (isSame(now, wanted) && temporary === undefined && !disturbed) return undefined;
      return {
        summary: wasThere(wanted) ? `put back ${path}` : `remove ${path}`,
        undo: undone,
        async apply(target) {
          if (temporary !== undefined) await target.remove(cutOff);
          if (!isSame(now, wanted)) await restoreFile(target, wanted);
        },
      };
    },
  };
}

/** Where a write that was cut off leaves its half: see host/files.ts. */
function temporaryOf(path: Path): Path {
  return `${path.slice(0, path.lastIndexOf('/'))}/.${path.slice(path.lastIndexOf('/') + 1)}.nomad-bootstrap-new`;
}

function wasThere({ former, formerLink }: FormerFile): boolean {
  return former !== undefined || formerLink !== undefined;
}

function isSame(a: FormerFile, b: FormerFile): boolean {
  return (
    a.formerLink === b.formerLink &&
    a.former?.contentBase64 === b.former?.contentBase64 &&
    a.former?.attributes.mode === b.former?.attributes.mode &&
    a.former?.attributes.owner === b.former?.attributes.owner
  );
}

/** A folder with the mode and owner that it had. `disturbedBy`: a resource whose change may remove it when it is empty. */
export function directoryAsItWas(path: Path, attributes: FileAttributes, disturbedBy?: string): Resource {
  return {
    id: `directory:${path}`,
    async plan(host, before) {
      const stat = await host.stat(path);
      const right = stat?.mode === attributes.mode && stat.owner === attributes.owner;
      if (right && !(disturbedBy !== undefined && before.has(disturbedBy))) return undefined;
      return {
        summary: `give ${path} its former mode and owner`,
        undo: undone,
        apply: target => target.makeDirectory(path, attributes),
      };
    },
  };
}

/** No such folder, unless something lies in it that is not ours: that is named. */
export function directoryGone(path: Path, { made, remark }: Undoing): Resource {
  return {
    id: `directory:${path}`,
    async plan(host) {
      const names = await host.list(path);
      if (names === undefined) return undefined;
      const record = made.archives.get(path);
      const unpacked = record === undefined ? undefined : await readArchiveRecord(host, record);
      const foreign = names.filter(name => {
        const inside = `${path}/${name}`;
        if (made.directories.has(inside) || name.endsWith('.nomad-bootstrap-new')) return false;
        const file = made.files.get(inside);
        return file === undefined ? unpacked?.files[name] === undefined : wasThere(file);
      });
      if (foreign.length > 0) {
        remark(`${path} keeps what is not nomad-bootstrap's: ${foreign.join(', ')}`);
        return undefined;
      }
      return { summary: `remove ${path}`, undo: undone, apply: target => target.remove(path) };
    },
  };
}

/** The files of an archive are gone, but for those that somebody has changed since; what they replaced is back. */
export function archiveGone(directory: Path, record: Path, { remark }: Undoing): Resource {
  return {
    id: `archive:${directory}`,
    async plan(host) {
      const recorded = await readArchiveRecord(host, record);
      const names = Object.keys(recorded?.files ?? {});
      const digests = await digestsOf(
        host,
        names.map(name => `${directory}/${name}`),
      );
      const former = recorded?.former ?? {};
      const ours = names.filter(name => {
        const digest = digests.get(`${directory}/${name}`);
        const changed = digest !== undefined && digest !== recorded?.files[name];
        if (changed && former[name] === undefined) remark(`${directory}/${name} stays: it was changed`);
        return digest !== undefined && !changed && (former[name] === undefined || former[name]?.saved !== undefined);
      });
      const halves = ((await host.list(directory)) ?? []).filter(name => name.endsWith('.nomad-bootstrap-new'));
      if (ours.length === 0 && halves.length === 0) return undefined;
      return {
        summary: `remove what was unpacked into ${directory}`,
        diff: ours.map(name => `${directory}/${name}\n`).join(''),
        undo: undone,
        async apply(target) {
          for (const name of halves) await target.remove(`${directory}/${name}`);
          for (const name of ours) {
            const { attributes, saved } = former[name] ?? {};
            const content = saved === undefined ? undefined : await target.readFile(saved);
            if (content === undefined || attributes === undefined) await target.remove(`${directory}/${name}`);
            else await target.writeFile(`${directory}/${name}`, content, attributes);
          }
        },
      };
    },
  };
}

const sysctlFolders = [
  '/etc/sysctl.d',
  '/run/sysctl.d',
  '/usr/local/lib/sysctl.d',
  '/usr/lib/sysctl.d',
  '/lib/sysctl.d',
];

/** A kernel setting with its former value, unless somebody else's file asks for the present one. */
export function formerSysctl(key: string, value: string, { made, remark }: Undoing): Resource {
  return {
    id: `sysctl:${key}`,
    async plan(host) {
      const now = await readSysctl(host, key);
      if (now === undefined || now === value) return undefined;
      const other = await fileThatSets(host, key, made);
      if (other !== undefined) {
        remark(`${key} stays ${now}: ${other} sets it`);
        return undefined;
      }
      return {
        summary: `set ${key} = ${value}, as before`,
        diff: `${key}: ${now} -> ${value}\n`,
        undo: undone,
        async apply(target) {
          await target.run(['sysctl', '-qw', `${key}=${value}`]);
        },
      };
    },
  };
}

async function fileThatSets(host: HostReader, key: string, { files }: Made): Promise<Path | undefined> {
  const pattern = new RegExp(`^\\s*-?${key.replaceAll('.', '[./]')}\\s*=`, 'm');
  const paths = ['/etc/sysctl.conf'];
  for (const folder of sysctlFolders) {
    for (const name of (await host.list(folder)) ?? []) if (name.endsWith('.conf')) paths.push(`${folder}/${name}`);
  }
  for (const path of paths) {
    const former = files.get(path);
    if (former !== undefined && !wasThere(former)) continue;
    if (pattern.test((await host.readText(path)) ?? '')) return path;
  }
  return undefined;
}

/** A module is unloaded if nothing uses it; else it goes with the next boot, since nothing asks for it any more. */
export function moduleGone(name: string, { remark }: Undoing): Resource {
  let tried = false;
  return {
    id: `kernel-module:${name}`,
    async plan(host) {
      // Built in, it has no such file.
      if (tried || (await host.stat(`/sys/module/${name}/initstate`)) === undefined) return undefined;
      return {
        summary: `unload the kernel module ${name}`,
        undo: undone,
        async apply(target) {
          tried = true;
          await target
            .run(['modprobe', '-r', name])
            .catch(() => remark(`the kernel module ${name} is in use: it goes with the next boot`));
        },
      };
    },
  };
}

/** A folder of this program's own, with all that is in it. */
export function ownFolderGone(path: Path): Resource {
  return {
    id: `directory:${path}`,
    async plan(host) {
      if ((await host.stat(path)) === undefined) return undefined;
      return { summary: `remove ${path}`, undo: undone, apply: target => target.remove(path) };
    },
  };
}

/** The residues of all packages that go. */
export function goingResidues(undoing: Undoing): readonly Residue[] {
  const going = withResidue([...undoing.made.packages]).filter(name => isGoing(undoing, name));
  return [...new Set(going.map(residueOf))];
}

/** Whether there was an account before the package came that makes it. */
export function existed({ made }: Undoing, kind: 'users' | 'groups', name: string): boolean {
  return made.existing[kind].includes(name);
}

function existingDirectories({ made }: Undoing): ReadonlyMap<Path, FileAttributes> {
  return new Map(made.existing.directories.map(({ path, attributes }) => [path, attributes]));
}

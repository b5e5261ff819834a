/**
 * How what was made is taken back: the journal folded into what everything was before the first run, and a resource for
 * each thing that is not so yet. Because they are resources, the runner plans, announces and holds them to their word as it
 * does when it makes them, and a run that was cut off is continued by the next.
 */
import * as z from 'zod';
import { BootstrapError } from '../core/errors.ts';
import type { JournalEntry } from '../core/journal.ts';
import type { FileAttributes, Path, Undo } from '../core/types.ts';
import type { Departure } from './departure.ts';
import { type FormerFile, wasThere } from './file.ts';
import type { OpenedRule } from './firewall.ts';
import type { PackageManager, PackagesUndo } from './packages.ts';
import { type Existing, type Residue, residueOf, withResidue } from './residue.ts';

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
  | { readonly kind: 'firewall'; readonly opened: readonly OpenedRule[] }
  | ({ readonly kind: 'agent'; readonly unit: AgentName } & FormerAgent)
  // A cluster's own: no node takes it away.
  | { readonly kind: 'none' }
  | PackagesRemoved;

/** Written by an uninstallation itself, so that a transaction that is cut off is continued with the same packages. */
export interface PackagesRemoved extends Undo {
  readonly kind: 'packages-removed';
  readonly packages: readonly string[];
}

const attributes = z.object({ mode: z.number(), owner: z.string() });
const formerFiles = z.array(
  z.object({
    path: z.string(),
    former: z.object({ contentBase64: z.string(), attributes }).optional(),
    formerLink: z.string().optional(),
  }),
);
const strings = z.array(z.string());
const firewallRule = z.object({
  protocol: z.enum(['tcp', 'udp']),
  first: z.number(),
  last: z.number(),
  from: z.string(),
  to: z.string(),
});

/** The same as they are read: a journal may be of a later release, or damaged. */
const knownUndo = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('files'), files: formerFiles }),
  z.object({ kind: z.literal('directory'), path: z.string() }),
  z.object({ kind: z.literal('attributes'), path: z.string(), attributes }),
  z.object({ kind: z.literal('archive'), directory: z.string(), record: z.string() }),
  z.object({ kind: z.literal('sysctl'), key: z.string(), value: z.string().optional() }),
  z.object({ kind: z.literal('kernel-module'), name: z.string() }),
  z.object({
    kind: z.literal('packages'),
    manager: z.enum(['apt', 'dnf']),
    names: strings,
    before: strings,
    keys: strings.optional(),
    existing: z.object({
      users: strings,
      groups: strings,
      directories: z.array(z.object({ path: z.string(), attributes })),
      files: formerFiles,
    }),
  }),
  z.object({ kind: z.literal('package-hold'), names: strings }),
  z.object({ kind: z.literal('service'), unit: z.string(), enabled: z.boolean(), running: z.boolean() }),
  z.object({
    kind: z.literal('agent'),
    unit: z.enum(['nomad', 'consul']),
    files: formerFiles,
    directories: strings.optional(),
    folders: z.array(z.object({ path: z.string(), attributes })).optional(),
    enabled: z.boolean(),
    active: z.boolean(),
  }),
  z.object({
    kind: z.literal('firewall'),
    opened: z.array(
      z.object({ manager: z.enum(['ufw', 'firewalld']), zone: z.string().optional(), rule: firewallRule }),
    ),
  }),
  z.object({ kind: z.literal('none') }),
  z.object({ kind: z.literal('packages-removed'), packages: strings }),
]);

export type AgentName = 'nomad' | 'consul';

export interface FormerService {
  readonly enabled: boolean;
  readonly running: boolean;
}

interface FormerAgent {
  readonly files: readonly FormerFile[];
  readonly directories?: readonly Path[];
  /** Folders that had another mode or owner. */
  readonly folders?: readonly { readonly path: Path; readonly attributes: FileAttributes }[];
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
  /** Rules in the distribution's firewall. */
  readonly firewall: readonly OpenedRule[];
  /** Packages that an uninstallation has begun to remove. */
  readonly removing: ReadonlySet<string>;
}

/** Folds the journal. Throws `journal-unknown` for an entry that this release does not understand. */
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
    firewall: [] as OpenedRule[],
    removing: new Set<string>(),
  };
  // From the last to the first, so that the first former state is what remains.
  for (const { id, undo } of entries.toReversed()) {
    if (!knownUndo.safeParse(undo).success) throw notUnderstood(id);
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
        for (const { path, attributes } of known.folders ?? []) made.attributes.set(path, attributes);
        made.agents.set(known.unit, {
          files: [...known.files, ...(later?.files ?? [])],
          enabled: known.enabled,
          active: known.active,
        });
        break;
      }
      case 'firewall':
        // An entry of a run that was repeated names a rule again.
        for (const opened of known.opened) {
          if (!made.firewall.some(other => JSON.stringify(other) === JSON.stringify(opened)))
            made.firewall.push(opened);
        }
        break;
      case 'none':
        break;
      case 'packages-removed':
        for (const name of known.packages) made.removing.add(name);
        break;
    }
  }
  const { transactions, ...rest } = made;
  return { ...rest, existing: existingBefore(transactions) };
}

function notUnderstood(id: string | undefined): BootstrapError {
  return new BootstrapError(
    'journal-unknown',
    `the journal has an entry (${id ?? 'without a name'}) that this release does not understand`,
    {
      hint: 'uninstall with the release of nomad-bootstrap that was used on this machine last, or a later one; where that is this one, the journal is damaged: put it back from a backup',
    },
  );
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

/** Whether `path` is the folder or lies in it, at any depth. */
export function isWithin(path: Path, folder: Path): boolean {
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

/** What takes back a taking back: nothing, since the journal already says what was there. */
export const undone: Undo = { kind: 'undone' };

/** Whether the package was brought, or came along, and is gone when all is done. */
export function isGoing({ made, staying }: Undoing, name: string): boolean {
  return (made.packages.has(name) || withResidue([...made.packages]).includes(name)) && !staying.has(name);
}

/** Whether a file needs no more than {@link formerAgent}: not so one that was there and that a package's removal deletes. */
export function isLeftToItsAgent(undoing: Undoing, file: FormerFile): boolean {
  const agent = [...undoing.made.agents].find(([, { files }]) => files.some(({ path }) => path === file.path));
  return agent !== undefined && !(wasThere(file) && isGoing(undoing, agent[0]));
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

/** The folders of packages' residue that were there before, with what they were. */
export function existingDirectories({ made }: Undoing): ReadonlyMap<Path, FileAttributes> {
  return new Map(made.existing.directories.map(({ path, attributes }) => [path, attributes]));
}

import type { FileAttributes, HostReader, Path } from '../core/types.ts';
import { type FormerFile, formerFile } from './file.ts';

/** Files below a folder that an agent or an engine writes while it runs. */
export interface Data {
  readonly path: Path;
  /** What is its own, relative to `path`; anything else there is somebody else's. Absent: all of it. */
  readonly own?: readonly string[];
}

/** What a package, its scripts and its programs make beside the files that the package manager knows and removes. */
export interface Residue {
  /** Made by a script of the package; on one family or the other nothing removes them. */
  readonly users?: readonly string[];
  readonly groups?: readonly string[];
  /** Folders whose files the package's scripts give to its user, and its removal may delete or rename. */
  readonly configuration?: readonly Path[];
  /** Folders that are left behind empty; inner ones first. */
  readonly directories?: readonly Path[];
  readonly data?: readonly Data[];
  /** Network interfaces that stay until the next boot. */
  readonly interfaces?: readonly string[];
}

const containerd: Residue = {
  configuration: ['/etc/containerd'],
  directories: ['/opt/containerd/bin', '/opt/containerd/lib', '/opt/containerd'],
  data: [{ path: '/var/lib/containerd' }],
};

const docker: Residue = {
  groups: ['docker'],
  configuration: ['/etc/docker'],
  data: [{ path: '/var/lib/docker' }],
  interfaces: ['docker0'],
};

/** Seen on Debian 12 and 13 and with the packages' rpms; sources: the packages' own scripts, and what the programs write. */
const residues: Readonly<Record<string, Residue>> = {
  nomad: {
    users: ['nomad'],
    configuration: ['/etc/nomad.d'],
    directories: ['/usr/share/doc/nomad', '/opt/nomad'],
    data: [
      // Beside these, `plugins` and `host_volume_plugins` hold an operator's programs.
      {
        path: '/opt/nomad/data',
        own: [
          ...['alloc', 'checkpoint-signature', 'client', 'drained-by-nomad-bootstrap', 'host_volumes', 'server', 'tmp'],
        ],
      },
      { path: '/opt/nomad/alloc_mounts' },
    ],
    interfaces: ['nomad'],
  },
  consul: {
    users: ['consul'],
    configuration: ['/etc/consul.d'],
    directories: ['/usr/share/doc/consul'],
    data: [
      {
        path: '/opt/consul',
        own: [
          ...['acl-tokens.json', 'auto-config.json', 'checkpoint-signature', 'checks', 'node-id', 'proxy', 'raft'],
          ...['serf', 'server_metadata.json', 'services', 'tmp'],
        ],
      },
    ],
  },
  'docker-ce': docker,
  'containerd.io': containerd,
  // The distributions' engines bring containerd along.
  'docker.io': docker,
  'moby-engine': docker,
  containerd,
};

const broughtAlong: Readonly<Record<string, readonly string[]>> = {
  'docker.io': ['containerd'],
  'moby-engine': ['containerd'],
};

/** What of {@link Residue} there was already before a package came, with all that a removal could spoil. */
export interface Existing {
  readonly users: readonly string[];
  readonly groups: readonly string[];
  readonly directories: readonly { readonly path: Path; readonly attributes: FileAttributes }[];
  /** Everything in the folders of configuration. */
  readonly files: readonly FormerFile[];
}

/** The packages with a residue that come when `names` are installed. */
export function withResidue(names: readonly string[]): readonly string[] {
  return [...names, ...names.flatMap(name => broughtAlong[name] ?? [])].filter(name => Object.hasOwn(residues, name));
}

/** The residue of one of {@link withResidue}'s packages. */
export function residueOf(name: string): Residue {
  return residues[name] ?? {};
}

/** Looks for all that the packages could leave behind, before they are there. */
export async function existingResidue(host: HostReader, names: readonly string[]): Promise<Existing> {
  const found = withResidue(names).map(residueOf);
  const [users, groups] = await Promise.all([accounts(host, '/etc/passwd'), accounts(host, '/etc/group')]);
  const paths = found.flatMap(({ configuration = [], directories = [], data = [] }) => [
    ...configuration,
    ...directories,
    ...data.map(({ path }) => path),
  ]);
  const configuration = await Promise.all(
    found.flatMap(residue => residue.configuration ?? []).map(path => everythingIn(host, path)),
  );
  return {
    users: found.flatMap(residue => residue.users ?? []).filter(user => users.has(user)),
    groups: found.flatMap(residue => residue.groups ?? []).filter(group => groups.has(group)),
    directories: [
      ...(await existingDirectories(host, [...new Set(paths)])),
      ...configuration.flatMap(({ directories }) => directories),
    ],
    files: configuration.flatMap(({ files }) => files),
  };
}

/** The names in /etc/passwd or /etc/group. */
export async function accounts(host: HostReader, database: '/etc/passwd' | '/etc/group'): Promise<ReadonlySet<string>> {
  const text = (await host.readText(database)) ?? '';
  return new Set(text.split('\n').map(line => line.split(':')[0] ?? ''));
}

async function existingDirectories(host: HostReader, paths: readonly Path[]): Promise<Existing['directories']> {
  const stats = await Promise.all(paths.map(async path => ({ path, stat: await host.stat(path) })));
  return stats.flatMap(({ path, stat }) =>
    stat?.kind === 'directory' ? [{ path, attributes: { mode: stat.mode, owner: stat.owner } }] : [],
  );
}

async function everythingIn(host: HostReader, folder: Path): Promise<Pick<Existing, 'directories' | 'files'>> {
  const paths = ((await host.list(folder)) ?? []).map(name => `${folder}/${name}`);
  const directories = await existingDirectories(host, paths);
  const files = paths.filter(path => !directories.some(directory => directory.path === path));
  const deeper = await Promise.all(directories.map(({ path }) => everythingIn(host, path)));
  return {
    directories: [...directories, ...deeper.flatMap(inner => inner.directories)],
    files: [...(await Promise.all(files.map(path => formerFile(host, path)))), ...deeper.flatMap(inner => inner.files)],
  };
}

import { digestsOf } from '../core/digests.ts';
import type { FileAttributes, Host, HostReader, Path, Pinned, Resource } from '../core/types.ts';

/** The digests of what an archive brought, as its record keeps them. */
export interface ArchiveRecord {
  /** SHA-256 of the archive. */
  readonly sha256: string;
  /** SHA-256 by file name. */
  readonly files: Readonly<Record<string, string>>;
  /** What somebody else had under these names before, by file name. `saved`: a copy, where the content was another one. */
  readonly former?: Readonly<Record<string, { readonly attributes: FileAttributes; readonly saved?: Path }>>;
}

/**
 * The files of a pinned archive in `directory`, every byte as the archive has it. `record` holds their digests, from
 * which a later run knows without a download whether they are still so. Other files in the directory are left alone. The download
 * lets `startsAfter` go first: a step, or a part of one.
 */
export function archive(source: Pinned, directory: Path, record: Path, startsAfter?: string): Resource {
  return {
    id: `archive:${directory}`,
    async plan(host) {
      const recorded = await readArchiveRecord(host, record);
      const damaged = recorded === undefined ? [] : await damagedFiles(host, directory, recorded);
      if (recorded?.sha256 === source.sha256 && damaged.length === 0) return undefined;
      const name = source.url.split('/').at(-1) ?? source.url;
      return {
        summary: `unpack ${name} into ${directory}`,
        diff:
          damaged.map(file => `${directory}/${file}: not as the archive has it\n`).join('') ||
          `sha256 ${source.sha256}\n`,
        undo: { kind: 'archive', directory, record },
        async apply(target, course) {
          if (startsAfter !== undefined) await course?.ended(startsAfter);
          await place(target, source, directory, record);
        },
      };
    },
  };
}

/** The record is written before the first file is in its place, so that at any time it names all that is ours. */
async function place(host: Host, source: Pinned, directory: Path, record: Path): Promise<void> {
  const stage = `${directory}/.nomad-bootstrap-new`;
  await host.remove(stage);
  await host.makeDirectory(stage, { mode: 0o700, owner: 'root:root' });
  const names = await host.unpack(source, stage);
  const digests = await digestsOf(
    host,
    names.map(name => `${stage}/${name}`),
  );
  const files = Object.fromEntries(names.map(name => [name, digests.get(`${stage}/${name}`) ?? '']));
  const recorded = await readArchiveRecord(host, record);
  const former = await saveFormer(host, files, directory, recorded, `${record}.former`);
  const made: ArchiveRecord = { sha256: source.sha256, files, ...(former === undefined ? {} : { former }) };
  await host.writeFile(record, `${JSON.stringify(made, undefined, 2)}\n`, privateFile);
  for (const name of names) await host.replace(`${stage}/${name}`, `${directory}/${name}`);
  for (const name of Object.keys(recorded?.files ?? {})) {
    if (files[name] === undefined && former?.[name] === undefined) await host.remove(`${directory}/${name}`);
  }
  await host.remove(stage);
}

const privateFile = { mode: 0o600, owner: 'root:root' };

/** Copies what will be overwritten and is not ours. */
async function saveFormer(
  host: Host,
  files: ArchiveRecord['files'],
  directory: Path,
  recorded: ArchiveRecord | undefined,
  copies: Path,
): Promise<ArchiveRecord['former']> {
  const former: Record<string, { attributes: FileAttributes; saved?: Path }> = { ...recorded?.former };
  const foreign = Object.keys(files).filter(name => recorded?.files[name] === undefined);
  const digests = await digestsOf(
    host,
    foreign.map(name => `${directory}/${name}`),
  );
  for (const name of foreign) {
    const path = `${directory}/${name}`;
    const [stat, content] = await Promise.all([host.stat(path), host.readFile(path)]);
    if (stat?.kind !== 'file' || content === undefined) continue;
    const attributes = { mode: stat.mode, owner: stat.owner };
    former[name] = digests.get(path) === files[name] ? { attributes } : { attributes, saved: `${copies}/${name}` };
    if (digests.get(path) === files[name]) continue;
    await host.makeDirectory(copies, { mode: 0o700, owner: 'root:root' });
    await host.writeFile(`${copies}/${name}`, content, privateFile);
  }
  return Object.keys(former).length === 0 ? undefined : former;
}

/** The record that {@link archive} keeps, or `undefined` when there is none that can be understood. */
export async function readArchiveRecord(host: HostReader, record: Path): Promise<ArchiveRecord | undefined> {
  try {
    const found = JSON.parse((await host.readText(record)) ?? 'null') as Partial<ArchiveRecord> | null;
    return typeof found?.sha256 === 'string' && typeof (found.files ?? '') === 'object'
      ? (found as ArchiveRecord)
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Names of the recorded files that are missing or have other bytes. */
export async function damagedFiles(
  host: HostReader,
  directory: Path,
  record: ArchiveRecord,
): Promise<readonly string[]> {
  const recorded = Object.entries(record.files);
  const digests = await digestsOf(
    host,
    recorded.map(([name]) => `${directory}/${name}`),
  );
  return recorded.filter(([name, sha256]) => digests.get(`${directory}/${name}`) !== sha256).map(([name]) => name);
}

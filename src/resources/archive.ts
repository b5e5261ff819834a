import { digestsOf } from '../core/digests.ts';
import type { HostReader, Path, Pinned, Resource } from '../core/types.ts';

/** The digests of what an archive brought, as its record keeps them. */
export interface ArchiveRecord {
  /** SHA-256 of the archive. */
  readonly sha256: string;
  /** SHA-256 by file name. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * The files of a pinned archive in `directory`, every byte as the archive has it. `record` holds their digests, from
 * which a later run knows without a download whether they are still so. Other files in the directory are left alone.
 */
export function archive(source: Pinned, directory: Path, record: Path): Resource {
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
        async apply(host) {
          const names = await host.unpack(source, directory);
          const digests = await digestsOf(
            host,
            names.map(name => `${directory}/${name}`),
          );
          const files = Object.fromEntries(names.map(name => [name, digests.get(`${directory}/${name}`) ?? '']));
          const made: ArchiveRecord = { sha256: source.sha256, files };
          await host.writeFile(record, `${JSON.stringify(made, undefined, 2)}\n`, { mode: 0o600, owner: 'root:root' });
        },
      };
    },
  };
}

/** The record that {@link archive} keeps, or `undefined` when there is none. */
export async function readArchiveRecord(host: HostReader, record: Path): Promise<ArchiveRecord | undefined> {
  const text = await host.readText(record);
  return text === undefined ? undefined : (JSON.parse(text) as ArchiveRecord);
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

import type { HostReader } from './types.ts';

/** What dpkg's database says of a package. */
export interface DpkgPackage {
  /** What is wanted: `install`, `hold`, `deinstall` ... */
  readonly selection: string;
  /** `installed`, `config-files`, `half-configured` ... */
  readonly status: string;
  /** In full; empty where nothing is installed. */
  readonly version: string;
}

/** A package's paragraph in the text of dpkg's status file. Source: deb-status in dpkg(1), FILES. */
export function parseDpkgPackage(database: string, name: string): DpkgPackage | undefined {
  const start = `\n${database}`.indexOf(`\nPackage: ${name}\n`);
  if (start === -1) return undefined;
  const end = database.indexOf('\n\n', start);
  const paragraph = database.slice(start, end === -1 ? undefined : end);
  const [, selection, status] = /^Status: (\S+) \S+ (\S+)$/m.exec(paragraph) ?? [];
  if (selection === undefined || status === undefined) return undefined;
  return { selection, status, version: /^Version: (\S+)$/m.exec(paragraph)?.[1] ?? '' };
}

/** Packages that others have triggered and that have not yet done what that asks for. Source: deb-triggers(5). */
export function parseTriggered(database: string): readonly string[] {
  const paragraphs = `\n${database}`.matchAll(
    /\nPackage: (?<name>\S+)\nStatus: \S+ \S+ triggers-(?:pending|awaited)\n/g,
  );
  return Array.from(paragraphs, ({ groups }) => groups?.['name'] ?? '');
}

/**
 * Packages by name, those that dpkg knows, without starting a process. `undefined` where the file is not the whole truth:
 * there is none, or dpkg is at work or was ended in the middle of it, and has more in its journal.
 */
export async function readDpkgPackages(
  host: HostReader,
  names: readonly string[],
): Promise<ReadonlyMap<string, DpkgPackage> | undefined> {
  const [database, journal] = await Promise.all([
    host.readText('/var/lib/dpkg/status'),
    host.list('/var/lib/dpkg/updates'),
  ]);
  if (database === undefined || journal === undefined || journal.length > 0) return undefined;
  return new Map(
    names.flatMap(name => {
      const found = parseDpkgPackage(database, name);
      return found === undefined ? [] : [[name, found] as const];
    }),
  );
}

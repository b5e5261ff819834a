import type { HostReader, Path } from './types.ts';

/**
 * The SHA-256 digests (lower-case hexadecimal) of whole files, by path; a file that cannot be read is not in the map. One
 * process of its own reads them all, so that large files neither hold up nor swell this one.
 */
export async function digestsOf(host: HostReader, paths: readonly Path[]): Promise<ReadonlyMap<Path, string>> {
  if (paths.length === 0) return new Map();
  const { stdout } = await host.query(['sha256sum', '--', ...paths]);
  const lines = stdout.matchAll(/^(?<digest>[0-9a-f]{64}) [ *](?<path>.+)$/gm);
  return new Map(Array.from(lines, ({ groups }) => [groups?.['path'] ?? '', groups?.['digest'] ?? '']));
}

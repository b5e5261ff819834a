import type { CommandOutput, HostReader, Path } from './types.ts';

type QueryOptions = Parameters<HostReader['query']>[1];

/**
 * The SHA-256 digests (lower-case hexadecimal) of whole files, by path; a file that cannot be read is not in the map. One
 * process of its own reads them all, so that large files neither hold up nor swell this one.
 */
export async function digestsOf(host: HostReader, paths: readonly Path[]): Promise<ReadonlyMap<Path, string>> {
  if (paths.length === 0) return new Map();
  const { stdout } = await host.query(digestsQuery(paths));
  const lines = stdout.matchAll(/^(?<digest>[0-9a-f]{64}) [ *](?<path>.+)$/gm);
  return new Map(Array.from(lines, ({ groups }) => [groups?.['path'] ?? '', groups?.['digest'] ?? '']));
}

/**
 * The same host, which begins to work out the digests of these files at once: whoever asks for them first gets what was begun, and
 * everybody after that a new reading. Reading every byte of many files is what takes longest of all that is asked of a host.
 */
export function anticipatingDigests<H extends HostReader>(host: H, paths: readonly Path[]): H {
  const question = JSON.stringify(digestsQuery(paths));
  let begun: Promise<CommandOutput> | undefined = host.query(digestsQuery(paths));
  // Where nobody asks, nobody hears of a failure.
  begun.catch(() => {});
  return {
    ...host,
    query(argv: readonly string[], options?: QueryOptions) {
      if (begun === undefined || JSON.stringify(argv) !== question) return host.query(argv, options);
      const answer = begun;
      begun = undefined;
      return answer;
    },
  };
}

function digestsQuery(paths: readonly Path[]): readonly string[] {
  return ['sha256sum', '--', ...paths];
}

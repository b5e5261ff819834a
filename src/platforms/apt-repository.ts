import type { Path } from '../core/types.ts';
import type { Architecture } from '../facts/facts.ts';
import { decompress, searchAptIndex } from '../resolution/indexes.ts';
import { fetchUpstream } from '../resolution/upstream.ts';
import type { RepositoryProbe } from './platform.ts';

/** An APT repository as a host knows it. */
export interface AptRepository {
  /** Without a trailing slash. */
  readonly uri: string;
  readonly component: string;
  readonly architecture: Architecture;
  readonly sourceFile: Path;
  readonly keyring: Path;
}

/** The source file in deb822 style, see sources.list(5). */
export function aptSource(repository: AptRepository, suite: string): string {
  return [
    '# Written by nomad-bootstrap.',
    'Types: deb',
    `URIs: ${repository.uri}`,
    `Suites: ${suite}`,
    `Components: ${repository.component}`,
    `Architectures: ${repository.architecture}`,
    `Signed-By: ${repository.keyring}`,
    '',
  ].join('\n');
}

/**
 * Looks for packages in the repository's index. The index is not verified here: it only tells which version to name, and
 * apt installs none that the signing key does not vouch for.
 */
export function aptProbe(repository: AptRepository, candidates: readonly string[]): RepositoryProbe {
  return {
    baseUrl: repository.uri,
    candidates,
    async packages(host, suite, names) {
      const suiteUrl = `${repository.uri}/dists/${suite}`;
      const indexUrl = `${suiteUrl}/${repository.component}/binary-${repository.architecture}/Packages.gz`;
      const [release, index] = await Promise.all([
        fetchUpstream(host, `${suiteUrl}/InRelease`, () => 'there'),
        fetchUpstream(host, indexUrl, body => decompress(indexUrl, body)),
      ]);
      return release === undefined || index === undefined ? undefined : searchAptIndex(index, names);
    },
    async configured(host) {
      const source = await host.readText(repository.sourceFile);
      return candidates.find(suite => source === aptSource(repository, suite));
    },
  };
}

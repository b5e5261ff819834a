import type { Path } from '../core/types.ts';
import { decompress, primaryLocation, searchDnfIndex } from '../resolution/indexes.ts';
import { fetchUpstream } from '../resolution/upstream.ts';
import type { RepositoryProbe } from './platform.ts';

/** A DNF repository as a host knows it. */
export interface DnfRepository {
  readonly id: string;
  readonly name: string;
  /** What the resolved path (`RHEL/9`) lies below, without a trailing slash. */
  readonly baseUrl: string;
  /** `x86_64` or `aarch64`. */
  readonly arch: string;
  readonly sourceFile: Path;
  readonly key: Path;
  /** Names that only this program installs and upgrades. */
  readonly excluded: readonly string[];
}

/**
 * The .repo file. Version and architecture are written out: `$releasever` is a minor version on some systems (9.4),
 * which the upstreams do not have.
 */
export function dnfSource(repository: DnfRepository, path: string): string {
  return [
    '# Written by nomad-bootstrap.',
    `[${repository.id}]`,
    `name=${repository.name}`,
    `baseurl=${packagesUrl(repository, path)}`,
    'enabled=1',
    'gpgcheck=1',
    `gpgkey=file://${repository.key}`,
    ...(repository.excluded.length === 0
      ? []
      : [
          '# Kept at their version: nomad-bootstrap alone upgrades them.',
          `excludepkgs=${repository.excluded.join(',')}`,
        ]),
    '',
  ].join('\n');
}

/** Looks for packages in the repository's index, which dnf reads again and rpm then holds to the signing key. */
export function dnfProbe(repository: DnfRepository, candidates: readonly string[]): RepositoryProbe {
  return {
    baseUrl: repository.baseUrl,
    candidates,
    async packages(host, path, names) {
      const base = packagesUrl(repository, path);
      const location = await fetchUpstream(host, `${base}/repodata/repomd.xml`, body =>
        primaryLocation(new TextDecoder().decode(body)),
      );
      if (location === undefined) return undefined;
      const indexUrl = `${base}/${location}`;
      const index = await fetchUpstream(host, indexUrl, body => decompress(indexUrl, body));
      return index === undefined ? undefined : searchDnfIndex(index, names, repository.arch);
    },
    async configured(host) {
      const source = await host.readText(repository.sourceFile);
      return candidates.find(path => source === dnfSource(repository, path));
    },
  };
}

function packagesUrl({ baseUrl, arch }: DnfRepository, path: string): string {
  return `${baseUrl}/${path}/${arch}/stable`;
}

import type { Config } from '../config/config.ts';
import type { Resource } from '../core/types.ts';
import type { Facts, OsRelease } from '../facts/facts.ts';
import type { Resolution } from '../resolution/resolution.ts';
import { upstream } from '../resolution/upstream.ts';
import { absentFile } from '../resources/absent-file.ts';
import { directory } from '../resources/directory.ts';
import { file } from '../resources/file.ts';
import { signingKey } from '../resources/signing-key.ts';
import { apt } from './apt.ts';
import { type AptRepository, aptProbe, aptSource } from './apt-repository.ts';
import type { Platform } from './platform.ts';
import { dockerKey, hashicorpKey } from './repository-key.ts';

type Distribution = 'debian' | 'ubuntu';

interface Release {
  readonly distribution: Distribution;
  readonly version: string;
}

/** What is supported, by codename. Source: the projects' release pages. */
const releases: Readonly<Record<string, Release>> = {
  bookworm: { distribution: 'debian', version: '12' },
  trixie: { distribution: 'debian', version: '13' },
  jammy: { distribution: 'ubuntu', version: '22.04' },
  noble: { distribution: 'ubuntu', version: '24.04' },
  resolute: { distribution: 'ubuntu', version: '26.04' },
};

/**
 * Where HashiCorp has nothing for a codename yet, an older suite does as well: the packages are the same builds in every
 * suite. Docker's are not, so there is no such list for them.
 */
const fallbacks: Readonly<Record<Distribution, readonly string[]>> = {
  debian: ['trixie', 'bookworm'],
  ubuntu: ['noble', 'jammy'],
};

const hashicorpSource = '/etc/apt/sources.list.d/hashicorp.sources';
const dockerSource = '/etc/apt/sources.list.d/docker.sources';
const packages = apt([hashicorpSource, dockerSource]);

/** Debian, Ubuntu and what is derived from them. */
export const debian: Platform = {
  id: 'debian',
  supports: os => distributionOf(os) !== undefined,
  unsupportedReason(os) {
    if (os.id !== 'debian' && os.id !== 'ubuntu') {
      if (releases[os.baseCodename] !== undefined) return undefined;
      return `${os.prettyName} does not say on which supported release of Debian or Ubuntu it is built`;
    }
    if (releases[suiteOf(os)] !== undefined) return undefined;
    if (os.id === 'ubuntu' && Number(os.versionId) > 22.04) return undefined;
    return `${os.prettyName} is not supported`;
  },
  packages,
  hashicorp: (facts, config) =>
    aptProbe(hashicorpRepository(facts, config), withFallbacks(suiteOf(facts.os), fallbacks[distribution(facts.os)])),
  docker: (facts, config) => aptProbe(dockerRepository(facts, config), [suiteOf(facts.os)]),
  // Recommended packages are left out, and on a kernel with AppArmor containers do not start without its parser.
  dockerPackages: ['docker-ce', 'docker-ce-cli', 'containerd.io', 'apparmor'],
  // Debian 13 parts the client from the engine, which only recommends it.
  distributionDockerPackages: os => ['docker.io', ...(suiteOf(os) === 'trixie' ? ['docker-cli'] : []), 'apparmor'],
  iptablesPackage: 'iptables',
  networkingPackages: () => ['iptables'],
  repositories: (facts, config, resolution) => [
    ...hashicorpResources(facts, config, resolution),
    ...dockerResources(facts, config, resolution),
  ],
};

function hashicorpResources(facts: Facts, config: Config, resolution: Resolution): readonly Resource[] {
  const repository = hashicorpRepository(facts, config);
  return [
    signingKey(
      hashicorpKey({
        manager: packages,
        config: config.packages,
        resolution,
        path: repository.keyring,
        location: 'apt.releases.hashicorp.com/gpg',
      }),
    ),
    ...sourceResources(repository, resolution.hashicorp.suite, [
      '/etc/apt/sources.list.d/hashicorp.list',
      addAptRepositoryName(repository.uri, resolution.hashicorp.suite),
    ]),
  ];
}

function dockerResources(facts: Facts, config: Config, resolution: Resolution): readonly Resource[] {
  if (resolution.docker.source !== 'docker') return [];
  const repository = dockerRepository(facts, config);
  const { suite } = resolution.docker;
  return [
    directory('/etc/apt/keyrings', { mode: 0o755, owner: 'root:root' }),
    signingKey(
      dockerKey(
        {
          manager: packages,
          config: config.packages,
          resolution,
          path: repository.keyring,
          location: `download.docker.com/linux/${distribution(facts.os)}/gpg`,
        },
        resolution.docker.packages,
      ),
    ),
    ...sourceResources(repository, suite, [
      '/etc/apt/sources.list.d/docker.list',
      addAptRepositoryName(repository.uri, suite),
    ]),
  ];
}

/** apt refuses to read anything when one suite has two entries with different keys, as after a manual installation. */
function sourceResources(repository: AptRepository, suite: string, rivals: readonly string[]): readonly Resource[] {
  return [
    ...rivals.map(path =>
      absentFile(path, 'names the same repository with another key', content =>
        namesSuite(content, repository.uri, suite),
      ),
    ),
    file(repository.sourceFile, aptSource(repository, suite), { mode: 0o644, owner: 'root:root' }),
  ];
}

/** Whether a one-line source file has an entry for the suite. */
function namesSuite(sourceFile: string, uri: string, suite: string): boolean {
  return sourceFile
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .some(words => words[0] === 'deb' && words.some((word, at) => trimSlash(word) === uri && words[at + 1] === suite));
}

/** The file that add-apt-repository makes for a repository. */
function addAptRepositoryName(uri: string, suite: string): string {
  return `/etc/apt/sources.list.d/archive_uri-${uri.replaceAll(/[^a-z0-9-]+/gi, '_')}-${suite}.list`;
}

function hashicorpRepository(facts: Facts, config: Config): AptRepository {
  return {
    uri: upstream(config.packages, 'apt.releases.hashicorp.com'),
    component: 'main',
    architecture: facts.architecture ?? 'amd64',
    sourceFile: hashicorpSource,
    keyring: '/usr/share/keyrings/hashicorp-archive-keyring.asc',
  };
}

function dockerRepository(facts: Facts, config: Config): AptRepository {
  return {
    uri: upstream(config.packages, `download.docker.com/linux/${distribution(facts.os)}`),
    component: 'stable',
    architecture: facts.architecture ?? 'amd64',
    sourceFile: dockerSource,
    keyring: '/etc/apt/keyrings/docker.asc',
  };
}

function distributionOf(os: OsRelease): Distribution | undefined {
  const base = releases[os.baseCodename];
  if (base !== undefined) return base.distribution;
  const ids = [os.id, ...os.idLike];
  return ids.includes('ubuntu') ? 'ubuntu' : ids.includes('debian') ? 'debian' : undefined;
}

function distribution(os: OsRelease): Distribution {
  return distributionOf(os) ?? 'debian';
}

/** The codename that upstreams know: a derivative's own is known to nobody. */
function suiteOf(os: OsRelease): string {
  return os.baseCodename === '' ? os.codename : os.baseCodename;
}

/** The host's own suite, then the older ones; never one that is newer than the host. */
function withFallbacks(suite: string, older: readonly string[]): readonly string[] {
  return [suite, ...older.slice(older.indexOf(suite) + 1)];
}

function trimSlash(word: string): string {
  return word.replace(/\/$/, '');
}

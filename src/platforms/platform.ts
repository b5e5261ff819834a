import type { Config } from '../config/config.ts';
import type { HostReader, Resource } from '../core/types.ts';
import type { Facts, OsRelease } from '../facts/facts.ts';
import type { IndexedPackage } from '../resolution/indexes.ts';
import type { Resolution } from '../resolution/resolution.ts';
import type { PackageManager } from '../resources/packages.ts';

/** An upstream repository, looked at through its own index. */
export interface RepositoryProbe {
  /** What the candidates lie below, for messages. */
  readonly baseUrl: string;
  /** Suites or paths to try, the host's own first, then what it falls back to. */
  readonly candidates: readonly string[];
  /** `undefined` when the repository does not have this suite for this architecture. */
  packages(host: HostReader, suite: string, names: readonly string[]): Promise<readonly IndexedPackage[] | undefined>;
  /** The candidate that this host's source file already names, when the file is as this program writes it. */
  configured(host: HostReader): Promise<string | undefined>;
}

/** What differs between OS families: a record chosen by predicate. */
export interface Platform {
  readonly id: 'debian' | 'redhat';
  /** The host's own family. Whether its version is supported as well: {@link unsupportedReason}. */
  supports(os: OsRelease): boolean;
  /** Why this version of the family cannot be bootstrapped, or `undefined`. */
  unsupportedReason(os: OsRelease): string | undefined;
  readonly packages: PackageManager;
  hashicorp(facts: Facts, config: Config): RepositoryProbe;
  docker(facts: Facts, config: Config): RepositoryProbe;
  /** Docker's own packages, the engine first. */
  readonly dockerPackages: readonly string[];
  /** The distribution's packages with a Docker engine, the engine first; empty where it has none. */
  distributionDockerPackages(os: OsRelease): readonly string[];
  /** The distribution's package with iptables and ip6tables. */
  readonly iptablesPackage: string;
  /** What bridge networking and containers need of the distribution, iptables among it. */
  networkingPackages(facts: Facts): readonly string[];
  /** Keyrings and source files that make the resolved repositories known. */
  repositories(facts: Facts, config: Config, resolution: Resolution): readonly Resource[];
}

import type { Config } from '../config/config.ts';
import type { Host, HostReader, Resource } from '../core/types.ts';
import type { Facts, OsRelease } from '../facts/facts.ts';
import type { PackageVersion, Resolution } from '../resolution/resolution.ts';

/** One version of a package in a repository's index. */
export interface IndexedPackage {
  readonly name: string;
  /** As the package manager wants it: `2.0.7-1`. */
  readonly packageVersion: string;
}

/** What installs packages: apt or dnf. Every reader is cheap and writes nothing. */
export interface PackageManager {
  readonly id: 'apt' | 'dnf';
  /** Full version of each of `names` that is installed; the others are not in the map. */
  installed(host: HostReader, names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Which of `names` a package upgrade would leave alone. */
  held(host: HostReader, names: readonly string[]): Promise<ReadonlySet<string>>;
  /** Names that one transaction with `packages` would add, as far as the indexes on this host tell. */
  additions(host: HostReader, packages: readonly PackageVersion[]): Promise<readonly string[]>;
  /** Refreshes the indexes, then installs exactly `packages` in one transaction, without recommended packages and without a prompt. */
  install(host: Host, packages: readonly PackageVersion[]): Promise<void>;
  /** Keeps `names` at their version until the tool itself changes it. */
  hold(host: Host, names: readonly string[]): Promise<void>;
  release(host: Host, names: readonly string[]): Promise<void>;
  remove(host: Host, names: readonly string[]): Promise<void>;
}

/** An upstream repository, looked at through its own index. */
export interface RepositoryProbe {
  /** Suites or paths to try, the host's own first, then what it falls back to. */
  readonly candidates: readonly string[];
  /** `undefined` when the repository does not have this suite for this architecture. */
  packages(host: HostReader, suite: string, names: readonly string[]): Promise<readonly IndexedPackage[] | undefined>;
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
  /** The distribution's packages with a Docker engine; empty where it has none. */
  distributionDockerPackages(os: OsRelease): readonly string[];
  /** What bridge networking needs of the distribution (iptables ...). */
  networkingPackages(facts: Facts): readonly string[];
  /** Keyrings and source files that make the resolved repositories known. */
  repositories(facts: Facts, config: Config, resolution: Resolution): readonly Resource[];
}

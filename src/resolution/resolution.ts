/** One package at one version, as the package manager names it: `nomad` and `2.0.7-1`. */
export interface PackageVersion {
  readonly name: string;
  /** Absent: whatever the distribution has. */
  readonly version?: string;
}

/** Where Docker comes from. */
export type DockerResolution =
  | {
      readonly source: 'docker' /** APT suite, or path below the base URL for DNF. */;
      readonly suite: string;
      readonly packages: readonly PackageVersion[];
    }
  | { readonly source: 'distro'; readonly packages: readonly PackageVersion[] }
  /** Already there, from wherever: left as it is. */
  | { readonly source: 'present' }
  | { readonly source: 'none' };

/**
 * What the wish means today. Exact, and recorded with the settings, so that a rerun needs no upstream and the files
 * that are made from it stay the same.
 */
export interface Resolution {
  readonly hashicorp: {
    /** APT suite (`bookworm`), or path of the DNF repository (`RHEL/9`). */
    readonly suite: string;
    /** The host's own codename or release was not there, and this is the nearest. */
    readonly fallback: boolean;
  };
  /** `X.Y.Z` and the package's full version. */
  readonly nomad: { readonly version: string; readonly packageVersion: string };
  readonly consul: { readonly version: string; readonly packageVersion: string };
  readonly docker: DockerResolution;
  readonly cni: { readonly version: string; readonly url: string; readonly sha256: string };
}

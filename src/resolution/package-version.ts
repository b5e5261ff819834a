/** The only file that uses semver. */
import semver from 'semver';

/** The agent's own version in a package's: `2.0.7-1` and `2.0.7` give `2.0.7`. `undefined`: not a stable release. */
export function releaseOf(packageVersion: string): string | undefined {
  const release = /^(?<release>\d+\.\d+\.\d+)(-\d+)?$/.exec(packageVersion)?.groups?.['release'];
  // Not so with leading zeros, say.
  return semver.valid(release) ?? undefined;
}

/**
 * The release that an installed package has, read leniently (`0.12.10+dfsg1-3` gives `0.12.10`), because a
 * distribution's package may be there instead of HashiCorp's.
 */
export function installedRelease(packageVersion: string): string {
  return semver.coerce(packageVersion)?.version ?? '0.0.0';
}

/** Below zero when `a` is older than `b`, zero when they are the same, above zero when it is newer. */
export function compareReleases(a: string, b: string): number {
  return semver.compare(a, b);
}

/** Whether the release belongs to the minor line: `2.0.7` to `2.0`. */
export function isOfLine(release: string, line: string): boolean {
  return `${semver.major(release)}.${semver.minor(release)}` === line;
}

/** Package versions of stable releases, newest first; of one release the newest package comes first. */
export function newestFirst(packageVersions: readonly string[]): readonly string[] {
  return packageVersions
    .filter(version => releaseOf(version) !== undefined)
    .sort((a, b) => {
      const byRelease = semver.rcompare(releaseOf(a) ?? '0.0.0', releaseOf(b) ?? '0.0.0');
      return byRelease === 0 ? revisionOf(b) - revisionOf(a) : byRelease;
    });
}

function revisionOf(packageVersion: string): number {
  return Number(packageVersion.split('-')[1] ?? 0);
}

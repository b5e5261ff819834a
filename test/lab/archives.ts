import { runCommand } from './commands.ts';

/** One line of a distribution's sources. */
export interface ArchiveSource {
  readonly uri: string;
  readonly suite: string;
}

/** Where this machine gets Debian's packages from, as its own apt is configured. */
export interface DistributionArchives {
  /** Without a trailing slash. */
  readonly main: string;
  readonly security: string;
  /** The sources of a release: the suite, its updates and its security fixes; sid has only itself. */
  forSuite(suite: string): readonly ArchiveSource[];
}

/** Reads the archives' addresses from this machine's apt sources. Throws when it has none of Debian's. */
export async function distributionArchives(): Promise<DistributionArchives> {
  const query = ['apt-get', 'indextargets', '--format', '$(REPO_URI) $(RELEASE) $(ORIGIN)', 'Created-By: Packages'];
  let listing = await runCommand(query);
  if (!listing.stdout.includes(' Debian')) {
    await runCommand(['apt-get', 'update', '-q']); // the origin is known only from a fetched Release file
    listing = await runCommand(query);
  }
  const debian = listing.stdout
    .split('\n')
    .map(line => line.split(' '))
    .filter(([, , origin]) => origin === 'Debian');
  const address = (matches: (suite: string) => boolean) =>
    debian.find(([, suite = '']) => matches(suite))?.[0]?.replace(/\/$/, '');
  const main = address(suite => !suite.includes('-'));
  if (main === undefined) throw new Error("this machine's apt sources name no Debian archive");
  const security = address(suite => suite.endsWith('-security')) ?? `${main}-security`;
  return {
    main,
    security,
    forSuite: suite =>
      suite === 'sid'
        ? [{ uri: main, suite }]
        : [
            { uri: main, suite },
            { uri: main, suite: `${suite}-updates` },
            { uri: security, suite: `${suite}-security` },
          ],
  };
}

import type { Config } from '../config/config.ts';
import { BootstrapError } from '../core/errors.ts';
import type { HostReader } from '../core/types.ts';
import type { Architecture, Facts } from '../facts/facts.ts';
import type { Platform, RepositoryProbe } from '../platforms/platform.ts';
import { type Agent, cniPlugins, testedLines, withdrawnVersions } from '../versions.ts';
import type { IndexedPackage } from './indexes.ts';
import { compareReleases, installedRelease, isOfLine, newestFirst, releaseOf } from './package-version.ts';
import type { DockerResolution, PackageVersion, Resolution } from './resolution.ts';
import { type ServerVersions, serverVersions } from './server-versions.ts';
import { upstream } from './upstream.ts';

/** One agent at one version: `2.0.7` and the package's `2.0.7-1`. */
type AgentVersion = Resolution['nomad'];

const agents = ['nomad', 'consul'] as const satisfies readonly Agent[];

/** What an earlier run found, and where. */
interface Recorded {
  readonly resolution: Resolution;
  readonly mirror?: string | undefined;
}

/** Packages with a Docker engine, from wherever: one of them is left as it is. */
const engines = ['docker-ce', 'docker.io', 'moby-engine'];

/**
 * What the configuration means today. Each version is the one asked for, else the recorded one, else the installed one,
 * else the newest patch release of the tested line in the repository's index; an agent is never taken back to an older
 * release. Upstreams are asked only for what is not installed, or where they are other ones now, so a rerun with nothing to do
 * makes no request.
 *
 * A client without a wish takes its servers' versions, where they can be asked.
 *
 * Errors: `downgrade-refused`, `newer-than-servers`, `version-not-found`, `unreachable`, `upstream-refused`, `bad-setting`.
 */
export async function resolve(
  host: HostReader,
  facts: Facts,
  config: Config,
  platform: Platform,
  recorded?: Recorded,
  /** Packages that earlier runs brought, finished or not. */
  brought: ReadonlySet<string> = new Set(),
): Promise<Resolution> {
  // What was cut off is gone on with: going back is for nobody to decide by accident.
  const there = await platform.packages.unpacked(host, agents);
  const present = await platform.packages.installed(host, engines);
  const moved = recorded !== undefined && config.packages.mirror !== recorded.mirror;
  const [hashicorp, docker] = await Promise.all([
    resolveHashicorp(host, platform.hashicorp(facts, config), config, there, recorded?.resolution, moved),
    resolveDocker(host, facts, config, platform, present, recorded?.resolution.docker, moved, brought),
  ]);
  return { ...hashicorp, docker, cni: resolveCni(config, facts.architecture) };
}

async function resolveHashicorp(
  host: HostReader,
  probe: RepositoryProbe,
  config: Config,
  installed: ReadonlyMap<string, string>,
  recorded: Resolution | undefined,
  moved: boolean,
): Promise<Pick<Resolution, 'hashicorp' | 'nomad' | 'consul'>> {
  const wishes = { nomad: config.packages.nomadVersion, consul: config.packages.consulVersion };
  const known = {
    nomad: knownVersion('nomad', wishes.nomad, installed.get('nomad'), recorded?.nomad),
    consul: knownVersion('consul', wishes.consul, installed.get('consul'), recorded?.consul),
  };
  const servers = await serversOf(host, config, wishes, known);
  for (const agent of agents) refuseNewer(agent, wishes[agent], known[agent], servers[agent]);
  const suite = moved ? undefined : (recorded?.hashicorp.suite ?? (await probe.configured(host)));
  if (known.nomad !== undefined && known.consul !== undefined && suite !== undefined) {
    return { hashicorp: { suite, fallback: suite !== probe.candidates[0] }, nomad: known.nomad, consul: known.consul };
  }

  const found = await firstSuite(host, probe, agents);
  if (found === undefined) throw nothingAt(probe);
  const index = { ...found, address: `${probe.baseUrl} ${found.suite}` };
  return {
    hashicorp: { suite: found.suite, fallback: found.suite !== probe.candidates[0] },
    nomad: known.nomad ?? chosenVersion('nomad'),
    consul: known.consul ?? chosenVersion('consul'),
  };

  function chosenVersion(agent: Agent): AgentVersion {
    const version = indexedVersion(agent, wishes[agent], installed.get(agent), index, servers[agent]);
    refuseNewer(agent, wishes[agent], version, servers[agent]);
    return version;
  }
}

function nothingAt(probe: RepositoryProbe): BootstrapError {
  return new BootstrapError(
    'upstream-refused',
    `${probe.baseUrl} has no packages for ${probe.candidates.join(' or ')}`,
    { hint: 'try again later, or name a mirror that has them with --mirror URL' },
  );
}

type Wishes = Readonly<Record<Agent, string>>;

/** What a client must not be newer than. Asked only where a version is to be chosen, so that a rerun asks nobody. */
async function serversOf(
  host: HostReader,
  { node }: Config,
  wishes: Wishes,
  known: Readonly<Record<Agent, AgentVersion | undefined>>,
): Promise<ServerVersions> {
  if (node === undefined || node.runsServer) return {};
  const chooses = agents.some(agent => wishes[agent] !== 'tested' || known[agent] === undefined);
  return chooses ? serverVersions(host, node) : {};
}

/** Servers are upgraded before clients. What is on the node already, and was not asked for now, is no new mistake. */
function refuseNewer(agent: Agent, wish: string, chosen: AgentVersion | undefined, servers: string | undefined): void {
  if (chosen === undefined || servers === undefined || compareReleases(chosen.version, servers) <= 0) return;
  if (wish === 'tested') return;
  throw new BootstrapError(
    'newer-than-servers',
    `${agent} ${chosen.version} was asked for, and a server of the cluster still runs ${servers}: a client must not be newer`,
    { hint: `upgrade the servers first, one at a time; or give this client --${agent}-version ${servers}` },
  );
}

/** What can be said without asking an upstream. */
function knownVersion(
  agent: Agent,
  wish: string,
  installedPackage: string | undefined,
  recorded: AgentVersion | undefined,
): AgentVersion | undefined {
  const installed = installedPackage === undefined ? undefined : asInstalled(installedPackage);
  if (wish === 'latest') return undefined;
  if (wish !== 'tested') {
    if (installed !== undefined && compareReleases(releaseOf(wish) ?? wish, installed.version) < 0) {
      throw new BootstrapError(
        'downgrade-refused',
        `${agent} ${installed.version} is installed, and ${wish} is older: an agent cannot go back to an older release`,
        { hint: `leave out --${agent}-version to keep ${installed.version}, or name a newer release` },
      );
    }
    return [installed, recorded].find(version => version !== undefined && isWished(version, wish));
  }
  const [newest] = [installed, recorded]
    .filter(version => version !== undefined)
    .sort((a, b) => compareReleases(b.version, a.version));
  return newest;
}

function asInstalled(packageVersion: string): AgentVersion {
  return { version: installedRelease(packageVersion), packageVersion };
}

/** A wish may be a release (`2.0.7`) or a package version (`2.0.7-1`). */
function isWished({ version, packageVersion }: AgentVersion, wish: string): boolean {
  return wish === version || wish === packageVersion;
}

interface FoundIndex {
  readonly suite: string;
  readonly address: string;
  readonly packages: readonly IndexedPackage[];
}

/**
 * What the wish means in an index; the installed one when that is newer than the newest there. Without a wish `servers`, where it is known
 * and offered.
 */
function indexedVersion(
  agent: Agent,
  wish: string,
  installedPackage: string | undefined,
  index: FoundIndex,
  servers?: string,
): AgentVersion {
  const available = newestFirst(
    index.packages.filter(({ name }) => name === agent).map(entry => entry.packageVersion),
  ).map(packageVersion => ({ version: releaseOf(packageVersion) ?? packageVersion, packageVersion }));
  const offered = available.filter(({ version }) => !withdrawnVersions[agent].includes(version));
  const newest = offered[0];

  if (wish === 'latest') {
    const installed = installedPackage === undefined ? undefined : asInstalled(installedPackage);
    if (installed !== undefined && (newest === undefined || compareReleases(installed.version, newest.version) >= 0)) {
      return installed;
    }
    if (newest !== undefined) return newest;
  }
  const line = testedLines[agent];
  const chosen =
    wish === 'tested'
      ? (available.find(({ version }) => version === servers) ?? offered.find(({ version }) => isOfLine(version, line)))
      : available.find(version => isWished(version, wish));
  if (chosen !== undefined) return chosen;

  const releases = [...new Set(offered.map(({ version }) => version))];
  const sameLine = wish === 'tested' ? [] : releases.filter(release => isOfLine(release, lineOf(wish)));
  const suggestions = [...new Set([...sameLine, ...releases])].slice(0, 5);
  throw new BootstrapError(
    'version-not-found',
    wish === 'tested'
      ? `${index.address} has no release of ${agent} ${line}, the line that this program was tested with`
      : `${index.address} does not have ${agent} ${wish}`,
    {
      hint:
        suggestions.length === 0
          ? 'name a mirror that has it with --mirror URL'
          : `it has ${suggestions.join(', ')}${suggestions.length < releases.length ? ' and others' : ''}: name one with --${agent}-version`,
    },
  );
}

function lineOf(release: string): string {
  return release.split('.').slice(0, 2).join('.');
}

/** The first suite that has a version of every one of `names`. */
async function firstSuite(
  host: HostReader,
  probe: RepositoryProbe,
  names: readonly string[],
): Promise<Pick<FoundIndex, 'suite' | 'packages'> | undefined> {
  for (const suite of probe.candidates) {
    const packages = await probe.packages(host, suite, names);
    if (packages !== undefined && names.every(name => packages.some(entry => entry.name === name))) {
      return { suite, packages };
    }
  }
  return undefined;
}

async function resolveDocker(
  host: HostReader,
  facts: Facts,
  config: Config,
  platform: Platform,
  installed: ReadonlyMap<string, string>,
  recorded: DockerResolution | undefined,
  moved: boolean,
  brought: ReadonlySet<string>,
): Promise<DockerResolution> {
  const wish = config.packages.docker;
  // A server that runs no jobs needs no Docker; an image is for any role.
  if (wish === 'none' || config.node?.runsClient === false) return { source: 'none' };
  if (recorded?.source === 'docker' && wish === 'auto' && moved) {
    const probe = platform.docker(facts, config);
    const found = await firstSuite(host, probe, platform.dockerPackages.slice(0, 1));
    if (found === undefined) throw nothingAt(probe);
    return { ...recorded, suite: found.suite };
  }
  if (recorded?.source === 'distro' || (recorded?.source === 'docker' && wish === 'auto')) return recorded;
  const engine = engines.find(name => installed.has(name));
  // One that an interrupted run brought is not somebody else's.
  if (engine !== undefined && !brought.has(engine)) return { source: 'present' };

  const packages = platform.distributionDockerPackages(facts.os).map(named);
  if (wish === 'auto' && (engine === undefined || engine !== packages[0]?.name)) {
    const probe = platform.docker(facts, config);
    const [own = ''] = platform.dockerPackages;
    const configured = engine === own ? await probe.configured(host) : undefined;
    const suite = configured ?? (await firstSuite(host, probe, [own]))?.suite;
    if (suite !== undefined) return { source: 'docker', suite, packages: platform.dockerPackages.map(named) };
  }
  if (packages.length > 0) return { source: 'distro', packages };
  throw new BootstrapError(
    wish === 'auto' ? 'upstream-refused' : 'bad-setting',
    `${facts.os.prettyName} has no package with a Docker engine${wish === 'auto' ? ", and Docker's repository has none for it either" : ''}`,
    { hint: 'install a Docker engine by hand first, or leave Docker out with --docker none' },
  );
}

function named(name: string): PackageVersion {
  return { name };
}

function resolveCni(config: Config, architecture: Architecture | undefined): Resolution['cni'] {
  const version = config.packages.cniVersion.replace(/^v/, '');
  const arch = architecture ?? 'amd64';
  const sha256 = config.packages.cniSha256 ?? (version === cniPlugins.version ? cniPlugins.sha256[arch] : undefined);
  const archive = `cni-plugins-linux-${arch}-v${version}.tgz`;
  const url = upstream(
    config.packages,
    `github.com/containernetworking/plugins/releases/download/v${version}/${archive}`,
  );
  if (sha256 === undefined) {
    throw new BootstrapError('bad-setting', `the digest of the CNI plugins ${version} is not known to this program`, {
      hint: `give it with --cni-sha256; it stands in ${url}.sha256`,
    });
  }
  return { version, url, sha256: sha256.toLowerCase() };
}

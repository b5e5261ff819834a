import { parseDpkgPackage } from '../core/dpkg-status.ts';
import type { HostReader } from '../core/types.ts';
import type { InstalledAgents } from './facts.ts';

type AgentName = keyof InstalledAgents;

interface Program {
  readonly name: AgentName;
  /** Where packages put it. */
  readonly path: string;
  /** Packages that hold it, the first that is installed counts. */
  readonly packages: readonly string[];
  readonly versionArgument: string;
  readonly versionPattern: RegExp;
}

const programs: readonly Program[] = [
  {
    name: 'nomad',
    path: '/usr/bin/nomad',
    packages: ['nomad'],
    versionArgument: 'version',
    versionPattern: /^Nomad v(\S+)/m,
  },
  {
    name: 'consul',
    path: '/usr/bin/consul',
    packages: ['consul'],
    versionArgument: 'version',
    versionPattern: /^Consul v(\S+)/m,
  },
  {
    name: 'docker',
    path: '/usr/bin/docker',
    packages: ['docker-ce', 'docker.io', 'moby-engine'],
    versionArgument: '--version',
    // podman-docker answers as podman, and Nomad's driver cannot use it.
    versionPattern: /^Docker version ([^\s,]+)/m,
  },
];

/**
 * The versions of the agents that are there. The package database tells them: the programs themselves take 100 ms to start, and are
 * asked only when no package holds them. Where none is there, no process is started.
 */
export async function readInstalledAgents(host: HostReader): Promise<InstalledAgents> {
  const found = await Promise.all(programs.map(async program => ((await host.stat(program.path)) ? [program] : [])));
  const present = found.flat();
  if (present.length === 0) return {};

  const packaged = await readPackages(
    host,
    present.flatMap(program => program.packages),
  );
  const versions = await Promise.all(
    present.map(async (program): Promise<readonly [AgentName, string] | undefined> => {
      const fromPackage = program.packages.flatMap(name => packageVersion(packaged.get(name) ?? '') ?? [])[0];
      const version = fromPackage ?? (await askProgram(host, program));
      return version === undefined ? undefined : [program.name, version];
    }),
  );
  return Object.fromEntries(versions.filter(entry => entry !== undefined));
}

/** Full versions by package, of those that are completely installed. */
async function readPackages(host: HostReader, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const status = await host.readText('/var/lib/dpkg/status');
  if (status !== undefined) {
    const packages = names.map(name => [name, parseDpkgPackage(status, name)] as const);
    return new Map(packages.flatMap(([name, found]) => (found?.status === 'installed' ? [[name, found.version]] : [])));
  }
  // Its exit status is the number of packages that are not installed.
  const { stdout } = await host.query(['rpm', '-q', '--queryformat', '%{NAME} %{VERSION}\\n', ...names]);
  const lines = stdout.split('\n').map(line => line.split(' '));
  return new Map(lines.flatMap(([name = '', version = '', ...rest]) => (rest.length > 0 ? [] : [[name, version]])));
}

/** `5:29.10.0-1~debian.12~bookworm` is 29.10.0, `2.1.0~beta.1-1` is 2.1.0-beta.1. */
function packageVersion(full: string): string | undefined {
  const [, version, preRelease] = /^(?:\d+:)?(\d+\.\d+\.\d+)(?:~((?:alpha|beta|rc)[\w.]*))?/.exec(full) ?? [];
  return preRelease === undefined ? version : `${version}-${preRelease}`;
}

async function askProgram(host: HostReader, program: Program): Promise<string | undefined> {
  const { exitCode, stdout } = await host.query([program.path, program.versionArgument]);
  const [, version = ''] = (exitCode === 0 ? program.versionPattern.exec(stdout) : null) ?? [];
  // Build metadata (`+ent`, `+dfsg1`) is no part of the version; a pre-release (`-beta.1`) is.
  return /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?/.exec(version)?.[0];
}

import type { HostReader } from '../core/types.ts';
import type { InstalledAgents } from './facts.ts';

/** Asks the agents that are there for their versions, all at once. Looks only where packages put them. */
export async function readInstalledAgents(host: HostReader): Promise<InstalledAgents> {
  const [nomad, consul, docker] = await Promise.all([
    readVersion(host, ['/usr/bin/nomad', 'version'], /^Nomad v(\S+)/m),
    readVersion(host, ['/usr/bin/consul', 'version'], /^Consul v(\S+)/m),
    // podman-docker answers as podman, and Nomad's driver cannot use it.
    readVersion(host, ['/usr/bin/docker', '--version'], /^Docker version ([^\s,]+)/m),
  ]);
  return {
    ...(nomad === undefined ? {} : { nomad }),
    ...(consul === undefined ? {} : { consul }),
    ...(docker === undefined ? {} : { docker }),
  };
}

async function readVersion(host: HostReader, argv: readonly string[], pattern: RegExp): Promise<string | undefined> {
  if ((await host.stat(argv[0] ?? '')) === undefined) return undefined;
  const { exitCode, stdout } = await host.query(argv);
  const [, version = ''] = (exitCode === 0 ? pattern.exec(stdout) : null) ?? [];
  // Build metadata (`+ent`, `+dfsg1`) is no part of the version; a pre-release (`-beta.1`) is.
  return /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?/.exec(version)?.[0];
}

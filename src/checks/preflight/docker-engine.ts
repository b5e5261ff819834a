import type { Check, HostReader } from '../../core/types.ts';
import type { Target } from '../../target.ts';

/** podman-docker's wrapper is a few lines of shell; Docker's own program has tens of megabytes. */
const wrapperBytes = 65_536;

/** Where Docker is wanted, its place is not taken by podman's imitation, which Nomad's Docker driver cannot use. */
export const dockerEngine: Check<Target> = {
  id: 'docker-engine',
  title: 'No imitation of Docker is installed',
  appliesTo: ({ config }) => config.packages.docker !== 'none' && config.node?.runsClient !== false,
  async run(host) {
    if (!(await isPodman(host, '/usr/bin/docker'))) return { status: 'pass', detail: 'none found' };
    return {
      status: 'fail',
      detail: '/usr/bin/docker is podman-docker',
      hint: 'remove the package podman-docker, or leave Docker out with --docker none',
    };
  },
};

async function isPodman(host: HostReader, path: string): Promise<boolean> {
  const found = await host.stat(path);
  if (found?.kind === 'symlink') return found.linkTarget?.includes('podman') === true;
  if (found === undefined || found.sizeBytes > wrapperBytes) return false;
  return (await host.readText(path))?.includes('podman') === true;
}

import type { CheckOutcome } from '../core/types.ts';
import {
  type Agent,
  consul,
  type Member,
  nomad,
  plainVersion,
  readConsulMembers,
  readNomadMembers,
  readNomadSelf,
  readOwnConsul,
} from './agents.ts';
import { fail, type HealthCheck, pass, warn } from './health-check.ts';

export const versionsAgree: HealthCheck = {
  id: 'versions-agree',
  title: 'The versions of the agents fit together',
  scope: 'cluster',
  needs: ['consul-agent', 'nomad-agent'],
  async run(host, { config: { node }, facts: { installed } }) {
    const [nomadSelf, nomadServers, ownConsul, consulMembers] = await Promise.all([
      readNomadSelf(host),
      readNomadMembers(host, node.region),
      readOwnConsul(host, node.name),
      readConsulMembers(host),
    ]);
    const nomadVersion = plainVersion(nomadSelf.config.Version.Version);
    const consulServers = consulMembers.filter(({ server }) => server);
    return (
      judge(nomad, nomadVersion, installed.nomad, nomadServers) ??
      judge(consul, ownConsul.version, installed.consul, consulServers) ??
      pass(`Nomad ${nomadVersion}, Consul ${ownConsul.version}`)
    );
  },
};

function judge(
  agent: Agent,
  running: string,
  installed: string | undefined,
  members: readonly Member[],
): CheckOutcome | undefined {
  if (installed !== undefined && installed !== running) {
    return fail(
      `${agent.name} ${running} runs, but ${installed} is installed`,
      `systemctl restart ${agent.unit} takes the new one into use; on a server ask autopilot first: ${agent.unit} operator autopilot health`,
    );
  }
  const servers = members.filter(({ state }) => state === 'alive');
  const versions = [...new Set(servers.map(({ version }) => version))].sort(compareVersions);
  const newest = versions.at(-1);
  if (newest === undefined) return undefined;
  if (compareVersions(running, newest) > 0) {
    const detail = `${agent.name} ${running} on this node is newer than the servers' ${newest}`;
    // Within a minor line nothing depends on the order; a client may have come after a new patch release.
    return lineOf(running) === lineOf(newest)
      ? warn(
          detail,
          `bring the servers to ${running} when it suits, one at a time: nomad-bootstrap server --${agent.unit}-version ${running}`,
        )
      : fail(detail, 'servers are upgraded before clients: upgrade them now, one at a time');
  }
  if (versions.length > 1) {
    const each = versions.map(version => `${version} on ${namesOf(servers, version)}`);
    return warn(
      `${agent.name}'s servers differ: ${each.join('; ')}`,
      `finish the upgrade, one server at a time: nomad-bootstrap server --${agent.unit}-version ${newest}`,
    );
  }
  return undefined;
}

function lineOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function namesOf(members: readonly Member[], version: string): string {
  return members
    .filter(member => member.version === version)
    .map(({ name }) => name)
    .sort()
    .join(', ');
}

/** For sorting `X.Y.Z`. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map(version => version.split('.').map(Number));
  for (const index of [0, 1, 2]) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

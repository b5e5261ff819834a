import { consul, readConsulMembers } from './agents.ts';
import { count, fail, type HealthCheck, pass, warn } from './health-check.ts';
import { countServers, forceLeave, nameList } from './servers.ts';

export const consulMembers: HealthCheck = {
  id: 'consul-members',
  title: 'The members of Consul are alive',
  scope: 'cluster',
  needs: ['consul-agent'],
  async run(host, target) {
    const members = await readConsulMembers(host);
    const alive = members.filter(({ state }) => state === 'alive');
    const failed = members.filter(({ state }) => state === 'failed');
    if (failed.length === 0) return pass(`${count(alive.length, 'member')} alive`);

    const detail = `${failed.length} of ${members.length - left(members)} failed: ${nameList(failed)}`;
    const hint = `start it again, or open TCP and UDP 8301 to it; if it is gone for good: ${forceLeave(consul, failed)}`;
    const servers = countServers(members, target);
    // A client that is down, or a server that was replaced, is no fault of the cluster.
    const harmless = servers.failed.length === 0 || servers.alive.length >= servers.expected;
    return harmless && alive.length > 1 ? warn(detail, hint) : fail(detail, hint);
  },
};

function left(members: readonly { readonly state: string }[]): number {
  return members.filter(({ state }) => state === 'left').length;
}

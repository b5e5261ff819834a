import * as z from 'zod';
import type { CheckOutcome, HostReader } from '../core/types.ts';
import { type Agent, readAgent } from './agents.ts';
import { count, fail, pass, warn } from './health-check.ts';

const healthSchema = z.object({
  Healthy: z.boolean(),
  FailureTolerance: z.number(),
  Servers: z
    .array(
      z.object({
        Name: z.string(),
        SerfStatus: z.string(),
        LastContact: z.string(),
        Healthy: z.boolean(),
        Voter: z.boolean(),
        StableSince: z.string(),
      }),
    )
    .nullable(),
});

/** A new server is watched for 10 s before it votes: no fault within that time. */
const settlingMs = 30_000;

/**
 * What the leader says of the servers, the same of both agents: all healthy, none far behind, as many voters as expected.
 * Status 429 is its way of saying unhealthy, with the same body.
 */
export async function judgeAutopilot(host: HostReader, agent: Agent, expected: number): Promise<CheckOutcome> {
  const health = await readAgent(host, agent, '/v1/operator/autopilot/health', healthSchema, 429);
  // A new leader has not heard of anyone for its first seconds.
  const servers = health.Servers ?? [];
  const again = 'ask again in half a minute: nomad-bootstrap verify --wait 30';
  if (servers.length === 0) return warn('the leader has not judged the servers yet', again);

  const now = host.now().getTime();
  const ill = servers.filter(server => !server.Healthy);
  if (ill.length > 0) {
    return fail(
      ill.map(server => `${plain(server.Name)} ${complaint(server)}`).join('; '),
      `on that server: systemctl status ${agent.unit}; journalctl -u ${agent.unit} -n 50; do not restart or remove another one before it is well`,
    );
  }

  const voters = servers.filter(server => server.Voter);
  const vote = `${voters.length} of ${count(expected, 'voter')}`;
  const silent = servers.filter(server => !server.Voter);
  if (voters.length < expected) {
    if (
      voters.length + silent.length >= expected &&
      silent.every(({ StableSince }) => now - Date.parse(StableSince) < settlingMs)
    ) {
      return warn(`${vote}: ${silent.map(({ Name }) => plain(Name)).join(', ')} will vote soon`, again);
    }
    return fail(
      vote,
      `bring up the missing servers with --expect ${expected}, then: ${agent.unit} operator raft list-peers`,
    );
  }
  if (voters.length > expected) {
    return warn(
      `${voters.length} voters where ${expected} are expected`,
      `see who is one too many: ${agent.unit} operator raft list-peers; then run nomad-bootstrap server --expect on all`,
    );
  }
  if (!health.Healthy) return fail('the leader calls the cluster unhealthy', `${agent.unit} operator autopilot health`);
  return pass(`${vote}, ${count(health.FailureTolerance, 'server')} may fail`);
}

function complaint(server: { readonly SerfStatus: string; readonly LastContact: string }): string {
  if (server.SerfStatus !== 'alive') return `is ${server.SerfStatus}`;
  // The leader has never heard of it.
  if (server.LastContact === '0s') return 'does not answer';
  return `does not keep up (last contact ${server.LastContact})`;
}

/** Nomad's names carry the region. */
function plain(name: string): string {
  return name.split('.')[0] ?? name;
}

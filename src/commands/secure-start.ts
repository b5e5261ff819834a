import { consulLeader } from '../checks/consul-leader.ts';
import { type Forming, forming } from '../checks/forming.ts';
import { nomadLeader } from '../checks/nomad-leader.ts';
import { planAll } from '../core/converge.ts';
import { BootstrapError } from '../core/errors.ts';
import { waitUntilHealthy } from '../core/run-checks.ts';
import type { AnnouncedChange, HostReader } from '../core/types.ts';
import { asThisNode, consulApi } from '../own-agents.ts';
import { isKnownToConsul } from '../resources/consul-token.ts';
import { clusterSteps } from '../steps/index.ts';
import type { SecureServer, SecureTarget } from '../target.ts';
import type { CommandContext } from './command.ts';

/**
 * What this server will make in its cluster, once that has a leader. `undefined` where that is not to be known: whichever server comes
 * first makes it, or nobody can be asked just now.
 */
export async function planCluster(
  { host, recorded }: CommandContext,
  target: SecureServer,
): Promise<readonly AnnouncedChange[] | undefined> {
  const { expect, join } = target.config.node;
  try {
    if (recorded?.config.node !== undefined) return await planAll(clusterSteps, target, host);
    return expect === 1 && join.length === 0 ? await planAll(clusterSteps, target, yetToBeMade(host)) : undefined;
  } catch (error) {
    if (error instanceof BootstrapError && /^agent-|^unreachable$/.test(error.code)) return undefined;
    throw error;
  }
}

/** The agents of a cluster in which there is nothing yet. */
function yetToBeMade(host: HostReader): HostReader {
  return {
    ...host,
    async request(url) {
      const knowsNobody = url.endsWith('/v1/status/peers');
      return { status: knowsNobody ? 200 : 404, headers: {}, body: new TextEncoder().encode(knowsNobody ? '[]' : '') };
    },
  };
}

/**
 * Before this a server that sees fewer than it expects may only not have heard of them yet: whoever is last must not take
 * the cluster for one that is still forming, since it is the one that sets up its access control.
 */
const hearingSeconds = 10;
const pollMs = 500;
/**
 * Waits until both agents have a leader, which is all that can be asked before there is access control. Returns how far a
 * cluster is that is still forming; throws `not-healthy`.
 */
export async function untilLeaders(
  { host, reporter, settings }: CommandContext,
  target: SecureTarget,
  waitSeconds: number,
): Promise<Forming | undefined> {
  const reader = asThisNode(host, target);
  const leaders = [consulLeader, nomadLeader];
  const startedAt = host.now().getTime();
  let stillForming: Forming | undefined;

  const results = await waitUntilHealthy(leaders, reader, target, {
    waitSeconds,
    async isEnough(results) {
      if (results.every(({ status }) => status !== 'fail')) return true;
      const heard = host.now().getTime() - startedAt > hearingSeconds * 1000;
      stillForming =
        heard && settings.waitFor !== 'cluster' ? await forming(reader, target, leaders, results) : undefined;
      return stillForming !== undefined;
    },
    onWaiting: (missing, waitedSeconds) =>
      reporter.report({
        type: 'waiting',
        message: `waiting for: ${missing.map(({ title }) => title).join('; ')}`,
        waitedSeconds,
      }),
  });
  const failed = results.filter(({ status }) => status === 'fail');
  if (failed.length === 0) return undefined;
  if (stillForming !== undefined) return stillForming;
  throw new BootstrapError('not-healthy', 'everything is in place on this node, but the cluster has no leader', {
    detail: failed.map(({ id, detail }) => `${id}: ${detail}`).join('\n'),
    hint: `${failed[0]?.hint ?? ''}; then run the same command again: it sets up access control`,
  });
}

/**
 * Waits until the servers have made the token of this node's Consul agent, and then lets the agent try it at once: by
 * itself it would do so within a minute or two. Source: agent/ae/ae.go, Consul 1.21.4. Whether it is there now.
 */
export async function takeUpConsulToken(
  { host, reporter }: CommandContext,
  { credentials }: SecureTarget,
  waitSeconds: number,
): Promise<boolean> {
  const startedAt = host.now().getTime();
  for (;;) {
    const waitedSeconds = Math.floor((host.now().getTime() - startedAt) / 1000);
    if (await isKnownToConsul(host, consulApi, credentials.consulAgent)) break;
    if (waitedSeconds >= waitSeconds) return false;
    reporter.report({ type: 'waiting', message: "waiting for: the servers to know this node's token", waitedSeconds });
    await host.sleep(pollMs);
  }
  await host.send(`${consulApi}/v1/agent/token/agent`, {
    method: 'PUT',
    headers: { 'X-Consul-Token': credentials.consulRecovery.reveal() },
    body: JSON.stringify({ Token: credentials.consulAgent.reveal() }),
  });
  return true;
}

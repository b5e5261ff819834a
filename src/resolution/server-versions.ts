import * as z from 'zod';
import type { NodeConfig } from '../config/config.ts';
import { BootstrapError } from '../core/errors.ts';
import type { HostReader } from '../core/types.ts';
import type { Agent } from '../versions.ts';
import { compareReleases, releaseOf } from './package-version.ts';

/** Who is asked may not be there yet: a client that is made at the same time as its servers does not wait for them. */
const attemptMs = 1500;

/** `/v1/agent/members` of both agents. Consul's `build` is `1.21.4:59b8b905`, and its status 1 is alive. */
const consulMembers = z.array(
  z.object({ Status: z.number(), Tags: z.object({ role: z.string().optional(), build: z.string().optional() }) }),
);
const nomadMembers = z.object({
  Members: z.array(
    z.object({
      Status: z.string(),
      Tags: z.object({ region: z.string().optional(), build: z.string().optional() }),
    }),
  ),
});

/** The oldest release that a living server of each agent runs; absent where none could be asked. */
export type ServerVersions = Readonly<Partial<Record<Agent, string>>>;

/**
 * Asks this node's own agents, else the servers to join, as far as their APIs can be reached: not in a cluster with a token, which has them on
 * loopback. Never fails.
 */
export async function serverVersions(host: HostReader, node: NodeConfig): Promise<ServerVersions> {
  const places = [
    '127.0.0.1',
    ...(node.insecure ? node.join.flatMap(join => ('address' in join ? [join.address] : [])) : []),
  ];
  const [nomad, consul] = await Promise.all([
    firstAnswer(places, async place => {
      const { Members } = nomadMembers.parse(await ask(host, `http://${place}:4646/v1/agent/members`));
      const servers = Members.filter(({ Status, Tags }) => Status === 'alive' && Tags.region === node.region);
      return oldest(servers.map(({ Tags }) => Tags.build));
    }),
    firstAnswer(places, async place => {
      const members = consulMembers.parse(await ask(host, `http://${place}:8500/v1/agent/members`));
      const servers = members.filter(({ Status, Tags }) => Status === 1 && Tags.role === 'consul');
      return oldest(servers.map(({ Tags }) => Tags.build?.split(':')[0]));
    }),
  ]);
  return { ...(nomad === undefined ? {} : { nomad }), ...(consul === undefined ? {} : { consul }) };
}

async function firstAnswer(
  places: readonly string[],
  versionAt: (place: string) => Promise<string | undefined>,
): Promise<string | undefined> {
  for (const place of places) {
    const version = await versionAt(place).catch(unlessInterrupted);
    if (version !== undefined) return version;
  }
  return undefined;
}

/** No answer, or one that makes no sense, is as good as none. */
function unlessInterrupted(error: unknown): undefined {
  if (error instanceof BootstrapError && error.code !== 'unreachable') throw error;
}

async function ask(host: HostReader, url: string): Promise<unknown> {
  const { body } = await host.request(url, { timeoutMs: attemptMs });
  return JSON.parse(new TextDecoder().decode(body));
}

function oldest(builds: readonly (string | undefined)[]): string | undefined {
  // `2.0.5+ent` and `2.1.0-beta.1` as well.
  const versions = builds.flatMap(build => releaseOf(/^\d+\.\d+\.\d+/.exec(build ?? '')?.[0] ?? '') ?? []);
  return versions.sort(compareReleases)[0];
}

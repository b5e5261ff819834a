import { BootstrapError } from '../core/errors.ts';
import type { Host, HostReader, Path, Resource } from '../core/types.ts';
import { readUnit } from '../core/unit.ts';
import { drainedMark } from './eligibility.ts';
import { clientState, type OwnNode, ownNode, send, told } from './local-api.ts';

/** What still runs after this time is stopped. */
export const drainSeconds = 180;
/** What the mark holds until the node is empty: a crash in between must not pass for a drain. */
const begun = 'begun\n';
/** Drained tasks have their own time to end, 5 s where a job does not say. */
const marginSeconds = 30;

/**
 * A node that runs no jobs any more: those that it has are moved away before its agent stops being a client, which would leave
 * them running with nobody to look after them. `serversOnly` is the file that a Nomad without a client has. Undo: `none`. Throws
 * `agent-refused`.
 */
export function drain(api: string, serversOnly: Path): Resource {
  return {
    id: 'drain:nomad',
    async plan(host) {
      const [client, server, mark] = await Promise.all(
        [`${clientState}/client-id`, serversOnly, drainedMark].map(path => host.readText(path)),
      );
      if (client === undefined || server !== undefined || mark === '') return undefined;
      // What was cut off is gone on with, but not in data that an uninstallation kept.
      if (mark === begun && (await readUnit(host, 'nomad')).activeState !== 'active') return undefined;
      return {
        summary: `move the jobs of this node to others, and stop what is left after ${drainSeconds} s`,
        undo: { kind: 'none' },
        async apply(target) {
          const trouble = await drainNode(target, api, drainSeconds);
          if (trouble === undefined) return;
          throw new BootstrapError(
            'agent-refused',
            `this node is to run no jobs any more, and is left as it is: ${trouble}`,
            {
              hint: `see what it runs: nomad node status -self; drain it by hand: nomad node drain -self -enable; where nothing runs any more, move ${clientState} away; then run the same command again`,
            },
          );
        },
      };
    },
  };
}

/**
 * Moves the allocations of this node away and waits until they have ended, and leaves a mark for when it comes back. Returns what
 * went wrong, in a sentence.
 */
export async function drainNode(host: Host, api: string, seconds: number): Promise<string | undefined> {
  const node = await ownNode(host, api);
  if (node === undefined) return undefined;
  // Nanoseconds; a negative deadline stops everything at once, and 0 would be none.
  const spec = { Deadline: seconds === 0 ? -1 : seconds * 1e9, IgnoreSystemJobs: false };
  const order = (body: object) =>
    send(host, `${node.url}/drain`, {
      method: 'PUT',
      headers: node.headers,
      body: JSON.stringify(body),
      timeoutMs: 15_000,
    });

  const answer = await order({ DrainSpec: spec, MarkEligible: false });
  // Nothing is placed on a node that Nomad does not know.
  if (answer?.status === 404) return undefined;
  if (answer?.status !== 200) return `Nomad did not drain it (${told(answer)})`;
  const mark = (content: string) => host.writeFile(drainedMark, content, { mode: 0o600, owner: 'root:root' });
  await mark(begun);
  try {
    if (!(await untilEmpty(host, node, seconds + marginSeconds))) return 'some of its allocations did not end in time';
    await mark('');
    return undefined;
  } catch (error) {
    // Interrupted: the node goes on with its work.
    await order({ DrainSpec: null, MarkEligible: true });
    await host.remove(drainedMark);
    throw error;
  }
}

async function untilEmpty(host: Host, node: OwnNode, seconds: number): Promise<boolean> {
  const startedAt = host.now().getTime();
  for (;;) {
    const left = await stillRunning(host, node);
    if (left === 0) return true;
    const waitedSeconds = Math.round((host.now().getTime() - startedAt) / 1000);
    if (waitedSeconds >= seconds) return false;
    host.waiting('waiting for the allocations of this node to end', waitedSeconds);
    await host.sleep(500);
  }
}

/** How many allocations the drain still waits for; 1 where only Nomad knows how many. */
async function stillRunning(host: HostReader, node: OwnNode): Promise<number> {
  const { DrainStrategy } = (await readJson<{ DrainStrategy?: unknown }>(host, node.url, node)) ?? {};
  if (DrainStrategy !== null && DrainStrategy !== undefined) return 1;
  const allocations = await readJson<{ ClientStatus?: string }[]>(host, `${node.url}/allocations`, node);
  if (!Array.isArray(allocations)) return 0;
  return allocations.filter(({ ClientStatus = '' }) => ['pending', 'running'].includes(ClientStatus)).length;
}

async function readJson<T>(
  host: HostReader,
  url: string,
  { headers }: Pick<OwnNode, 'headers'>,
): Promise<T | undefined> {
  try {
    const { status, body } = await host.request(url, { headers, timeoutMs: 10_000 });
    return status === 200 ? (JSON.parse(new TextDecoder().decode(body)) as T) : undefined;
  } catch (error) {
    if (error instanceof BootstrapError && error.code !== 'unreachable') throw error;
    return undefined;
  }
}

import { BootstrapError } from '../core/errors.ts';
import type { Host, HostReader, HttpResponse, MutatingRequestOptions, Path } from '../core/types.ts';
import { readUnit } from '../core/unit.ts';
import { drainedMark } from './eligibility.ts';
import { quorumGuard } from './quorum-guard.ts';

/** How an agent takes leave of its cluster before it is removed. */
export interface Departure {
  /** What it will try, for people: `drain`, `leave`. Empty when there is nothing to take leave of. */
  plan(host: HostReader): Promise<readonly string[]>;
  /** Throws `would-lose-quorum` when the cluster cannot do without this server. */
  guard(host: HostReader): Promise<void>;
  /** Leaves as far as the cluster answers; what could not be done is told to `remark`. The agent may have ended after it. */
  leave(host: Host): Promise<void>;
}

export interface DepartureOptions {
  /** A server goes even where the cluster could lose its quorum. */
  readonly force: boolean;
  /** What still runs after this time is stopped. */
  readonly drainSeconds: number;
  readonly remark: (message: string) => void;
}

const nomadApi = 'http://127.0.0.1:4646';
const consulApi = 'http://127.0.0.1:8500';
const clientState = '/opt/nomad/data/client';
/** A graceful leave takes both agents some seconds: they wait until it has been told around. */
const leaveSeconds = 60;
/** Drained tasks have their own time to end, 5 s where a job does not say. */
const marginSeconds = 30;

/** A client drains itself; a server leaves raft, which it does at SIGTERM (leave_on_terminate) and not when it is just stopped. */
export function nomadDeparture(options: DepartureOptions): Departure {
  const isServer = (host: HostReader) => exists(host, '/opt/nomad/data/server');
  return {
    async plan(host) {
      const isClient = await exists(host, `${clientState}/client-id`);
      return [...(isClient ? ['drain'] : []), ...((await isServer(host)) ? ['leave'] : [])];
    },
    async guard(host) {
      await guardServer('Nomad', nomadApi, await isServer(host), options.force)(host);
    },
    async leave(host) {
      await drain(host, options);
      if (!(await isServer(host))) return;
      // --kill-who is what systemd before 252 calls --kill-whom, and later ones still take it.
      await host.run(['systemctl', 'kill', '--kill-who=main', '--signal=SIGTERM', 'nomad.service']);
      if (!(await ended(host, 'nomad')))
        options.remark('Nomad did not leave its cluster in time and was stopped; see: nomad server members');
    },
  };
}

/** Servers and clients leave alike: a client's node and services go from the catalog at once. */
export function consulDeparture({ force, remark }: DepartureOptions): Departure {
  return {
    plan: async () => ['leave'],
    async guard(host) {
      await guardServer('Consul', consulApi, await exists(host, '/opt/consul/raft'), force)(host);
    },
    async leave(host) {
      const answer = await send(host, `${consulApi}/v1/agent/leave`, { method: 'PUT', timeoutMs: leaveSeconds * 1000 });
      if (answer === undefined || answer.status !== 200) remark(`Consul did not leave its cluster: ${told(answer)}`);
      else await ended(host, 'consul');
    },
  };
}

function guardServer(product: 'Consul' | 'Nomad', api: string, runsServer: boolean, force: boolean) {
  // How many servers were expected once says nothing now: the peers do.
  return quorumGuard(product, api, { config: { node: { runsServer }, force } }, 'removed');
}

/** The node's own secret is enough for Nomad to let it drain itself, also where access control is on. */
async function drain(host: Host, { drainSeconds, remark }: DepartureOptions): Promise<void> {
  const id = (await host.readText(`${clientState}/client-id`))?.trim();
  if (id === undefined) return;
  const secret = (await host.readText(`${clientState}/secret-id`))?.trim() ?? '';
  const node = `${nomadApi}/v1/node/${id}`;
  const headers = { 'X-Nomad-Token': secret };
  // Nanoseconds; a negative deadline stops everything at once, and 0 would be none.
  const spec = { Deadline: drainSeconds === 0 ? -1 : drainSeconds * 1e9, IgnoreSystemJobs: false };
  const order = (body: object) =>
    send(host, `${node}/drain`, { method: 'PUT', headers, body: JSON.stringify(body), timeoutMs: 15_000 });

  const answer = await order({ DrainSpec: spec, MarkEligible: false });
  if (answer === undefined || answer.status !== 200) {
    remark(`this node was not drained, so its jobs end without notice: ${told(answer)}`);
    return;
  }
  // For a client that comes back with its data.
  await host.writeFile(drainedMark, '', { mode: 0o600, owner: 'root:root' });
  try {
    if (!(await drained(host, node, headers, drainSeconds + marginSeconds)))
      remark('some allocations of this node did not end in time');
  } catch (error) {
    // Interrupted: the node goes on with its work.
    await order({ DrainSpec: null, MarkEligible: true });
    await host.remove(drainedMark);
    throw error;
  }
}

async function drained(
  host: Host,
  node: string,
  headers: Readonly<Record<string, string>>,
  seconds: number,
): Promise<boolean> {
  const startedAt = host.now().getTime();
  for (;;) {
    const left = await stillRunning(host, node, headers);
    if (left === 0) return true;
    const waitedSeconds = Math.round((host.now().getTime() - startedAt) / 1000);
    if (waitedSeconds >= seconds) return false;
    host.waiting('waiting for the allocations of this node to end', waitedSeconds);
    await host.sleep(500);
  }
}

/** How many allocations the drain still waits for; 1 where only Nomad knows how many. */
async function stillRunning(
  host: HostReader,
  node: string,
  headers: Readonly<Record<string, string>>,
): Promise<number> {
  const { DrainStrategy } = (await readJson<{ DrainStrategy?: unknown }>(host, node, headers)) ?? {};
  if (DrainStrategy !== null && DrainStrategy !== undefined) return 1;
  const allocations = await readJson<{ ClientStatus?: string }[]>(host, `${node}/allocations`, headers);
  if (!Array.isArray(allocations)) return 0;
  return allocations.filter(({ ClientStatus = '' }) => ['pending', 'running'].includes(ClientStatus)).length;
}

async function readJson<T>(
  host: HostReader,
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<T | undefined> {
  try {
    const { status, body } = await host.request(url, { headers, timeoutMs: 10_000 });
    return status === 200 ? (JSON.parse(new TextDecoder().decode(body)) as T) : undefined;
  } catch (error) {
    if (error instanceof BootstrapError && error.code !== 'unreachable') throw error;
    return undefined;
  }
}

async function send(host: Host, url: string, options: MutatingRequestOptions): Promise<HttpResponse | undefined> {
  try {
    return await host.send(url, options);
  } catch (error) {
    if (error instanceof BootstrapError && error.code === 'unreachable') return undefined;
    throw error;
  }
}

function told(answer: HttpResponse | undefined): string {
  if (answer === undefined) return 'no answer';
  return `${answer.status} ${new TextDecoder().decode(answer.body).trim().split('\n')[0] ?? ''}`.trim();
}

async function ended(host: Host, unit: string): Promise<boolean> {
  const deadline = host.now().getTime() + leaveSeconds * 1000;
  while (isUp((await readUnit(host, unit)).activeState)) {
    if (host.now().getTime() > deadline) return false;
    await host.sleep(200);
  }
  return true;
}

/** Whether a unit in this state has processes, or is about to. */
export function isUp(activeState: string): boolean {
  return activeState !== 'inactive' && activeState !== 'failed';
}

async function exists(host: HostReader, path: Path): Promise<boolean> {
  return (await host.stat(path)) !== undefined;
}

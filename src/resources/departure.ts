import type { Host, HostReader, Path } from '../core/types.ts';
import { readUnit } from '../core/unit.ts';
import { drainNode } from './drain.ts';
import { clientState, send, told } from './local-api.ts';
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
/** A graceful leave takes both agents some seconds: they wait until it has been told around. */
const leaveSeconds = 60;

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
      const trouble = await drainNode(host, nomadApi, options.drainSeconds);
      if (trouble !== undefined) options.remark(`jobs of this node end without notice: ${trouble}`);
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

import * as z from 'zod';
import { BootstrapError, hasCode } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import type { CheckOutcome, CheckResult, Host } from '../core/types.ts';
import { isSecure, isSecureServer, type NodeTarget } from '../target.ts';
import { nomad, readAgent } from './agents.ts';
import { fail, pass } from './health-check.ts';

export interface CanaryOptions {
  /** Any image with busybox in it. Default: {@link canaryImage}. */
  readonly image?: string | undefined;
  /** How long a job may take until it serves, its image included. Default 60. */
  readonly waitSeconds?: number;
}

/** The image of the canary in Docker: pinned, since it runs on the cluster. amd64 and arm64. */
export const canaryImage = 'busybox:1.36.1@sha256:73aaf090f3d85aa34ee199857f03fa3a95c8ede2ffd4cc2cdb5b94e566b11662';

const id = 'canary';
const title = 'A job is placed, serves and goes again';
const pollMs = 250;
/** How long a stopped job may take to be gone. */
const goneSeconds = 20;
/** A canary that nobody could take away, as after a power cut, ends by itself. */
const lifeSeconds = 300;

/**
 * Runs a small job through the real scheduler (on this node, where it is a client), asks it over the network and takes it
 * away again, whatever happens: also when the run is interrupted. In Docker where the image can be had, else with the exec or
 * raw_exec driver. Never throws but for an interruption.
 */
export async function runCanary(host: Host, target: NodeTarget, options: CanaryOptions = {}): Promise<CheckResult> {
  const startedAt = host.now().getTime();
  // One for each run: another one may be under way.
  const jobId = `nomad-bootstrap-canary-${target.config.node.name}-${startedAt}`;
  const outcome = await fly(host, target, jobId, options).catch((error: unknown): CheckOutcome => {
    if (error instanceof BootstrapError && error.code !== 'interrupted' && error.code !== 'terminated') {
      return fail(error.message, error.hint);
    }
    throw error;
  });
  return { id, title, ...outcome, durationMs: host.now().getTime() - startedAt };
}

/**
 * What the canary is run with in a cluster with a token: `given` (NOMAD_TOKEN), else on a server what follows from the cluster's token.
 * Throws `bad-usage` on a client without one: it holds nothing that may run a job.
 */
export function canaryToken(target: NodeTarget, given: Secret | undefined): Secret | undefined {
  if (given !== undefined || !isSecure(target)) return given;
  if (isSecureServer(target)) return target.credentials.nomadManagement;
  throw new BootstrapError('bad-usage', '--canary needs a token that may run jobs, and a client holds none', {
    hint: 'run it on a server; or here with a token of yours in NOMAD_TOKEN: sudo --preserve-env=NOMAD_TOKEN nomad-bootstrap verify --canary. Nothing was touched.',
  });
}

type Driver = 'docker' | 'exec' | 'raw_exec';

async function fly(host: Host, target: NodeTarget, jobId: string, options: CanaryOptions): Promise<CheckOutcome> {
  const clients = await eligibleClients(host, target);
  if (clients.length === 0) {
    return fail(
      target.config.node.runsClient ? 'this client is not ready for jobs' : 'no client is ready for jobs',
      target.config.node.runsClient
        ? 'nomad-bootstrap verify --only nomad-client-ready says why'
        : 'bring up a client: nomad-bootstrap client --join with the servers; see nomad node status',
    );
  }
  const drivers = (['docker', 'exec', 'raw_exec'] as const).filter(driver =>
    clients.some(({ Drivers }) => Drivers[driver]?.Healthy),
  );

  let imageMissing = '';
  for (const driver of drivers) {
    const flight = await flyOnce(host, target, jobId, driver, options);
    if (!flight.imageMissing) {
      const { outcome } = flight;
      return imageMissing === '' ? outcome : { ...outcome, detail: `${outcome.detail} (${imageMissing})` };
    }
    imageMissing = 'not in Docker: its image cannot be had';
  }
  return fail(
    imageMissing === '' ? 'no client has a healthy driver for it (docker, exec, raw_exec)' : imageMissing,
    'name one that can be had, from a registry of your own or already on the node: --canary-image IMAGE; nomad node status -self -verbose shows the drivers',
  );
}

interface Flight {
  readonly outcome: CheckOutcome;
  readonly imageMissing: boolean;
}

async function flyOnce(
  host: Host,
  target: NodeTarget,
  jobId: string,
  driver: Driver,
  options: CanaryOptions,
): Promise<Flight> {
  const token = `${jobId} answers`;
  const image = options.image ?? canaryImage;
  const waitSeconds = options.waitSeconds ?? 60;
  let flight: Flight;
  let stillRunning: string | undefined;
  try {
    const job = jobOf(jobId, token, driver, image, placementOf(target));
    const { EvalID, JobModifyIndex } = await register(host, job);
    flight = await follow(host, { jobId, token, driver, image, evalId: EvalID, index: JobModifyIndex, waitSeconds });
    stillRunning = await stop(host, jobId);
  } finally {
    // The job and its records, and whatever runs when the run was interrupted.
    await host.send(`${nomad.url}/v1/job/${jobId}?purge=true`, { method: 'DELETE' }).catch(() => undefined);
  }
  const { status } = await host.request(`${nomad.url}/v1/job/${jobId}`);
  const left = stillRunning ?? (status === 404 ? undefined : `the job ${jobId} could not be taken away`);
  if (left === undefined) return flight;
  return { outcome: fail(left, `nomad job stop -purge ${jobId}; nomad node status -self`), imageMissing: false };
}

interface Registration {
  readonly jobId: string;
  readonly token: string;
  readonly driver: Driver;
  readonly image: string;
  readonly evalId: string;
  readonly index: number;
  readonly waitSeconds: number;
}

/** From the scheduler's answer to the job's own. */
async function follow(host: Host, job: Registration): Promise<Flight> {
  const startedAt = host.now().getTime();
  const deadline = startedAt + job.waitSeconds * 1000;
  let state = 'not placed yet';
  while (host.now().getTime() < deadline) {
    const allocation = (await allocationsOf(host, job.jobId)).find(({ CreateIndex }) => CreateIndex >= job.index);
    if (allocation === undefined) {
      const obstacle = await whyNotPlaced(host, job.evalId);
      if (obstacle !== undefined) return landed(fail(`not placed: ${obstacle}`, placementHint));
    } else if (allocation.ClientStatus === 'running') {
      state = await answer(host, allocation, job.token);
      if (state === '') {
        const seconds = ((host.now().getTime() - startedAt) / 1000).toFixed(1);
        return landed(pass(`${job.driver} on ${allocation.NodeName}: served after ${seconds} s, and is gone`));
      }
    } else if (allocation.ClientStatus !== 'pending') {
      return crashed(allocation, job);
    } else {
      state = `${allocation.NodeName}: ${lastEvent(allocation) || 'starting'}`;
    }
    const waitedSeconds = Math.floor((host.now().getTime() - startedAt) / 1000);
    host.waiting(`the canary (${job.driver}) does not serve yet`, waitedSeconds);
    await host.sleep(pollMs);
  }
  const imageMissing = job.driver === 'docker' && /image/i.test(state);
  const detail = `${job.driver}: not serving after ${job.waitSeconds} s (${state})`;
  return {
    outcome: fail(detail, 'see the same in the scheduler: nomad node status; journalctl -u nomad -n 50'),
    imageMissing,
  };
}

const placementHint =
  'the same would happen to every job: nomad node status -self -verbose shows what the client offers; verify without --canary says what is wrong with it';

function landed(outcome: CheckOutcome): Flight {
  return { outcome, imageMissing: false };
}

function crashed(allocation: Allocation, { driver, image }: Registration): Flight {
  const event = lastEvent(allocation);
  // Other images are pulled as well, for the network of a job on a bridge: where those fail, so does every job.
  const repository = image.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
  return {
    outcome: fail(
      `${driver} on ${allocation.NodeName}: ${allocation.ClientStatus}: ${event || allocation.ClientDescription}`,
      'every job with this driver or network will fail like this: journalctl -u nomad -n 50 on that node',
    ),
    imageMissing: driver === 'docker' && /pull|image/i.test(event) && event.includes(repository),
  };
}

/** What the client says went wrong, or is under way. */
function lastEvent({ TaskStates }: Allocation): string {
  const events = Object.values(TaskStates ?? {}).flatMap(({ Events }) => Events ?? []);
  const telling = events.filter(({ Type }) => /fail/i.test(Type)).at(-1) ?? events.at(-1);
  return (telling?.DisplayMessage ?? '').split('\n')[0]?.slice(0, 240) ?? '';
}

/** Empty when the job answers with its token, else what is in the way. */
async function answer(host: Host, { ID }: Allocation, token: string): Promise<string> {
  const { AllocatedResources } = await readAgent(host, nomad, `/v1/allocation/${ID}`, allocationDetail);
  const port = AllocatedResources.Shared.Ports?.[0];
  if (port === undefined) return 'it got no port';
  const place = `${port.HostIP}:${port.Value}`;
  try {
    const { body } = await host.request(`http://${place}/`, { timeoutMs: 2000 });
    return new TextDecoder().decode(body).includes(token) ? '' : `something else answers at ${place}`;
  } catch (error) {
    if (hasCode(error, 'unreachable')) return `running, but ${place} does not answer`;
    throw error;
  }
}

async function whyNotPlaced(host: Host, evalId: string): Promise<string | undefined> {
  const { Status, StatusDescription, FailedTGAllocs } = await readAgent(
    host,
    nomad,
    `/v1/evaluation/${evalId}`,
    evaluation,
  );
  if (Status === 'failed') return StatusDescription ?? 'the evaluation failed';
  const metric = Object.values(FailedTGAllocs ?? {})[0];
  if (metric === undefined) return undefined;
  const reasons = [
    ...Object.keys(metric.ConstraintFiltered ?? {}),
    ...Object.keys(metric.DimensionExhausted ?? {}).map(dimension => `no ${dimension} left`),
  ];
  return reasons.length > 0 ? reasons.join(', ') : `none of ${metric.NodesEvaluated} nodes fits`;
}

/** Stops the job and waits until its clients say that nothing of it runs; else says where it does. */
async function stop(host: Host, jobId: string): Promise<string | undefined> {
  await host.send(`${nomad.url}/v1/job/${jobId}`, { method: 'DELETE' });
  const deadline = host.now().getTime() + goneSeconds * 1000;
  for (;;) {
    const running = (await allocationsOf(host, jobId)).filter(({ ClientStatus }) =>
      ['pending', 'running'].includes(ClientStatus),
    );
    if (running.length === 0) return undefined;
    if (host.now().getTime() >= deadline) {
      return `the job ${jobId} was stopped, but still runs on ${running.map(({ NodeName }) => NodeName).join(', ')}`;
    }
    await host.sleep(pollMs);
  }
}

async function allocationsOf(host: Host, jobId: string): Promise<readonly Allocation[]> {
  return readAgent(host, nomad, `/v1/job/${jobId}/allocations?all=true`, z.array(allocationStub));
}

async function eligibleClients(host: Host, target: NodeTarget): Promise<readonly z.infer<typeof nodeStub>[]> {
  const nodes = await readAgent(host, nomad, '/v1/nodes', z.array(nodeStub));
  return nodes.filter(
    ({ Name, Status, SchedulingEligibility }) =>
      Status === 'ready' &&
      SchedulingEligibility === 'eligible' &&
      (!target.config.node.runsClient || Name === target.config.node.name),
  );
}

/** On a client the job is held to it: whether jobs run here is the question. */
function placementOf({ config: { node } }: NodeTarget): readonly object[] {
  return node.runsClient ? [{ LTarget: interpolated('node.unique.name'), RTarget: node.name, Operand: '=' }] : [];
}

/** A reference that Nomad, not this program, resolves. */
function interpolated(name: string): string {
  return `\${${name}}`;
}

/** Durations are in nanoseconds, sizes in megabytes. Source: https://developer.hashicorp.com/nomad/api-docs/json-jobs */
function jobOf(jobId: string, token: string, driver: Driver, image: string, constraints: readonly object[]): object {
  // raw_exec has no network of its own.
  const network =
    driver === 'raw_exec'
      ? { Mode: 'host', DynamicPorts: [{ Label: 'http' }] }
      : { Mode: 'bridge', DynamicPorts: [{ Label: 'http', To: 8080 }] };
  const second = 1_000_000_000;
  return {
    ID: jobId,
    Name: jobId,
    // A batch job is not started again when its life is over.
    Type: 'batch',
    Datacenters: ['*'],
    NodePool: 'all',
    Constraints: constraints,
    TaskGroups: [
      {
        Name: id,
        Count: 1,
        RestartPolicy: { Attempts: 0, Interval: 60 * second, Delay: second, Mode: 'fail' },
        ReschedulePolicy: { Attempts: 0, Interval: 60 * second, Unlimited: false },
        EphemeralDisk: { SizeMB: 10 },
        Networks: [network],
        Tasks: [
          {
            Name: id,
            Driver: driver,
            Config: taskConfig(driver, token, image),
            Resources: { CPU: 50, MemoryMB: 48 },
            LogConfig: { MaxFiles: 1, MaxFileSizeMB: 1 },
            KillTimeout: second,
          },
        ],
      },
    ],
  };
}

/** A server of one text. On the host systemd listens and a shell answers: both are wherever this program runs. */
function taskConfig(driver: Driver, token: string, image: string): object {
  const port = interpolated('NOMAD_PORT_http');
  if (driver === 'docker') {
    const script = `mkdir -p /tmp/www && echo '${token}' >/tmp/www/index.html && exec timeout ${lifeSeconds} httpd -f -p ${port} -h /tmp/www`;
    return { image, command: 'sh', args: ['-c', script] };
  }
  const reply = `cr=$(printf '\\r'); while read -r line && [ "$line" != "$cr" ]; do :; done; printf 'HTTP/1.0 200 OK\\r\\nConnection: close\\r\\n\\r\\n%s\\n' '${token}'`;
  const listen = ['systemd-socket-activate', '--accept', '--inetd', `--listen=0.0.0.0:${port}`];
  return { command: '/usr/bin/timeout', args: [String(lifeSeconds), ...listen, '/bin/sh', '-c', reply] };
}

/** Registers the job. Throws `agent-refused` when Nomad will not have it. */
async function register(host: Host, job: object): Promise<z.infer<typeof registered>> {
  const response = await host.send(`${nomad.url}/v1/jobs`, { method: 'PUT', body: JSON.stringify({ Job: job }) });
  const text = new TextDecoder().decode(response.body);
  const answer = response.status === 200 ? registered.safeParse(parseJson(text)) : undefined;
  if (answer?.success) return answer.data;
  throw new BootstrapError(
    'agent-refused',
    `Nomad answered ${response.status} to the job: ${text.trim().slice(0, 160)}`,
    {
      hint: 'see what it has against it: journalctl -u nomad -n 50; with access control the token must be allowed to submit jobs',
    },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const registered = z.object({ EvalID: z.string(), JobModifyIndex: z.number() });

const nodeStub = z.object({
  Name: z.string(),
  Status: z.string(),
  SchedulingEligibility: z.string(),
  Drivers: z.record(z.string(), z.object({ Healthy: z.boolean() })),
});

const counts = z.record(z.string(), z.number()).nullish();

const evaluation = z.object({
  Status: z.string(),
  StatusDescription: z.string().optional(),
  FailedTGAllocs: z
    .record(
      z.string(),
      z.object({ NodesEvaluated: z.number(), ConstraintFiltered: counts, DimensionExhausted: counts }),
    )
    .nullish(),
});

const allocationStub = z.object({
  ID: z.string(),
  NodeName: z.string(),
  ClientStatus: z.string(),
  ClientDescription: z.string(),
  CreateIndex: z.number(),
  TaskStates: z
    .record(
      z.string(),
      z.object({ Events: z.array(z.object({ Type: z.string(), DisplayMessage: z.string() })).nullable() }),
    )
    .nullable(),
});

type Allocation = z.infer<typeof allocationStub>;

const allocationDetail = z.object({
  AllocatedResources: z.object({
    Shared: z.object({ Ports: z.array(z.object({ Value: z.number(), HostIP: z.string() })).nullable() }),
  }),
});

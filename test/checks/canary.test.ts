import { describe, expect, test } from 'vitest';
import { canaryToken, runCanary } from '../../src/checks/canary.ts';
import { BootstrapError } from '../../src/core/errors.ts';
import { Secret } from '../../src/core/secret.ts';
import type { Host } from '../../src/core/types.ts';
import { credentialsOf } from '../../src/token/credentials.ts';
import { parseToken } from '../../src/token/format.ts';
import { type FixtureAnswer, type FixtureHost, fixtureHost } from '../support/fixture-host.ts';
import { testClientToken, testServerToken } from '../token/vectors.ts';
import { describedClient, describedServer, json, nomadUrl } from './node.ts';

const job = `${nomadUrl}/v1/job/nomad-bootstrap-canary-nomad-c1-1795348800000`;

// The number is the time at which a described host begins.

/** How a cluster takes the canary, in the shapes that Nomad 2.0.5 answered. */
interface Cluster {
  readonly drivers?: readonly string[];
  /** What becomes of the allocation with each driver: its states one after another, the last one for good. */
  readonly states?: (driver: string) => readonly object[];
  readonly evaluation?: object;
  readonly registration?: FixtureAnswer;
  readonly staysKnown?: boolean;
  readonly staysRunning?: boolean;
  readonly nodes?: readonly object[];
}

const running = { ClientStatus: 'running' };

/** A host beside such a cluster. What the job serves follows from what was registered. */
function hostBeside(cluster: Cluster): FixtureHost {
  let driver = '';
  let token = '';
  let seen = 0;
  let stopped = false;

  const allocation = (): object[] => {
    const states = cluster.states?.(driver) ?? [running];
    if (stopped) return [stub({ ClientStatus: cluster.staysRunning ? 'running' : 'complete' })];
    const state = states[Math.min(seen, states.length - 1)];
    seen += 1;
    return state === undefined ? [] : [stub(state)];
  };
  const host: FixtureHost = fixtureHost({
    requests: {
      [`GET ${nomadUrl}/v1/nodes`]: json(cluster.nodes ?? [client(cluster.drivers ?? ['docker', 'exec'])]),
      [`PUT ${nomadUrl}/v1/jobs`]: () => {
        const sent = host.log.findLast(entry => entry.kind === 'send');
        const { Job } = JSON.parse((sent?.kind === 'send' && sent.body) || '{}');
        const task = Job.TaskGroups[0].Tasks[0];
        driver = task.Driver;
        token = /'(nomad-bootstrap-canary-[^']+)'/.exec(task.Config.args.at(-1))?.[1] ?? '';
        seen = 0;
        stopped = false;
        return cluster.registration ?? json({ EvalID: 'e1', JobModifyIndex: 40, EvalCreateIndex: 40, Warnings: '' });
      },
      [`GET ${nomadUrl}/v1/evaluation/e1`]: json({ ID: 'e1', Status: 'complete', ...cluster.evaluation }),
      [`GET ${job}/allocations?all=true`]: () => json(allocation()),
      [`GET ${nomadUrl}/v1/allocation/a1`]: json({
        AllocatedResources: { Shared: { Ports: [{ Label: 'http', Value: 20123, To: 8080, HostIP: '127.0.1.21' }] } },
      }),
      'GET http://127.0.1.21:20123/': () => ({ body: `${token}\n` }),
      [`DELETE ${job}`]: () => {
        stopped = true;
        return json({ EvalID: 'e2' });
      },
      [`DELETE ${job}?purge=true`]: json({ EvalID: 'e3' }),
      [`GET ${job}`]: cluster.staysKnown ? json({ ID: 'x' }) : { status: 404, body: 'job not found' },
    },
  });
  return host;
}

function client(drivers: readonly string[], fields: object = {}): object {
  return {
    Name: 'nomad-c1',
    Status: 'ready',
    SchedulingEligibility: 'eligible',
    Drivers: Object.fromEntries(drivers.map(name => [name, { Healthy: true }])),
    ...fields,
  };
}

function stub(state: object): object {
  return {
    ID: 'a1',
    NodeName: 'nomad-c1',
    ClientDescription: '',
    CreateIndex: 41,
    TaskStates: null,
    ...state,
  };
}

function failedWith(type: string, message: string): object {
  const Events = [
    { Type: 'Received', DisplayMessage: 'Task received by client' },
    { Type: type, DisplayMessage: message },
    { Type: 'Task Setup', DisplayMessage: 'Building Task Directory' },
  ];
  return { ClientStatus: 'failed', TaskStates: { canary: { Events } } };
}

/** What was sent to Nomad, without the addresses' beginning. */
function sent(host: FixtureHost): readonly string[] {
  return host.log.map(entry => (entry.kind === 'send' ? `${entry.method} ${entry.url.replace(nomadUrl, '')}` : ''));
}

async function fly(cluster: Cluster) {
  const host = hostBeside(cluster);
  const { target } = await describedClient();
  const result = await runCanary(host, target, { waitSeconds: 5 });
  return { host, result };
}

const taken = [
  'PUT /v1/jobs',
  'DELETE /v1/job/nomad-bootstrap-canary-nomad-c1-1795348800000',
  'DELETE /v1/job/nomad-bootstrap-canary-nomad-c1-1795348800000?purge=true',
];

describe('the canary', () => {
  test('passes when its job answers, and is stopped, then taken away', async () => {
    const { host, result } = await fly({ states: () => [{ ClientStatus: 'pending' }, running] });

    expect(result).toMatchObject({
      id: 'canary',
      status: 'pass',
      detail: 'docker on nomad-c1: served after 0.3 s, and is gone',
    });
    expect(sent(host)).toEqual(taken);
  });

  test('is held to this node where it is a client, and free on a server', async () => {
    const constraints = (host: FixtureHost) => {
      const [first] = host.log;
      return JSON.parse((first?.kind === 'send' && first.body) || '{}').Job.Constraints;
    };
    const onClient = hostBeside({});
    await runCanary(onClient, (await describedClient()).target);
    const onServer = hostBeside({});
    const { target } = await describedServer('three-servers', { node: { name: 'nomad-c1' } });
    await runCanary(onServer, target);

    expect(constraints(onClient)).toEqual([{ LTarget: `\${node.unique.name}`, RTarget: 'nomad-c1', Operand: '=' }]);
    expect(constraints(onServer)).toEqual([]);
  });

  test('runs without Docker where its image cannot be had', async () => {
    const { host, result } = await fly({
      states: driver =>
        driver === 'docker'
          ? [
              failedWith(
                'Driver Failure',
                'Failed to pull `busybox`: dial tcp: lookup registry-1.docker.io: no such host',
              ),
            ]
          : [running],
    });

    expect(result).toMatchObject({
      status: 'pass',
      detail: 'exec on nomad-c1: served after 0.0 s, and is gone (not in Docker: its image cannot be had)',
    });
    expect(sent(host)).toEqual([...taken, ...taken]);
  });

  test('fails where another image cannot be had, without which no job in Docker gets a network', async () => {
    const { result } = await fly({
      states: () => [
        failedWith(
          'Setup Failure',
          'failed to create network for alloc: Failed to pull registry.k8s.io/pause-amd64:3.3',
        ),
      ],
    });

    expect(result).toMatchObject({ status: 'fail', detail: expect.stringContaining('pause-amd64') });
  });

  test('fails with the client’s own words, and is taken away', async () => {
    const { host, result } = await fly({
      drivers: ['exec'],
      states: () => [failedWith('Setup Failure', 'failed to configure networking: exec: "iptables": not found')],
    });

    expect(result).toMatchObject({
      status: 'fail',
      detail: 'exec on nomad-c1: failed: failed to configure networking: exec: "iptables": not found',
    });
    expect(sent(host)).toEqual(taken);
  });

  test('fails with the scheduler’s reason when it is not placed', async () => {
    const { result } = await fly({
      states: () => [],
      evaluation: {
        FailedTGAllocs: {
          canary: {
            NodesEvaluated: 1,
            ConstraintFiltered: { 'missing network': 1 },
            DimensionExhausted: { memory: 1 },
          },
        },
      },
    });

    expect(result).toMatchObject({ status: 'fail', detail: 'not placed: missing network, no memory left' });
  });

  test('gives up after its time, and is taken away', async () => {
    const { host, result } = await fly({ drivers: ['raw_exec'], states: () => [{ ClientStatus: 'pending' }] });

    expect(result).toMatchObject({
      status: 'fail',
      detail: 'raw_exec: not serving after 5 s (nomad-c1: starting)',
    });
    expect(sent(host)).toEqual(taken);
  });

  test('fails when Nomad will not have the job', async () => {
    const { result } = await fly({ registration: { status: 403, body: 'Permission denied' } });

    expect(result).toMatchObject({ status: 'fail', detail: 'Nomad answered 403 to the job: Permission denied' });
  });

  test.each([
    [
      'the job stays',
      { staysKnown: true },
      'the job nomad-bootstrap-canary-nomad-c1-1795348800000 could not be taken away',
    ],
    [
      'it runs on',
      { staysRunning: true },
      'the job nomad-bootstrap-canary-nomad-c1-1795348800000 was stopped, but still runs on nomad-c1',
    ],
  ])('fails when it served but %s', async (_name, cluster, detail) => {
    expect((await fly(cluster)).result).toMatchObject({ status: 'fail', detail });
  });

  test('fails without a client or a driver to run on, and sends nothing', async () => {
    for (const nodes of [[], [client(['docker'], { SchedulingEligibility: 'ineligible' })], [client([])]]) {
      const { host, result } = await fly({ nodes });

      expect(result.status).toBe('fail');
      expect(sent(host)).toEqual([]);
    }
  });

  test('is taken away when the run is interrupted', async () => {
    const host = hostBeside({ states: () => [{ ClientStatus: 'pending' }] });
    const interrupted: Host = {
      ...host,
      async sleep() {
        throw new BootstrapError('interrupted', 'interrupted', { hint: 'run it again' });
      },
    };
    const { target } = await describedClient();

    await expect(runCanary(interrupted, target)).rejects.toMatchObject({ code: 'interrupted' });
    expect(sent(host).at(-1)).toBe('DELETE /v1/job/nomad-bootstrap-canary-nomad-c1-1795348800000?purge=true');
  });
});

describe('the token of the canary', () => {
  const given = new Secret('an-operators-token');
  const server = async () => ({
    ...(await describedServer('three-servers')).target,
    credentials: await credentialsOf(parseToken(new Secret(testServerToken))),
  });
  const client = async () => ({
    ...(await describedClient()).target,
    credentials: await credentialsOf(parseToken(new Secret(testClientToken))),
  });

  test('is what NOMAD_TOKEN holds, on every node', async () => {
    for (const target of [await server(), await client(), (await describedClient()).target]) {
      expect(canaryToken(target, given)).toBe(given);
    }
  });

  test('follows on a server from the token of its cluster, and is none where there is no access control', async () => {
    const target = await server();
    if (target.credentials.kind !== 'server') expect.fail();

    expect(canaryToken(target, undefined)).toBe(target.credentials.nomadManagement);
    expect(canaryToken((await describedClient()).target, undefined)).toBeUndefined();
  });

  test('is not on a client, which says so before anything is sent', async () => {
    const target = await client();

    expect(() => canaryToken(target, undefined)).toThrow(
      expect.objectContaining({ code: 'bad-usage', hint: expect.stringMatching(/on a server.*NOMAD_TOKEN/) }),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { quorumGuard } from '../../src/resources/quorum-guard.ts';
import { type FixtureAnswer, fixtureHost } from '../support/fixture-host.ts';

const api = 'http://127.0.0.1:8500';
const three = ['10.0.0.11:8300', '10.0.0.12:8300', '10.0.0.13:8300'];

interface Cluster {
  readonly peers: FixtureAnswer | readonly string[];
  readonly health?: FixtureAnswer | { readonly FailureTolerance: number };
  /** Servers that Consul's gossip holds to be alive; default: all three. */
  readonly alive?: number;
}

/** Asks the guard of a server in such a cluster. */
function asked({ peers, health, alive = 3 }: Cluster, force = false, runsServer = true): Promise<void> {
  const json = (value: unknown): FixtureAnswer => ({ body: JSON.stringify(value) });
  const answer = (value: object | string): FixtureAnswer =>
    typeof value === 'string' || 'status' in value || 'body' in value ? (value as FixtureAnswer) : json(value);
  const host = fixtureHost({
    requests: {
      [`GET ${api}/v1/status/peers`]: answer(peers),
      ...(health === undefined
        ? {}
        : {
            [`GET ${api}/v1/operator/autopilot/health`]: answer(health),
            [`GET ${api}/v1/agent/members`]: json(
              [1, 2, 3].map(number => ({ Status: number <= alive ? 1 : 4, Tags: { role: 'consul' } })),
            ),
          }),
    },
  });
  return quorumGuard('Consul', api, { config: { node: { runsServer }, force } })(host);
}

describe('a server', () => {
  it('may go when the others can do without it', async () => {
    await asked({ peers: three, health: { FailureTolerance: 1 } });
  });

  it('may go when it is alone, or when its cluster never formed', async () => {
    await asked({ peers: ['10.0.0.11:8300'] });
    await asked({ peers: [] });
  });

  it('may go when it is down already', async () => {
    await asked({ peers: 'unreachable' });
  });

  it.each<[string, Cluster]>([
    ['one of the others is away', { peers: three, health: { FailureTolerance: 0 } }],
    ['autopilot says 429 of the cluster', { peers: three, health: { status: 429, body: '{"FailureTolerance":0}' } }],
    [
      'one of the others died, and autopilot has not noticed',
      { peers: three, health: { FailureTolerance: 1 }, alive: 2 },
    ],
    ['there are two of them', { peers: three.slice(1), health: { FailureTolerance: 0 } }],
    ['autopilot does not answer', { peers: three, health: 'unreachable' }],
    ['autopilot may not be asked', { peers: three, health: { status: 403, body: 'Permission denied' } }],
    ['autopilot answers something else', { peers: three, health: { body: 'null' } }],
  ])('must stay when %s', async (_, cluster) => {
    await expect(asked(cluster)).rejects.toMatchObject({
      code: 'would-lose-quorum',
      message: expect.stringContaining('Consul must be restarted'),
      hint: expect.stringMatching(/consul operator autopilot health.*--force/),
    });
  });

  it('is asked about by nobody who says --force', async () => {
    await quorumGuard('Nomad', api, { config: { node: { runsServer: true }, force: true } })(fixtureHost());
  });

  it('is what a client is not: it may go at any time', async () => {
    await quorumGuard('Nomad', api, { config: { node: { runsServer: false }, force: false } })(fixtureHost());
  });

  it('that goes for ever is told so', async () => {
    const host = fixtureHost({
      requests: {
        [`GET ${api}/v1/status/peers`]: { body: JSON.stringify(three) },
        [`GET ${api}/v1/operator/autopilot/health`]: { body: '{"FailureTolerance":0}' },
      },
    });
    const removal = quorumGuard('Nomad', api, { config: { node: { runsServer: true }, force: false } }, 'removed');

    await expect(removal(host)).rejects.toMatchObject({ message: expect.stringContaining('Nomad must be removed') });
  });
});

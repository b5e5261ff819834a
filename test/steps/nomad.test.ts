import { describe, expect, it } from 'vitest';
import { decide } from '../../src/config/decide.ts';
import { Secret } from '../../src/core/secret.ts';
import type { Facts } from '../../src/facts/facts.ts';
import { nomadAgent } from '../../src/steps/nomad.ts';
import type { NodeTarget } from '../../src/target.ts';
import { credentialsOf } from '../../src/token/credentials.ts';
import { parseToken } from '../../src/token/format.ts';
import { type FixtureAnswer, type FixtureDescription, fixtureHost } from '../support/fixture-host.ts';
import { testClientToken, testServerToken } from '../token/vectors.ts';

const nodes = 'http://127.0.0.1:8500/v1/catalog/nodes';
const begin = Date.parse('2026-11-22T12:00:00Z');

/** Seconds that Nomad's start is put off, and what was told meanwhile. */
async function waits(role: 'server' | 'client', token: string, requests: FixtureDescription['requests'] = {}) {
  const address = { interface: 'eth1', address: '10.0.0.2', prefixLength: 24, kind: 'vlan' };
  const facts = { hostname: 'nomad-1', candidates: [address], addresses: [] } as unknown as Facts;
  const credentials = await credentialsOf(parseToken(new Secret(token)));
  const config = decide(role, { join: ['10.0.0.1'], expect: 3 }, undefined, facts, credentials);
  const resolution = { nomad: { version: '2.0.5' }, consul: { version: '1.21.4' } };
  const host = fixtureHost({ requests });
  await nomadAgent({ facts, config, platform: {}, resolution, credentials } as unknown as NodeTarget).beforeStart?.(
    host,
  );
  return { seconds: (host.now().getTime() - begin) / 1000, told: host.waits };
}

describe("a client's Nomad does not show its token before the servers know it", () => {
  it('and so starts once they do', async () => {
    const answers: FixtureAnswer[] = ['unreachable', { status: 500 }, { status: 403 }, { status: 200, body: '[]' }];
    let asked = 0;
    const answer = () => answers[asked++] ?? 'unreachable';
    expect(await waits('client', testClientToken, { [`GET ${nodes}`]: answer })).toEqual({
      seconds: 1.5,
      told: Array(3).fill("waiting for: the servers to know this node's token"),
    });
  });

  it('but starts after a minute, so that it goes on by itself where they come later still', async () => {
    expect(await waits('client', testClientToken, { [`GET ${nodes}`]: { status: 403 } })).toMatchObject({
      seconds: 60,
    });
  });

  it("unlike a server's, whose Consul decides by itself", async () => {
    expect(await waits('server', testServerToken)).toEqual({ seconds: 0, told: [] });
  });
});

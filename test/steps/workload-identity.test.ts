import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { workloadIdentity } from '../../src/steps/workload-identity.ts';
import type { Target } from '../../src/target.ts';
import { serverCredentials } from '../../src/token/credentials.ts';
import { parseToken } from '../../src/token/format.ts';
import { type FixtureAnswer, fixtureHost } from '../support/fixture-host.ts';
import { testServerToken } from '../token/vectors.ts';

const method = 'http://127.0.0.1:8500/v1/acl/auth-method/nomad-workloads';
const plain = 'http://127.0.0.1:4646/.well-known/jwks.json';
const secure = 'https://127.0.0.1:4646/.well-known/jwks.json';

/** Which address the step gives to Consul for Nomad's keys; `undefined`: it leaves what there is. */
async function given(own: 'loopback' | 'cluster', others: readonly FixtureAnswer[], found?: string): Promise<unknown> {
  const token = parseToken(new Secret(testServerToken));
  if (token.kind !== 'server') throw new Error('a server token');
  const credentials = await serverCredentials(token);
  const node = { api: own, network: { address: '10.0.0.1' } };
  const target = { config: { node }, credentials } as unknown as Target;
  const peers = { body: JSON.stringify(['10.0.0.1:4647', ...others.map((_, at) => `10.0.0.${at + 2}:4647`)]) };
  const config = { JWKSURL: found, ...(found === secure ? { JWKSCACert: credentials.caCertificate } : {}) };
  const host = fixtureHost({
    requests: {
      'GET http://127.0.0.1:4646/v1/status/peers': peers,
      'GET https://127.0.0.1:4646/v1/status/peers': peers,
      ...Object.fromEntries(others.map((answer, at) => [`GET https://10.0.0.${at + 2}:4646/v1/status/leader`, answer])),
      [`GET ${method}`]: found === undefined ? { status: 404 } : { body: JSON.stringify({ Config: config }) },
      'PUT http://127.0.0.1:8500/v1/acl/auth-method': {},
      [`PUT ${method}`]: {},
    },
  });
  const resource = workloadIdentity.resources(target).find(({ id }) => id.startsWith('acl:consul-auth-method:'));
  await (await resource?.plan(host, new Set()))?.apply(host);
  const sent = host.log.flatMap(made => (made.kind === 'send' ? [made.body ?? ''] : []));
  return sent.map(body => JSON.parse(body).Config.JWKSURL)[0];
}

describe("Consul's leader finds Nomad's keys on its own node, whichever server that is", () => {
  const open = { body: '"10.0.0.1:4647"' };

  it('by plain HTTP where no server is open to the cluster, by HTTPS where all are', async () => {
    expect(await given('loopback', ['unreachable', 'unreachable'])).toBe(plain);
    expect(await given('cluster', [open, open])).toBe(secure);
    expect(await given('cluster', [open, open], plain)).toBe(secure);
    expect(await given('loopback', ['unreachable', 'unreachable'], secure)).toBe(plain);
    expect(await given('cluster', [])).toBe(secure);
  });

  it('where it found them before, while servers differ: the last one to change sets it', async () => {
    expect(await given('cluster', [open, 'unreachable'], plain)).toBeUndefined();
    expect(await given('loopback', [open, 'unreachable'], secure)).toBeUndefined();
    expect(await given('cluster', ['unreachable', 'unreachable'], plain)).toBeUndefined();
  });

  it('and is left alone where it is right', async () => {
    expect(await given('loopback', ['unreachable'], plain)).toBeUndefined();
    expect(await given('cluster', [open], secure)).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { linodeApi } from '../../../src/checks/preflight/linode-api.ts';
import { Secret } from '../../../src/core/secret.ts';
import { type FixtureAnswer, fixtureHost } from '../../support/fixture-host.ts';
import { clientNode, targetOn } from '../../support/target.ts';

const linodes = 'GET https://api.linode.com/v4/linode/instances';
const addresses = 'GET https://api.linode.com/v4/linode/instances/7/ips';
const found = (...ids: readonly number[]) => ({ body: JSON.stringify({ data: ids.map(id => ({ id, label: 'x' })) }) });

async function outcome(requests: Readonly<Record<string, FixtureAnswer>>, node = {}) {
  const join = [{ search: { tag: 'nomad', region: 'us-east', addressType: 'private_v4' } }] as const;
  const target = await targetOn('debian-12', {
    node: { ...node, join },
    facts: { linode: { id: 7, tags: [], source: 'metadata' } },
  });
  const consulEnvironment = new Secret('A=b\nLINODE_TOKEN=testvector0123456789\n');
  return linodeApi.run(fixtureHost({ requests }), { ...target, consulEnvironment });
}

describe("the token of Linode's API", () => {
  it('is good when it reads Linodes, this server among them, and addresses', async () => {
    const result = await outcome({ [linodes]: found(6, 7), [addresses]: {} });

    expect(result).toEqual({ status: 'pass', detail: 'Linodes and their addresses can be read' });
  });

  it.each<[string, Readonly<Record<string, FixtureAnswer>>]>([
    ['unknown', { [linodes]: { status: 401 } }],
    ['not allowed to read Linodes', { [linodes]: { status: 403 } }],
    ['not allowed to read addresses', { [linodes]: found(7), [addresses]: { status: 401 } }],
  ])('is refused where it is %s', async (_, requests) => {
    expect(await outcome(requests)).toMatchObject({
      status: 'fail',
      hint: expect.stringContaining('linodes:read_only'),
    });
  });

  it.each<FixtureAnswer>(['unreachable', { status: 503 }, { status: 429 }])(
    'is not blamed for an API that does not answer now: %j',
    async answer => {
      expect(await outcome({ [linodes]: answer })).toMatchObject({ status: 'warn' });
    },
  );
});

describe('a search', () => {
  it.each([found(), found(6), { body: 'no JSON' }])(
    'that does not find the server itself is told of: %j',
    async answer => {
      expect(await outcome({ [linodes]: answer })).toMatchObject({
        status: 'warn',
        detail: expect.stringMatching(/^linode:tag=nomad,region=us-east,\S+ finds [01] Linodes, and this one is not/),
      });
    },
  );

  it('need not find a client', async () => {
    expect(await outcome({ [linodes]: found(6), [addresses]: {} }, clientNode)).toMatchObject({ status: 'pass' });
  });
});

import { describe, expect, it } from 'vitest';
import { aclObject } from '../../src/resources/acl-object.ts';
import { nomadAclBootstrap } from '../../src/resources/nomad-acl-bootstrap.ts';
import { type FixtureAnswer, type FixtureHost, fixtureHost } from '../support/fixture-host.ts';

const api = { product: 'Nomad', url: 'http://127.0.0.1:4646', options: { headers: {} } } as const;
const noLeader: FixtureAnswer = { status: 500, body: 'rpc error: failed to get conn: connect: connection refused' };

/** Answers one after another; the last one stays. */
function inTurn(...answers: readonly FixtureAnswer[]): () => FixtureAnswer {
  let at = 0;
  return () => answers[Math.min(at++, answers.length - 1)] as FixtureAnswer;
}

function policy(): ReturnType<typeof aclObject> {
  return aclObject(api, {
    id: 'acl:nomad-policy:p',
    title: "Nomad's policy p",
    path: '/v1/acl/policy/p',
    isRight: found => (found as { Rules: string }).Rules === 'r',
    write: () => ({ path: '/v1/acl/policy/p', body: { Rules: 'r' } }),
  });
}

const sentTo = (host: FixtureHost) =>
  host.log.flatMap(made => (made.kind === 'send' ? [`${made.method} ${made.url}`] : []));

describe('an object of access control', () => {
  const get = 'GET http://127.0.0.1:4646/v1/acl/policy/p';
  const put = 'PUT http://127.0.0.1:4646/v1/acl/policy/p';
  const right: FixtureAnswer = { body: '{"Rules":"r"}' };

  it('is waited for while another server restarts, which may be the leader', async () => {
    const host = fixtureHost({ requests: { [get]: inTurn(noLeader, { status: 429 }, right) } });
    expect(await policy().plan(host, new Set())).toBeUndefined();
  });

  it('is not waited for without end', async () => {
    const host = fixtureHost({ requests: { [get]: noLeader } });
    await expect(policy().plan(host, new Set())).rejects.toMatchObject({ code: 'agent-refused' });
  });

  it('is made where it is missing, and left where another server was quicker', async () => {
    const missing = fixtureHost({ requests: { [get]: { status: 404 }, [put]: {} } });
    await (await policy().plan(missing, new Set()))?.apply(missing);
    expect(sentTo(missing)).toEqual([put]);

    const made = fixtureHost({ requests: { [get]: inTurn({ status: 404 }, right) } });
    await (await policy().plan(made, new Set()))?.apply(made);
    expect(sentTo(made)).toEqual([]);
  });

  it('of another kind under its name is told', async () => {
    const host = fixtureHost({ requests: { [get]: { status: 404 }, [put]: { status: 400, body: 'in use' } } });
    const change = await policy().plan(host, new Set());
    await expect(change?.apply(host)).rejects.toMatchObject({ code: 'acl-conflict', detail: 'in use' });
  });
});

describe("the takeover of Nomad's access control", () => {
  const self = 'GET http://127.0.0.1:4646/v1/acl/token/self';
  const bootstrap = 'PUT http://127.0.0.1:4646/v1/acl/bootstrap';
  const ours: FixtureAnswer = { body: '{"Type":"management"}' };
  const done: FixtureAnswer = { status: 400, body: 'ACL bootstrap already done (reset index: 7)' };

  it('is done once, and is not taken for undone while there is no leader', async () => {
    const fresh = fixtureHost({ requests: { [self]: { status: 403 }, [bootstrap]: {} } });
    await (await nomadAclBootstrap(api, 's').plan(fresh, new Set()))?.apply(fresh);
    expect(sentTo(fresh)).toEqual([bootstrap]);

    const later = fixtureHost({ requests: { [self]: inTurn(noLeader, noLeader, ours) } });
    expect(await nomadAclBootstrap(api, 's').plan(later, new Set())).toBeUndefined();
  });

  it('by another server with the same secret is as good as our own, and by somebody else is told', async () => {
    const quicker = fixtureHost({ requests: { [self]: inTurn({ status: 403 }, ours), [bootstrap]: done } });
    await (await nomadAclBootstrap(api, 's').plan(quicker, new Set()))?.apply(quicker);

    const taken = fixtureHost({ requests: { [self]: { status: 403 }, [bootstrap]: done } });
    const change = await nomadAclBootstrap(api, 's').plan(taken, new Set());
    await expect(change?.apply(taken)).rejects.toMatchObject({
      code: 'acl-bootstrapped-by-another',
      detail: expect.stringContaining('reset index: 7'),
    });
  });
});

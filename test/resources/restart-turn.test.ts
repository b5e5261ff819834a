import { describe, expect, it } from 'vitest';
import { BootstrapError } from '../../src/core/errors.ts';
import { inTurn } from '../../src/resources/restart-turn.ts';
import { type FixtureHost, fixtureHost } from '../support/fixture-host.ts';

const url = 'http://127.0.0.1:8500';
const three = ['10.0.0.11:8300', '10.0.0.12:8300', '10.0.0.13:8300'];

/** Consul's store and sessions, shared by the hosts of one cluster, as its API has them. */
function cluster() {
  const state = { sessions: new Set<string>(), holder: undefined as { session: string; name: string } | undefined };
  let made = 0;
  const end = (session: string) => {
    state.sessions.delete(session);
    if (state.holder?.session === session) state.holder = undefined;
  };

  /** One of its servers; `down`: its own agent answers nobody. */
  function server({
    peers = three,
    leader = true,
  }: {
    peers?: readonly string[];
    leader?: boolean;
  } = {}): FixtureHost & { down: boolean } {
    const host = fixtureHost();
    const answer = (body: unknown, status = 200) => ({
      status,
      headers: {},
      body: new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)),
    });
    const reached = (asked: string) => {
      if (self.down) throw new BootstrapError('unreachable', asked, { hint: '-' });
    };
    const self = {
      ...host,
      down: false,
      request: async (asked: string) => {
        reached(asked);
        if (asked.endsWith('/status/peers')) return answer(peers);
        if (asked.endsWith('/autopilot/health')) return answer({ FailureTolerance: 1 });
        if (asked.endsWith('/agent/members')) return answer(peers.map(() => ({ Status: 1, Tags: { role: 'consul' } })));
        if (!leader) return answer('No cluster leader', 500);
        const { holder } = state;
        return holder === undefined ? answer('', 404) : answer([{ Session: holder.session, Value: btoa(holder.name) }]);
      },
      send: async (asked: string, { body = '' }: { body?: string }) => {
        reached(asked);
        if (!leader) return answer('No cluster leader', 500);
        const path = asked.slice(url.length);
        if (path === '/v1/session/create') {
          made += 1;
          state.sessions.add(`s${made}`);
          return answer({ ID: `s${made}` });
        }
        const session = path.split(/[/=]/).at(-1) ?? '';
        if (path.startsWith('/v1/session/destroy/')) {
          end(session);
          return answer('true');
        }
        const free = state.holder === undefined && state.sessions.has(session);
        if (free) state.holder = { session, name: body };
        return answer(String(free));
      },
    };
    return self;
  }
  return { state, server };
}

function turnOf(host: FixtureHost, name: string, work: () => Promise<void>): Promise<void> {
  return inTurn(host, { product: 'Consul', api: url, lock: { url, options: {} }, name }, work);
}

describe('a turn', () => {
  it('is one at a time, and leaves nothing behind', async () => {
    const { state, server } = cluster();
    const seen: string[] = [];
    const work = (name: string) => async () => {
      seen.push(`${name} begins`);
      await new Promise(resolve => setTimeout(resolve, 5));
      seen.push(`${name} ends`);
    };

    // Time that passes for all of them.
    const sleep = () => new Promise<void>(resolve => setTimeout(resolve, 1));
    await Promise.all(['a', 'b', 'c'].map(name => turnOf({ ...server(), sleep }, name, work(name))));

    expect(seen).toHaveLength(6);
    for (let at = 0; at < seen.length; at += 2) {
      expect(seen[at + 1]).toBe(seen[at]?.replace('begins', 'ends'));
    }
    expect([...state.sessions]).toEqual([]);
  });

  it('survives the restart of the agent that keeps it', async () => {
    const { state, server } = cluster();
    const host = server();

    await turnOf(host, 'a', async () => {
      host.down = true;
      expect(state.holder?.name).toBe('a');
      host.down = false;
    });

    expect(state.holder).toBeUndefined();
  });

  it('is freed when what was done in it failed', async () => {
    const { state, server } = cluster();

    await expect(
      turnOf(server(), 'a', async () => {
        throw new BootstrapError('agent-not-starting', 'no', { hint: '-' });
      }),
    ).rejects.toMatchObject({ code: 'agent-not-starting' });

    expect([...state.sessions]).toEqual([]);
  });

  it("of this server's own killed run is taken over at once", async () => {
    const { state, server } = cluster();
    state.sessions.add('killed');
    state.holder = { session: 'killed', name: 'a' };
    const host = server();

    await turnOf(host, 'a', async () => {});

    expect(host.waits).toEqual([]);
    expect([...state.sessions]).toEqual([]);
  });

  it('that another server does not end is waited for, and then not taken', async () => {
    const { state, server } = cluster();
    state.sessions.add('theirs');
    state.holder = { session: 'theirs', name: 'b' };
    const host = server();
    let done = false;

    await expect(
      turnOf(host, 'a', async () => {
        done = true;
      }),
    ).rejects.toMatchObject({ code: 'would-lose-quorum', message: expect.stringContaining('b is at it') });

    expect(done).toBe(false);
    expect(host.waits[0]).toBe('waiting for b: one server restarts at a time');
    expect([...state.sessions]).toEqual(['theirs']);
  });

  it('is needed by no cluster of one, and cannot be had in one without a leader', async () => {
    const { state, server } = cluster();
    let done = 0;
    const work = async () => {
      done += 1;
    };

    await turnOf(server({ peers: three.slice(0, 1) }), 'a', work);
    await turnOf(server({ leader: false }), 'a', work);

    expect([done, state.holder]).toEqual([2, undefined]);
  });
});

import { describe, expect, test } from 'vitest';
import { BootstrapError } from '../../src/core/errors.ts';
import { runChecks, selectChecks, waitUntilHealthy } from '../../src/core/run-checks.ts';
import type { Check, CheckOutcome, CheckResult } from '../../src/core/types.ts';
import { fixtureHost } from '../support/fixture-host.ts';

interface Toy {
  readonly wheels: number;
}

const toy: Toy = { wheels: 4 };
const fine: CheckOutcome = { status: 'pass', detail: 'fine' };
const broken: CheckOutcome = { status: 'fail', detail: 'broken', hint: 'mend it' };

function check(id: string, answer: () => CheckOutcome | Promise<CheckOutcome>, more: Partial<Check<Toy>> = {}) {
  return { id, title: `${id} is right`, run: async () => answer(), ...more } satisfies Check<Toy>;
}

function statuses(results: readonly CheckResult[]): Record<string, string> {
  return Object.fromEntries(results.map(({ id, status }) => [id, status]));
}

describe('runChecks', () => {
  test('returns the results in the order of the list, however long each check takes', async () => {
    const slow = check('slow', async () => {
      await new Promise(resolve => setTimeout(resolve, 20));
      return fine;
    });
    const ended: string[] = [];

    const results = await runChecks([slow, check('quick', () => broken)], fixtureHost(), toy, {
      onResult: result => ended.push(result.id),
    });

    expect(results.map(({ id }) => id)).toEqual(['slow', 'quick']);
    expect(ended).toEqual(['quick', 'slow']);
    expect(results[0]?.durationMs).toBeGreaterThanOrEqual(15);
  });

  test('skips what needs a failed check, and what needs that, with the reason', async () => {
    const results = await runChecks(
      [
        check('agent', () => broken),
        check('leader', () => fine, { needs: ['agent'] }),
        check('voters', () => fine, { needs: ['leader'] }),
        check('disk', () => fine),
      ],
      fixtureHost(),
      toy,
    );

    expect(statuses(results)).toEqual({ agent: 'fail', leader: 'skip', voters: 'skip', disk: 'pass' });
    expect(results[1]?.detail).toBe('says nothing without agent');
    expect(results[2]?.detail).toBe('says nothing without leader');
  });

  test('gives whoever needs a check that was asked a second time its second answers', async () => {
    const url = 'http://127.0.0.1:4646/v1/agent/self';
    let asked = 0;
    const answer = () => {
      asked += 1;
      return { status: asked === 1 ? 403 : 200 };
    };
    const host = fixtureHost({ requests: { [`GET ${url}`]: answer } });
    const answers = (id: string, more: Partial<Check<Toy>> = {}): Check<Toy> => ({
      id,
      title: id,
      run: async reader => ((await reader.request(url)).status === 200 ? fine : broken),
      ...more,
    });
    const checks = [
      answers('agent', { confirmMs: failure => (failure.detail === 'broken' ? 4000 : undefined) }),
      answers('leader', { needs: ['agent'] }),
      answers('members', { needs: ['leader'] }),
    ];

    expect(statuses(await runChecks(checks, host, toy))).toEqual({ agent: 'pass', leader: 'pass', members: 'pass' });
    expect(asked).toBe(2);
  });

  test('runs what needs a check that merely does not apply, or that only warns', async () => {
    const results = await runChecks(
      [
        check('docker', () => fine, { appliesTo: () => false }),
        check('clock', () => ({ status: 'warn', detail: 'drifting', hint: 'set it' })),
        check('drivers', () => fine, { needs: ['docker', 'clock'] }),
      ],
      fixtureHost(),
      toy,
    );

    expect(statuses(results)).toEqual({ docker: 'skip', clock: 'warn', drivers: 'pass' });
  });

  test('asks only the checks that are meant', async () => {
    const checks = [check('a', () => broken), check('b', () => fine, { needs: ['a'] }), check('c', () => fine)];

    expect(statuses(await runChecks(checks, fixtureHost(), toy, { only: ['b', 'c'], skip: ['c'] }))).toEqual({
      b: 'pass',
    });
  });

  test('refuses to ask nothing, which would be healthy', () => {
    for (const selection of [{ only: [] }, { only: ['a'], skip: ['a'] }]) {
      expect(() => selectChecks([check('a', () => fine)], selection)).toThrow('leave no check to ask');
    }
    expect(selectChecks([], {})).toEqual([]);
  });

  test('refuses an unknown id with the list of all', () => {
    expect(() => selectChecks([check('a', () => fine)], { only: ['a', 'x'], skip: ['y'] })).toThrow(
      expect.objectContaining({
        code: 'bad-usage',
        message: 'there is no check called x, y',
        hint: 'the checks are: a',
      }),
    );
  });

  test('turns an expected error into a failed check with its hint', async () => {
    const [result] = await runChecks(
      [
        check('agent', () => {
          throw new BootstrapError('unreachable', 'Nomad does not answer', { hint: 'start it' });
        }),
      ],
      fixtureHost(),
      toy,
    );

    expect(result).toMatchObject({ status: 'fail', detail: 'Nomad does not answer', hint: 'start it' });
  });

  test('turns any other error into a failed check that says it is a bug, without a stack trace', async () => {
    const [result] = await runChecks(
      [
        check('odd', () => {
          throw new TypeError('x is not a function');
        }),
      ],
      fixtureHost(),
      toy,
    );

    expect(result?.status).toBe('fail');
    expect(result?.detail).toBe('the check itself failed: x is not a function');
    expect(result?.hint).toContain('--skip odd');
    expect(JSON.stringify(result)).not.toContain('run-checks');
  });

  test('fails a check that does not end within its time', async () => {
    const never = check('never', () => new Promise<CheckOutcome>(() => {}), { timeoutMs: 10 });

    const [result] = await runChecks([never], fixtureHost(), toy);

    expect(result).toMatchObject({ status: 'fail', detail: 'no answer within 0.01 s' });
  });

  test('asks again, and anew, before a failure that may pass counts', async () => {
    let leader = '';
    const host = fixtureHost({ requests: { 'GET http://a/leader': () => ({ body: leader }) } });
    const before = host.now().getTime();
    const elected = (id: string, expected: string): Check<Toy> => ({
      id,
      title: id,
      confirmMs: 3000,
      async run(reader) {
        const { body } = await reader.request('http://a/leader');
        const found = new TextDecoder().decode(body);
        leader = 's1';
        return found === expected ? fine : broken;
      },
    });

    expect(statuses(await runChecks([elected('a', 's1')], host, toy))).toEqual({ a: 'pass' });
    expect(statuses(await runChecks([elected('b', 's2')], host, toy))).toEqual({ b: 'fail' });
    expect(statuses(await runChecks([elected('c', 's2')], host, toy, { confirm: false }))).toEqual({ c: 'fail' });
    expect(host.gets).toHaveLength(5);
    expect(host.now().getTime() - before).toBe(6000);
  });

  test('passes an interruption on', async () => {
    const interrupted = check('leader', () => {
      throw new BootstrapError('interrupted', 'interrupted', { hint: 'run it again' });
    });

    await expect(runChecks([interrupted], fixtureHost(), toy)).rejects.toMatchObject({ code: 'interrupted' });
  });

  test('asks the host each thing once in a round', async () => {
    const host = fixtureHost({
      files: { '/etc/answer': '42' },
      commands: { 'systemctl is-enabled nomad': { stdout: 'enabled\n' } },
      requests: { 'GET http://127.0.0.1:4646/v1/agent/self': { body: '{}' } },
    });
    const curious = (id: string): Check<Toy> => ({
      id,
      title: id,
      async run(reader) {
        await reader.query(['systemctl', 'is-enabled', 'nomad'], { timeoutMs: 100 });
        await reader.request('http://127.0.0.1:4646/v1/agent/self', { timeoutMs: id.length });
        return { status: 'pass', detail: (await reader.readText('/etc/answer')) ?? '' };
      },
    });

    const results = await runChecks([curious('a'), curious('bb')], host, toy);

    expect(results.map(({ detail }) => detail)).toEqual(['42', '42']);
    expect(host.queries).toHaveLength(1);
    expect(host.gets).toHaveLength(1);
  });
});

describe('waitUntilHealthy', () => {
  test('is a single round when there is no time to wait', async () => {
    let rounds = 0;
    const failing = check('leader', () => {
      rounds += 1;
      return broken;
    });

    const results = await waitUntilHealthy([failing], fixtureHost(), toy, { waitSeconds: 0 });

    expect(statuses(results)).toEqual({ leader: 'fail' });
    expect(rounds).toBe(1);
  });

  test('ends as soon as all is well, after a last look at everything', async () => {
    const asked = { leader: 0, disk: 0 };
    const host = fixtureHost();
    const before = host.now().getTime();
    const missing: string[] = [];

    const results = await waitUntilHealthy(
      [
        check('leader', () => {
          asked.leader += 1;
          return asked.leader < 3 ? broken : fine;
        }),
        check('disk', () => {
          asked.disk += 1;
          return fine;
        }),
        check('voters', () => fine, { needs: ['leader'] }),
      ],
      host,
      toy,
      { waitSeconds: 180, onWaiting: results => missing.push(results.map(({ id }) => id).join()) },
    );

    expect(statuses(results)).toEqual({ leader: 'pass', disk: 'pass', voters: 'pass' });
    expect(missing).toEqual(['leader']);
    expect(asked).toEqual({ leader: 4, disk: 2 });
    expect(host.now().getTime() - before).toBe(50 + 50);
  });

  test('goes on when the last look finds something new', async () => {
    let leader = 0;
    let disk = 0;
    const results = await waitUntilHealthy(
      [
        check('leader', () => {
          leader += 1;
          return leader < 2 ? broken : fine;
        }),
        check('disk', () => {
          disk += 1;
          return disk === 2 ? broken : fine;
        }),
      ],
      fixtureHost(),
      toy,
      { waitSeconds: 60 },
    );

    expect(statuses(results)).toEqual({ leader: 'pass', disk: 'pass' });
    expect(disk).toBe(4);
  });

  test('gives up at its time with what is still wrong', async () => {
    const host = fixtureHost();
    const before = host.now().getTime();
    let waited = 0;

    const results = await waitUntilHealthy([check('leader', () => broken)], host, toy, {
      waitSeconds: 5,
      onWaiting: (_missing, seconds) => {
        waited = seconds;
      },
    });

    expect(statuses(results)).toEqual({ leader: 'fail' });
    expect(host.now().getTime() - before).toBe(5000);
    expect(waited).toBe(4);
  });

  test('leaves off early when what is missing is good enough', async () => {
    const host = fixtureHost();
    const before = host.now().getTime();

    await waitUntilHealthy([check('leader', () => broken)], host, toy, {
      waitSeconds: 180,
      isEnough: async results => results.length === 1,
    });

    expect(host.now().getTime()).toBe(before);
  });
});

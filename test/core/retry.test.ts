import { describe, expect, it } from 'vitest';
import { BootstrapError, type ErrorCode } from '../../src/core/errors.ts';
import { refused, retry } from '../../src/core/retry.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const url = 'https://releases.example.net/x';

function failure(code: ErrorCode): BootstrapError {
  return new BootstrapError(code, code, { hint: 'x' });
}

/** Fails with these errors, one after the other, then succeeds; tells when each try was, in seconds from the first. */
function trial(...errors: readonly unknown[]) {
  const host = fixtureHost();
  const begun = host.now().getTime();
  const tries: number[] = [];
  async function attempt(): Promise<string> {
    tries.push((host.now().getTime() - begun) / 1000);
    const error = errors[tries.length - 1];
    if (error !== undefined) throw error;
    return 'done';
  }
  return { host, attempt, tries };
}

describe('retrying', () => {
  it('is not needed where the first try succeeds', async () => {
    const { host, attempt, tries } = trial();

    expect(await retry(host, attempt)).toBe('done');
    expect(tries).toEqual([0]);
  });

  it('pauses twice as long each time and gives up after the fifth try, with the last error', async () => {
    const last = failure('unreachable');
    const { host, attempt, tries } = trial(...Array(4).fill(failure('unreachable')), last);

    await expect(retry(host, attempt)).rejects.toBe(last);
    expect(tries).toEqual([0, 0.5, 1.5, 3.5, 7.5]);
  });

  it('goes on as often as was asked', async () => {
    const { host, attempt, tries } = trial(failure('unreachable'), failure('unreachable'), failure('unreachable'));

    await expect(retry(host, attempt, { attempts: 2 })).rejects.toMatchObject({ code: 'unreachable' });
    expect(tries).toEqual([0, 0.5]);
  });

  it('starts no try after its deadline', async () => {
    const { host, attempt, tries } = trial(...Array(20).fill(failure('unreachable')));

    await expect(retry(host, attempt, { attempts: 20, deadlineSeconds: 10 })).rejects.toMatchObject({
      code: 'unreachable',
    });
    expect(tries).toEqual([0, 0.5, 1.5, 3.5, 7.5]);
  });

  it.each(['unreachable', 'checksum-mismatch'] as const)('helps against %s', async code => {
    const { host, attempt } = trial(failure(code));

    expect(await retry(host, attempt)).toBe('done');
  });

  it.each([408, 429, 500, 502, 503, 504])('helps against an answer of %i', async status => {
    const { host, attempt } = trial(refused(url, { status, headers: {} }));

    expect(await retry(host, attempt)).toBe('done');
  });

  it.each([302, 400, 401, 403, 404, 410])('does not help against an answer of %i', async status => {
    const { host, attempt, tries } = trial(refused(url, { status, headers: {} }));

    await expect(retry(host, attempt)).rejects.toMatchObject({ code: 'upstream-refused' });
    expect(tries).toEqual([0]);
  });

  it.each([
    failure('disk-full'),
    failure('interrupted'),
    failure('upstream-refused'),
    new TypeError('a bug'),
    'not even an error',
  ])('does not help against %s', async error => {
    const { host, attempt, tries } = trial(error);

    await expect(retry(host, attempt)).rejects.toBe(error);
    expect(tries).toEqual([0]);
  });

  it('says before each pause why, and how long it will be', async () => {
    const { host, attempt } = trial(failure('unreachable'), failure('checksum-mismatch'));

    await retry(host, attempt);

    expect(host.waits).toEqual(['unreachable: trying again in 0.5 s', 'checksum-mismatch: trying again in 1 s']);
  });

  it.each(['EAI_AGAIN', 'ENETUNREACH', 'ENETDOWN'])(
    'goes on for two minutes while this machine’s own network is not up (%s)',
    async code => {
      const cause = new AggregateError([], '');
      const offline = () =>
        new BootstrapError('unreachable', 'x', { hint: 'x', cause: { cause: Object.assign(cause, { code }) } });
      const { host, attempt, tries } = trial(...Array(10).fill(offline()));

      expect(await retry(host, attempt)).toBe('done');
      expect(tries).toEqual([0, 0.5, 1.5, 3.5, 7.5, 12.5, 17.5, 22.5, 27.5, 32.5, 37.5]);

      const never = trial(...Array(100).fill(offline()));
      await expect(retry(never.host, never.attempt)).rejects.toMatchObject({ code: 'unreachable' });
      expect(never.tries.at(-1)).toBe(117.5);
    },
  );

  it('ends with the interruption that comes during a pause', async () => {
    const { host, attempt } = trial(failure('unreachable'));
    const interrupted = failure('interrupted');

    const retrying = retry({ ...host, sleep: () => Promise.reject(interrupted) }, attempt);

    await expect(retrying).rejects.toBe(interrupted);
  });
});

describe('a server that says when to come back', () => {
  it.each([
    ['in seconds', '30', 30],
    ['by a date', 'Sun, 22 Nov 2026 12:00:45 GMT', 45],
    ['sooner than we would', '0', 0.5],
    ['by a date gone by', 'Sun, 22 Nov 2026 11:00:00 GMT', 0.5],
    ['in words that mean nothing', 'soon', 0.5],
    ['before it was asked', '-5', 0.5],
  ])('%s is asked then', async (_, header, seconds) => {
    const headers = { 'retry-after': header, date: 'Sun, 22 Nov 2026 12:00:00 GMT' };
    const { host, attempt, tries } = trial(refused(url, { status: 503, headers }));

    await retry(host, attempt);

    expect(tries).toEqual([0, seconds]);
  });

  it('by a date, but not what date it is, is asked as usual', async () => {
    const headers = { 'retry-after': 'Sun, 22 Nov 2026 12:00:45 GMT' };
    const { host, attempt, tries } = trial(refused(url, { status: 503, headers }));

    await retry(host, attempt);

    expect(tries).toEqual([0, 0.5]);
  });

  it('later than our deadline is not waited for', async () => {
    const { host, attempt, tries } = trial(refused(url, { status: 503, headers: { 'retry-after': '3600' } }));

    await expect(retry(host, attempt)).rejects.toMatchObject({ code: 'upstream-refused' });
    expect(tries).toEqual([0]);
  });
});

describe('a refusal', () => {
  it('names the address, the status and what to try', () => {
    expect(refused(url, { status: 503, headers: {} })).toMatchObject({
      code: 'upstream-refused',
      message: `${url} answered 503`,
      hint: expect.stringContaining('--mirror URL'),
      cause: { status: 503 },
    });
  });
});

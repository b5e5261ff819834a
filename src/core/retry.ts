import { BootstrapError } from './errors.ts';
import type { HostReader, HttpResponse } from './types.ts';

export interface RetryOptions {
  /** Tries in all, the first included, but for those before the network is up. Default 5. */
  readonly attempts?: number;
  /** No new try starts later than this after the first. Default 120 s. */
  readonly deadlineSeconds?: number;
}

const retryable: ReadonlySet<string> = new Set(['unreachable', 'upstream-refused', 'checksum-mismatch']);

/** What a machine says whose own network, or name service, is not up yet: first boots are. */
const notUpYet: ReadonlySet<unknown> = new Set(['EAI_AGAIN', 'ENETDOWN', 'ENETUNREACH']);
/** Between tries while the network is not up. */
const longestPauseMs = 5000;

/**
 * Runs `attempt` until it succeeds, as long as it fails in a way that may pass: no answer, an answer of 408, 429 or 5xx, a
 * body that is not what it should be. Pauses of 0.5, 1, 2, 4 ... s; a `retryAfterSeconds` on the error's cause is heeded. As
 * long as this machine's own network is not up only the deadline ends it. Each pause is told. Throws the last error.
 */
export async function retry<T>(host: HostReader, attempt: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const attempts = options.attempts ?? 5;
  const startedAt = host.now().getTime();
  const deadline = startedAt + (options.deadlineSeconds ?? 120) * 1000;

  for (let tried = 1; ; tried += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof BootstrapError) || !retryable.has(error.code) || isFinal(error)) throw error;
      const patient = isNotUpYet(error);
      if (!patient && tried >= attempts) throw error;
      const usualMs = Math.min(500 * 2 ** (tried - 1), patient ? longestPauseMs : Number.POSITIVE_INFINITY);
      const pauseMs = Math.max(usualMs, (retryAfterSeconds(error) ?? 0) * 1000);
      const now = host.now().getTime();
      if (now + pauseMs > deadline) throw error;
      host.waiting(`${error.message}: trying again in ${pauseMs / 1000} s`, Math.round((now - startedAt) / 1000));
      await host.sleep(pauseMs);
    }
  }
}

/** Carried as the cause of an `upstream-refused` error. */
export interface Refusal {
  readonly status: number;
  readonly retryAfterSeconds?: number;
}

/** The error for an answer that is not what was asked for; `retry` tries again on 408, 429 and 5xx only. */
export function refused(url: string, { status, headers }: Pick<HttpResponse, 'status' | 'headers'>): BootstrapError {
  const seconds = secondsUntilRetry(headers);
  const refusal: Refusal = { status, ...(Number.isFinite(seconds) ? { retryAfterSeconds: seconds } : {}) };
  return new BootstrapError('upstream-refused', `${url} answered ${status}`, {
    hint: 'try again later, or name a mirror that has it with --mirror URL',
    cause: refusal,
  });
}

/** Retry-After is a number or a date, which is taken by the server's own clock: ours may be wrong. NaN: neither. */
function secondsUntilRetry(headers: HttpResponse['headers']): number {
  const { 'retry-after': retryAfter = '', date = '' } = headers;
  return /^\d+$/.test(retryAfter) ? Number(retryAfter) : (Date.parse(retryAfter) - Date.parse(date)) / 1000;
}

function isFinal(error: BootstrapError): boolean {
  const { status = 0 } = (error.cause as Partial<Refusal> | undefined) ?? {};
  return error.code === 'upstream-refused' && status !== 408 && status !== 429 && status < 500;
}

/** By what the system said, however deep it lies. */
function isNotUpYet(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  return notUpYet.has(code) || isNotUpYet(cause);
}

function retryAfterSeconds(error: BootstrapError): number | undefined {
  return (error.cause as Partial<Refusal> | undefined)?.retryAfterSeconds;
}

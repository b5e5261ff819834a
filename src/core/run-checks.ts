import { BootstrapError, hasCode } from './errors.ts';
import { readOnce } from './read-once.ts';
import type { Check, CheckOutcome, CheckResult, HostReader } from './types.ts';

/** Which checks of a list are meant. */
export interface CheckSelection {
  /** Absent: all. */
  readonly only?: readonly string[] | undefined;
  readonly skip?: readonly string[] | undefined;
}

export interface RunChecksOptions extends CheckSelection {
  /** Told as each check ends, in the order of ending. */
  readonly onResult?: (result: CheckResult) => void;
  /** `false`: failures count at once, since whoever asks will ask again. */
  readonly confirm?: boolean;
}

export interface WaitOptions extends CheckSelection {
  /** How long new rounds are begun; 0 is a single round. */
  readonly waitSeconds: number;
  /** Whether this is what is waited for. Default: no check failed. */
  readonly isEnough?: (results: readonly CheckResult[]) => boolean | Promise<boolean>;
  /** Told what is still failing: when that changes, and every second. */
  readonly onWaiting?: (missing: readonly CheckResult[], waitedSeconds: number) => void;
}

/** The detail of a check that was skipped because it has no place on this node. */
export const doesNotApply = 'does not apply to this node';

const defaultTimeoutMs = 5000;
const shortestPauseMs = 50;
const longestPauseMs = 1000;

/** The checks meant, in list order. Throws `bad-usage`, naming all ids, when one of the selection's ids is unknown, or none is left to ask. */
export function selectChecks<C extends { readonly id: string }>(
  checks: readonly C[],
  { only, skip = [] }: CheckSelection,
): readonly C[] {
  const known = checks.map(check => check.id);
  const unknown = [...(only ?? []), ...skip].filter(id => !known.includes(id));
  if (unknown.length > 0) {
    throw new BootstrapError('bad-usage', `there is no check called ${unknown.join(', ')}`, {
      hint: `the checks are: ${known.join(', ')}`,
    });
  }
  const selected = checks.filter(check => (only?.includes(check.id) ?? true) && !skip.includes(check.id));
  if (selected.length === 0 && checks.length > 0) {
    // Nothing asked is nothing wrong: a script with an empty variable would be told that all is well.
    throw new BootstrapError('bad-usage', '--only and --skip leave no check to ask', {
      hint: `the checks are: ${known.join(', ')}`,
    });
  }
  return selected;
}

/**
 * Runs all checks at once, each within its own time, and returns their results in list order. A check is skipped when
 * one that it needs (an earlier one of the list) failed or was itself skipped for that reason. What a check throws is a
 * failed check; only an interruption of the run is passed on.
 */
export async function runChecks<T>(
  checks: readonly Check<T>[],
  host: HostReader,
  target: T,
  options: RunChecksOptions = {},
): Promise<readonly CheckResult[]> {
  const reader = readOnce(host);
  const { confirm = true, onResult } = options;
  const verdicts = new Map<string, Promise<Verdict>>();

  for (const check of selectChecks(checks, options)) {
    const needed = (check.needs ?? []).flatMap(id => verdicts.get(id) ?? []);
    verdicts.set(
      check.id,
      judge(check, needed, reader, target, confirm ? host : undefined).then(verdict => {
        onResult?.(verdict.result);
        return verdict;
      }),
    );
  }

  return (await Promise.all(verdicts.values())).map(verdict => verdict.result);
}

/**
 * Runs the checks until they are enough or the time is up, and returns the last results. Between two full rounds only
 * what has not passed is asked again; the end is always judged by a full round.
 */
export async function waitUntilHealthy<T>(
  checks: readonly Check<T>[],
  host: HostReader,
  target: T,
  options: WaitOptions,
): Promise<readonly CheckResult[]> {
  const { isEnough = nothingFailed, onWaiting, waitSeconds } = options;
  const selected = selectChecks(checks, options);
  const confirm = waitSeconds === 0;
  const startedAt = host.now().getTime();
  let results = await runChecks(selected, host, target, { confirm });
  let told = '';

  while (!(await isEnough(results))) {
    const waitedMs = host.now().getTime() - startedAt;
    if (waitedMs >= waitSeconds * 1000) break;
    const missing = results.filter(result => result.status === 'fail');
    const waitedSeconds = Math.floor(waitedMs / 1000);
    const news = `${waitedSeconds} ${missing.map(({ id }) => id).join()}`;
    if (news !== told) onWaiting?.(missing, waitedSeconds);
    told = news;
    // In haste at first: a node comes up within seconds. Later a twentieth of what was waited is no loss.
    const pauseMs = Math.min(Math.max(shortestPauseMs, waitedMs / 20), longestPauseMs);
    await host.sleep(Math.min(pauseMs, waitSeconds * 1000 - waitedMs));

    const open = results.filter(result => result.status === 'fail' || result.status === 'skip').map(({ id }) => id);
    const answers = await runChecks(selected, host, target, { only: open, confirm });
    results = results.map(result => answers.find(({ id }) => id === result.id) ?? result);
    if (await isEnough(results)) results = await runChecks(selected, host, target, { confirm });
  }

  return results;
}

interface Verdict {
  readonly result: CheckResult;
  /** Whoever needs this check can say nothing. */
  readonly blocks: boolean;
  /** Where it was asked a second time: what was answered before that holds no more, for whoever needs it either. */
  readonly asked?: HostReader | undefined;
}

async function judge<T>(
  check: Check<T>,
  needed: readonly Promise<Verdict>[],
  host: HostReader,
  target: T,
  /** Where to ask a second time; `undefined`: not at all. */
  freshHost: HostReader | undefined,
): Promise<Verdict> {
  const { id, title } = check;
  if (check.appliesTo?.(target) === false) {
    return {
      result: { id, title, status: 'skip', detail: doesNotApply, durationMs: 0 },
      blocks: false,
    };
  }
  const before = await Promise.all(needed);
  const obstacles = before.filter(verdict => verdict.blocks).map(verdict => verdict.result.id);
  if (obstacles.length > 0) {
    const detail = `says nothing without ${obstacles.join(', ')}`;
    return { result: { id, title, status: 'skip', detail, durationMs: 0 }, blocks: true };
  }
  const startedAt = performance.now();
  let asked = before.find(verdict => verdict.asked !== undefined)?.asked;
  let outcome = await outcomeOf(check, asked ?? host, target);
  const confirmMs = typeof check.confirmMs === 'function' ? check.confirmMs(outcome) : check.confirmMs;
  if (outcome.status === 'fail' && confirmMs !== undefined && freshHost !== undefined) {
    await freshHost.sleep(confirmMs);
    asked = readOnce(freshHost);
    outcome = await outcomeOf(check, asked, target);
  }
  const durationMs = Math.round(performance.now() - startedAt);
  return { result: { id, title, ...outcome, durationMs }, blocks: outcome.status === 'fail', asked };
}

async function outcomeOf<T>(check: Check<T>, host: HostReader, target: T): Promise<CheckOutcome> {
  const timeoutMs = check.timeoutMs ?? defaultTimeoutMs;
  const late = Promise.withResolvers<CheckOutcome>();
  const timer = setTimeout(() => {
    late.resolve({
      status: 'fail',
      detail: `no answer within ${timeoutMs / 1000} s`,
      hint: 'look at the load of this machine (uptime, df, dmesg), then try again',
    });
  }, timeoutMs);
  try {
    return await Promise.race([check.run(host, target), late.promise]);
  } catch (error) {
    if (hasCode(error, 'interrupted') || hasCode(error, 'terminated')) throw error;
    if (error instanceof BootstrapError) return { status: 'fail', detail: error.message, hint: error.hint };
    return {
      status: 'fail',
      detail: `the check itself failed: ${error instanceof Error ? error.message : String(error)}`,
      hint: `this is a bug in nomad-bootstrap: please report it; until then leave the check out with --skip ${check.id}`,
    };
  } finally {
    clearTimeout(timer);
  }
}

function nothingFailed(results: readonly CheckResult[]): boolean {
  return results.every(result => result.status !== 'fail');
}

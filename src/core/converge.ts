/**
 * The one place that knows order, concurrency, dry run, journal, timing and failure. Steps, resources and changes know
 * none of these.
 */
import { BootstrapError } from './errors.ts';
import type { Journal } from './journal.ts';
import { readOnce } from './read-once.ts';
import type {
  AnnouncedChange,
  Change,
  Course,
  Host,
  HostReader,
  Reporter,
  Resource,
  ResourceId,
  Step,
} from './types.ts';

export interface ConvergeOptions<T> {
  readonly steps: readonly Step<T>[];
  readonly target: T;
  readonly host: Host;
  readonly journal: Journal;
  readonly reporter: Reporter;
  /** Aborted by a signal: the change at hand is finished, nothing new starts, and the reason is thrown. */
  readonly signal: AbortSignal;
}

export interface ConvergeResult {
  readonly announced: readonly AnnouncedChange[];
  readonly applied: readonly ResourceId[];
  /** Announced, but something else had done it when its turn came (a package's own script, say). */
  readonly satisfied: readonly ResourceId[];
}

/**
 * Every change that the steps would make now, in list order. Reads only. Mostly there is none, which is found out at once: no
 * resource then depends on what is announced before it.
 */
export async function planAll<T>(
  steps: readonly Step<T>[],
  target: T,
  host: HostReader,
): Promise<readonly AnnouncedChange[]> {
  // What is asked may have another answer a moment later, and there are plans that wait for it.
  const reader = { ...readOnce(host), request: host.request };
  return (await isAsWanted(steps, target, reader)) ? [] : planInOrder(steps, target, reader);
}

/** Whether no resource wants a change. A failure is left to the planning in order, which names the first. */
async function isAsWanted<T>(steps: readonly Step<T>[], target: T, host: HostReader): Promise<boolean> {
  try {
    const resources = steps.flatMap(step => resourcesOf(step, target));
    const changes = await Promise.all(resources.map(resource => resource.plan(host, new Set())));
    return changes.every(change => change === undefined);
  } catch {
    return false;
  }
}

async function planInOrder<T>(
  steps: readonly Step<T>[],
  target: T,
  host: HostReader,
): Promise<readonly AnnouncedChange[]> {
  const announced: AnnouncedChange[] = [];
  const before = new Set<ResourceId>();

  for (const step of steps) {
    for (const resource of resourcesOf(step, target)) {
      const change = await resource.plan(host, before);
      if (change !== undefined) {
        announced.push(announce(step.id, resource.id, change));
        before.add(resource.id);
      }
    }
  }
  return announced;
}

/**
 * Announces every change, then makes them. Guarantees that ids(announced) = ids(applied) + ids(satisfied) when it
 * returns, that each change was journalled before it was made, and that planning it again after it finds nothing to do.
 * Throws the first failure, once everything that was running has ended.
 */
export async function converge<T>(options: ConvergeOptions<T>): Promise<ConvergeResult> {
  const { steps, target, host, reporter, signal } = options;
  const announced = await planAll(steps, target, host);
  reporter.report({ type: 'planned', changes: announced, dryRun: false });
  if (announced.length === 0) return { announced, applied: [], satisfied: [] };

  const applied: ResourceId[] = [];
  const satisfied: ResourceId[] = [];
  const failures: unknown[] = [];
  const running = new Map<string, Promise<void>>();
  const parts = new Map<string, PromiseWithResolvers<void>>();
  const announcedIds = new Set(announced.map(change => change.id));

  for (const [index, step] of steps.entries()) {
    const predecessors = step.after ?? steps.slice(Math.max(0, index - 1), index).map(({ id }) => id);
    running.set(step.id, runStep(step, predecessors.map(endOf)));
  }
  await Promise.all(running.values());
  if (failures.length > 0) throw failures[0];
  return { announced, applied, satisfied };

  async function runStep(step: Step<T>, predecessors: readonly Promise<void>[]): Promise<void> {
    await Promise.all(predecessors);
    if (failures.length > 0) return;
    const resources = resourcesOf(step, target);
    const eventful = resources.some(resource => announcedIds.has(resource.id));
    const startedAt = host.now().getTime();
    if (eventful) reporter.report({ type: 'step-started', step: step.id, title: step.title });

    for (const resource of resources) {
      // Nothing new starts after a failure anywhere; a failure is never thrown past the steps that still run.
      if (failures.length > 0) return;
      try {
        signal.throwIfAborted();
        await bringAbout(step, resource);
      } catch (error) {
        failures.push(error);
        return;
      }
    }
    if (eventful) {
      reporter.report({ type: 'step-finished', step: step.id, durationMs: host.now().getTime() - startedAt });
    }
  }

  function courseOf(step: Step<T>): Course {
    return {
      async ended(what) {
        await endOf(what);
        if (failures.length > 0) throw failures[0];
        signal.throwIfAborted();
      },
      endPart: part => partOf(`${step.id}/${part}`).resolve(),
    };
  }

  async function endOf(what: string): Promise<void> {
    const [id = ''] = what.split('/');
    await Promise.race([running.get(id), ...(id === what ? [] : [partOf(what).promise])]);
  }

  function partOf(what: string): PromiseWithResolvers<void> {
    const part = parts.get(what) ?? Promise.withResolvers<void>();
    parts.set(what, part);
    return part;
  }

  async function bringAbout(step: Step<T>, resource: Resource): Promise<void> {
    const change = await resource.plan(host, new Set());
    if (change === undefined) {
      if (!announcedIds.has(resource.id)) return;
      satisfied.push(resource.id);
      reporter.report({ type: 'change-satisfied', id: resource.id, step: step.id });
      return;
    }
    if (!announcedIds.has(resource.id)) {
      throw new BootstrapError(
        'unannounced-change',
        `${resource.id} (${change.summary}) became necessary during the run`,
        {
          hint: 'run the same command again; it continues from here. Please report this with the log file.',
          detail: change.diff,
        },
      );
    }

    const startedAt = host.now().getTime();
    reporter.report({ type: 'change-started', id: resource.id, step: step.id, summary: change.summary });
    const entry = await options.journal.begin(resource.id, change.undo);
    await change.apply(host, courseOf(step));
    const leftOver = await resource.plan(host, new Set());
    if (leftOver !== undefined) {
      throw new BootstrapError('not-converged', `${resource.id} was changed, and still wants to: ${leftOver.summary}`, {
        hint: 'something on this machine undoes the change at once, such as another configuration tool; stop it and run the same command again',
        detail: leftOver.diff,
      });
    }
    await options.journal.done(entry);
    applied.push(resource.id);
    reporter.report({
      type: 'change-applied',
      id: resource.id,
      step: step.id,
      durationMs: host.now().getTime() - startedAt,
    });
  }
}

function resourcesOf<T>(step: Step<T>, target: T): readonly Resource[] {
  return step.appliesTo?.(target) === false ? [] : step.resources(target);
}

function announce(step: string, id: ResourceId, change: Change): AnnouncedChange {
  const announcement = { id, step, summary: change.summary };
  return change.diff === undefined ? announcement : { ...announcement, diff: change.diff };
}

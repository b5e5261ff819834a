import { configDrift } from '../checks/config-drift.ts';
import type { HealthCheck } from '../checks/health-check.ts';
import { planAll } from '../core/converge.ts';
import type { Step } from '../core/types.ts';
import type { Target } from '../target.ts';

/** The check that asks whether a run of these steps would change anything. */
export function driftOf(steps: readonly Step<Target>[]): HealthCheck {
  return configDrift((host, target) => planAll(steps, target, host));
}

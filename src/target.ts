import type { Config, NodeConfig } from './config/config.ts';
import type { Facts } from './facts/facts.ts';
import type { Platform } from './platforms/platform.ts';
import type { Resolution } from './resolution/resolution.ts';

/** All that steps and checks know: what the host is, what it is to be, and what that means today. */
export interface Target {
  readonly facts: Facts;
  readonly config: Config;
  readonly platform: Platform;
  readonly resolution: Resolution;
}

/** A target that is a node of a cluster, which an image is not. */
export type NodeTarget = Target & { readonly config: Config & { readonly node: NodeConfig } };

/** Whether the target is a node of a cluster. */
export function isNode(target: Target): target is NodeTarget {
  return target.config.node !== undefined;
}

/** Whether jobs may come to run here: on clients, and on whatever an image becomes. */
export function mayRunJobs(target: Target): boolean {
  return !isNode(target) || target.config.node.runsClient;
}

import type { Config, NodeConfig } from './config/config.ts';
import type { Secret } from './core/secret.ts';
import type { Facts } from './facts/facts.ts';
import type { Platform } from './platforms/platform.ts';
import type { Resolution } from './resolution/resolution.ts';
import type { ClientCredentials, Credentials, ServerCredentials } from './token/credentials.ts';

/** All that steps and checks know: what the host is, what it is to be, and what that means today. */
export interface Target {
  readonly facts: Facts;
  readonly config: Config;
  readonly platform: Platform;
  readonly resolution: Resolution;
  /** The last run on this machine was ended while it changed packages. */
  readonly cutOff?: boolean;
  /** What follows from the cluster's token; absent in an insecure cluster, in `dev` and in an image. */
  readonly credentials?: Credentials | undefined;
  /** The whole of /etc/consul.d/consul.env, on a node that finds the others by Linode's API: the token of that is in it. */
  readonly consulEnvironment?: Secret | undefined;
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

/** A node of a cluster with a token. */
export type SecureTarget = NodeTarget & { readonly credentials: Credentials };
export type SecureServer = NodeTarget & { readonly credentials: ServerCredentials };
export type SecureClient = NodeTarget & { readonly credentials: ClientCredentials };

/** Whether the target is a node of a cluster with a token. */
export function isSecure(target: Target): target is SecureTarget {
  return isNode(target) && target.credentials !== undefined;
}

/** Whether it is a server of such a cluster, which holds every secret of it. */
export function isSecureServer(target: Target): target is SecureServer {
  return isSecure(target) && target.credentials.kind === 'server';
}

/** Whether it is a client of such a cluster, whose jobs nobody trusts. */
export function isSecureClient(target: Target): target is SecureClient {
  return isSecure(target) && target.credentials.kind === 'client';
}

import type { World } from './world.ts';

export const positions = {
  network: "On the cluster's network, without a token",
  client: "With a client's disk and token",
  job: 'As a job',
} as const;

/** One thing that somebody tries who must not succeed. What is to be seen is noted here, before it is tried. */
export interface Attack {
  readonly position: keyof typeof positions;
  readonly what: string;
  attempt(world: World): Promise<string>;
  /** What is seen when it is refused. */
  readonly refusal: RegExp;
  /** What is seen when it succeeds. Whatever matches neither counts as a success too. */
  readonly gain: RegExp;
  /** The same attempt where it must succeed, so that no slip of ours can pass for a refusal. */
  readonly control?: { readonly how: string; attempt(world: World): Promise<string> };
}

/** What the cluster's design leaves open to that position: tried as well, and told instead of counted. */
export interface Remainder {
  readonly position: keyof typeof positions;
  readonly what: string;
  attempt(world: World): Promise<string>;
  readonly gain: RegExp;
}

import type { ErrorCode } from '../../../src/core/errors.ts';
import type { Run } from '../../cluster/bootstrap.ts';
import type { Lab, LabNode, NodeSpec } from '../lab.ts';

/** Something that goes wrong around a bootstrap, and what is expected of it. The expectation is written before the fault is first run. */
export interface BootstrapFault {
  /** For `--only`. */
  readonly id: string;
  readonly title: string;
  /**
   * The machine that it strikes. `shared`: a fresh one, on which nothing may be changed, since the next faults strike it too.
   * `fresh`: one of its own. `node`: one of its own that was bootstrapped with the same command line before. Default: fresh.
   */
  readonly on?: 'shared' | 'fresh' | 'node';
  /** Default: Debian 12 on both networks. */
  readonly spec?: Omit<NodeSpec, 'name'>;
  /** The command line, without the flags that make the lab's mirror known. Default: an image without Docker, the quickest. */
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What the lab cannot do for real, and does instead. */
  readonly imitated?: string;
  /** Breaks it, and gives what mends it: what the fix line tells the operator to do, where it tells so. */
  readonly inject: (world: World) => Promise<Mend | undefined>;
  /** Runs the command line in another way than as usual, or does something meanwhile. */
  readonly run?: (world: World, argv: readonly string[]) => Promise<Run>;
  readonly expect: Expectation;
  /** What else must be true when the run has ended; throws what is not. */
  readonly after?: (world: World) => Promise<void>;
  /** Shows that it healed, in the place of another run of the same command line. */
  readonly heals?: (world: World) => Promise<void>;
}

export type Mend = () => Promise<unknown>;

export type Expectation =
  /** The run ends well while the fault is there, or when it has passed. `says`: what it tells meanwhile, in a notice or while waiting. */
  | { readonly outcome: 'survived'; readonly says?: RegExp }
  /** It ends with this code. `says`: in message, fix or detail. Codes that end with 2 to 4 promise that nothing was touched. */
  | { readonly outcome: 'refused'; readonly code: ErrorCode; readonly says: RegExp; readonly untouched?: true };

/** Where a fault strikes. Nobody else uses the lab meanwhile. */
export interface World {
  readonly lab: Lab;
  readonly node: LabNode;
}

export function survived(says?: RegExp): Expectation {
  return says === undefined ? { outcome: 'survived' } : { outcome: 'survived', says };
}

export function refused(code: ErrorCode, says: RegExp): Expectation {
  return { outcome: 'refused', code, says };
}

/** The same before the first change, where the code alone does not promise it. */
export function refusedUntouched(code: ErrorCode, says: RegExp): Expectation {
  return { outcome: 'refused', code, says, untouched: true };
}

/** Runs shell lines on the node as root. */
export async function shell({ node }: Pick<World, 'node'>, script: string): Promise<string> {
  return (await node.exec(['sh', '-ec', script])).stdout;
}

/** Breaks with one shell script and mends with another. */
export function script(breaks: string, mends?: string): BootstrapFault['inject'] {
  return async world => {
    await shell(world, breaks);
    return mends === undefined ? undefined : () => shell(world, mends);
  };
}

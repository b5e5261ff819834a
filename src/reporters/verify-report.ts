import type { CheckResult } from '../core/types.ts';

/** What `verify` found: the document of `verify --format json`. Fields may be added, none go. */
export interface VerifyReport {
  /** No check failed; warnings are no failures. */
  readonly ok: boolean;
  readonly node: string;
  readonly role: string;
  readonly summary: { readonly pass: number; readonly warn: number; readonly fail: number; readonly skip: number };
  readonly checks: readonly CheckResult[];
}

export interface VerifyRendering {
  readonly colour: boolean;
  /** In text, passed checks' times and what differs. */
  readonly verbose: boolean;
  /** In text, what is wrong alone: nothing where nothing is. */
  readonly quiet?: boolean;
  /** When the checks were made, for the formats that tell. */
  readonly now: Date;
}

/** Of a target: who it is. */
export interface CheckedNode {
  readonly config: { readonly node: { readonly name: string; readonly role: string } };
}

/** The report on a node, its checks in the order given. */
export function verifyReport(target: CheckedNode, checks: readonly CheckResult[]): VerifyReport {
  const { name, role } = target.config.node;
  const number = (status: CheckResult['status']): number => checks.filter(check => check.status === status).length;
  const summary = { pass: number('pass'), warn: number('warn'), fail: number('fail'), skip: number('skip') };
  return { ok: summary.fail === 0, node: name, role, summary, checks };
}

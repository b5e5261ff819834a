import type { CheckResult } from '../core/types.ts';
import { renderVerifyJson } from './verify-json.ts';
import { renderVerifyJunit } from './verify-junit.ts';
import { renderVerifyNagios } from './verify-nagios.ts';
import { renderVerifyPrometheus } from './verify-prometheus.ts';
import { renderVerifyText } from './verify-text.ts';

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
  /** When the checks were made, for the formats that tell. */
  readonly now: Date;
}

/** Draws a report up. Pure; ends with a newline. */
type Renderer = (report: VerifyReport, rendering: VerifyRendering) => string;

/** Every format of `verify --format`. */
export const verifyFormats = {
  text: renderVerifyText,
  json: renderVerifyJson,
  junit: renderVerifyJunit,
  prometheus: renderVerifyPrometheus,
  nagios: renderVerifyNagios,
} as const satisfies Readonly<Record<string, Renderer>>;

export type VerifyFormat = keyof typeof verifyFormats;

export function renderVerify(report: VerifyReport, format: VerifyFormat, rendering: VerifyRendering): string {
  return verifyFormats[format](report, rendering);
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

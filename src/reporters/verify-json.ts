import type { VerifyReport } from './verify-report.ts';

/** The report itself, as one JSON document. */
export function renderVerifyJson(report: VerifyReport): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

import { renderVerifyJson } from './verify-json.ts';
import { renderVerifyJunit } from './verify-junit.ts';
import { renderVerifyNagios } from './verify-nagios.ts';
import { renderVerifyPrometheus } from './verify-prometheus.ts';
import type { VerifyRendering, VerifyReport } from './verify-report.ts';
import { renderVerifyText } from './verify-text.ts';

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

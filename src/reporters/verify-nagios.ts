import { printable } from './terminal.ts';
import type { VerifyRendering, VerifyReport } from './verify-report.ts';

/** Source: https://nagios-plugins.org/doc/guidelines.html, "Plugin Return Codes". */
const nagiosStates = { ok: 0, warning: 1, critical: 2, unknown: 3 } as const;

type NagiosState = keyof typeof nagiosStates;

/** The exit code of a plugin: 0 all passed, 1 warnings, 2 failures, 3 nothing was checked. */
export function nagiosExitCode(report: VerifyReport): 0 | 1 | 2 | 3 {
  return nagiosStates[nagiosState(report)];
}

/** One line as plugins print it: the state, what is wrong with the worst first, then the numbers as performance data. */
export function renderVerifyNagios(report: VerifyReport, _rendering?: VerifyRendering): string {
  const { pass, warn, fail, skip } = report.summary;
  const wrong = [
    ...report.checks.filter(({ status }) => status === 'fail'),
    ...report.checks.filter(({ status }) => status === 'warn'),
  ].map(({ id, detail }) => `${id}: ${detail}`);
  const text = wrong.length > 0 ? wrong.join('; ') : pass > 0 ? `all ${pass} passed` : 'nothing was checked';
  return `NOMAD ${nagiosState(report).toUpperCase()} - ${oneLine(text)} | pass=${pass} warn=${warn} fail=${fail} skip=${skip}\n`;
}

/** What is said, with exit code {@link nagiosUnknown}, where nothing could be checked: plugins speak on standard output alone. */
export function renderNagiosUnknown(message: string): string {
  return `NOMAD UNKNOWN - ${oneLine(message)}\n`;
}

export const nagiosUnknown = nagiosStates.unknown;

/** A bar would begin the performance data, a line break end the message. */
function oneLine(text: string): string {
  return printable(text).replaceAll('|', '/').replace(/\s+/g, ' ');
}

function nagiosState({ summary: { pass, warn, fail } }: VerifyReport): NagiosState {
  if (fail > 0) return 'critical';
  if (warn > 0) return 'warning';
  return pass > 0 ? 'ok' : 'unknown';
}

import { doesNotApply } from '../core/run-checks.ts';
import type { CheckResult, CheckStatus } from '../core/types.ts';
import { noTerminal, type Paint, paintFor, printable, type Style, widthOf } from './terminal.ts';
import { diffText } from './text.ts';
import type { VerifyRendering, VerifyReport } from './verify-report.ts';

const marks: Readonly<Record<CheckStatus, { readonly word: string; readonly style: Style }>> = {
  pass: { word: 'ok', style: 'green' },
  warn: { word: 'warn', style: 'yellow' },
  fail: { word: 'FAIL', style: 'red' },
  skip: { word: 'skip', style: 'dim' },
};

/**
 * A table for people: what passed, what was skipped, then the warnings and, last, the failures, each with its
 * id and what to do about it, and a line that sums it up.
 */
export function renderVerifyText(report: VerifyReport, { colour, verbose, quiet = false }: VerifyRendering): string {
  const paint = paintFor({ ...noTerminal, colour });
  const of = (status: CheckStatus): readonly CheckResult[] => report.checks.filter(check => check.status === status);
  const titleWidth = Math.max(0, ...report.checks.map(({ title }) => widthOf(title)));

  if (quiet && report.summary.warn + report.summary.fail === 0) return '';
  const lines = [`${paint('bold', printable(report.node))} (${report.role})`, ''];
  for (const check of quiet ? [] : of('pass')) lines.push(row(check));
  for (const [detail, ids] of quiet ? [] : skipReasons(of('skip'))) {
    // Which ones have no place on this node is no news to anybody.
    const which = detail === doesNotApply && !verbose ? `${ids.length} more` : ids.join(', ');
    lines.push(paint('dim', `${'skip'.padEnd(4)}  ${which}: ${oneLine(detail)}`));
  }
  for (const check of [...of('warn'), ...of('fail')]) {
    lines.push(`${row(check)}  ${paint('dim', `[${check.id}]`)}`);
    if (check.hint !== undefined) lines.push(`      ${paint('bold', 'fix:')} ${oneLine(check.hint)}`);
    if (verbose && check.diff !== undefined) lines.push(diffText(check.diff, paint).trimEnd());
  }
  return `${[...lines, '', summaryLine(report, paint)].join('\n')}\n`;

  function row({ title, detail, status, durationMs }: CheckResult): string {
    const { word, style } = marks[status];
    const time = verbose ? `  ${paint('dim', `${durationMs} ms`)}` : '';
    const padding = ' '.repeat(titleWidth - widthOf(title));
    return `${paint(style, word.padEnd(4))}  ${title}${padding}  ${oneLine(detail)}${time}`;
  }
}

/** What an agent said may have several lines; a row has one. */
function oneLine(text: string): string {
  return printable(text).replaceAll(/\s+/g, ' ');
}

/** The ids of the skipped checks by reason. */
function skipReasons(skipped: readonly CheckResult[]): ReadonlyMap<string, readonly string[]> {
  const reasons = new Map<string, string[]>();
  for (const { id, detail } of skipped) reasons.set(detail, [...(reasons.get(detail) ?? []), id]);
  return reasons;
}

function summaryLine({ ok, summary }: VerifyReport, paint: Paint): string {
  const { pass, warn, fail, skip } = summary;
  if (pass + warn + fail === 0) return paint('yellow', 'nothing was checked');
  const verdict = ok ? paint('green', 'healthy') : paint('red', 'not healthy');
  const parts = [
    `${pass} passed`,
    ...(warn > 0 ? [`${warn} ${warn === 1 ? 'warning' : 'warnings'}`] : []),
    ...(fail > 0 ? [`${fail} failed`] : []),
    ...(skip > 0 ? [`${skip} skipped`] : []),
  ];
  return `${verdict}: ${parts.join(', ')}`;
}

import type { CheckResult } from '../core/types.ts';
import type { VerifyRendering, VerifyReport } from './verify-report.ts';

/**
 * A JUnit document with one suite, valid by the schema of Ant's reports, which CI systems read. It knows no warnings: they
 * pass, and are told in the suite's output.
 */
export function renderVerifyJunit(report: VerifyReport, { now }: VerifyRendering): string {
  const { node, role, summary, checks } = report;
  const seconds = checks.reduce((total, { durationMs }) => total + durationMs, 0) / 1000;
  const suite = attributes({
    name: `nomad-bootstrap verify ${role}`,
    package: 'nomad-bootstrap',
    id: '0',
    hostname: node,
    timestamp: now.toISOString().slice(0, 19),
    tests: String(checks.length),
    failures: String(summary.fail),
    errors: '0',
    skipped: String(summary.skip),
    time: String(seconds),
  });
  const warnings = checks
    .filter(({ status }) => status === 'warn')
    .map(({ id, detail, hint }) => `warning: ${id}: ${detail}\n  fix: ${hint ?? ''}\n`);
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite ${suite}>
    <properties/>
${checks.map(testCase).join('')}    <system-out>${escapeXml(warnings.join(''))}</system-out>
    <system-err/>
  </testsuite>
</testsuites>
`;
}

function testCase({ id, title, status, detail, hint, diff, durationMs }: CheckResult): string {
  const open = `    <testcase ${attributes({ classname: `nomad-bootstrap.${id}`, name: title, time: String(durationMs / 1000) })}`;
  if (status === 'skip') return `${open}>\n      <skipped ${attributes({ message: detail })}/>\n    </testcase>\n`;
  if (status !== 'fail') return `${open}/>\n`;
  const text = [detail, ...(hint === undefined ? [] : [`fix: ${hint}`]), ...(diff === undefined ? [] : [diff])];
  const failure = `<failure ${attributes({ message: detail, type: id })}>${escapeXml(text.join('\n'))}</failure>`;
  return `${open}>\n      ${failure}\n    </testcase>\n`;
}

function attributes(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${escapeXml(value).replaceAll('\n', ' ')}"`)
    .join(' ');
}

/** XML 1.0 has no place for most control characters, not even escaped. */
function escapeXml(text: string): string {
  return text
    .replace(/[^\P{Cc}\n\t]/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

import type { CheckStatus } from '../core/types.ts';
import type { VerifyRendering, VerifyReport } from './verify-report.ts';

const values: Readonly<Record<CheckStatus, number>> = { pass: 0, warn: 1, fail: 2, skip: -1 };

type Labels = Readonly<Record<string, string>>;

/**
 * Prometheus' text exposition, for node_exporter's textfile collector. The series are the same whatever the results are, so
 * that an alert on one never misses it. Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function renderVerifyPrometheus(report: VerifyReport, { now }: VerifyRendering): string {
  const { ok, node, role, summary, checks } = report;
  return [
    gauge('nomad_bootstrap_healthy', 'Whether no check failed.', [[{}, ok ? 1 : 0]]),
    gauge('nomad_bootstrap_node_info', 'What was checked: always 1.', [[{ node, role }, 1]]),
    gauge(
      'nomad_bootstrap_checks',
      'How many checks ended with each status.',
      Object.entries(summary).map(([status, number]) => [{ status }, number]),
    ),
    gauge(
      'nomad_bootstrap_check_status',
      'Result of each check: 0 passed, 1 warning, 2 failed, -1 skipped.',
      checks.map(({ id, status }) => [{ check: id }, values[status]]),
    ),
    gauge(
      'nomad_bootstrap_check_duration_seconds',
      'How long each check took.',
      checks.map(({ id, durationMs }) => [{ check: id }, durationMs / 1000]),
    ),
    gauge('nomad_bootstrap_verify_timestamp_seconds', 'When the checks were made.', [[{}, now.getTime() / 1000]]),
  ].join('');
}

function gauge(name: string, help: string, samples: readonly (readonly [Labels, number])[]): string {
  const lines = samples.map(([labels, value]) => `${name}${labelText(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

import { canaryToken, runCanary } from '../checks/canary.ts';
import { healthChecks } from '../checks/index.ts';
import { flagName, type OptionName } from '../config/options.ts';
import { converge } from '../core/converge.ts';
import { BootstrapError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { selectChecks, waitUntilHealthy } from '../core/run-checks.ts';
import type { CheckResult } from '../core/types.ts';
import { asThisNode } from '../own-agents.ts';
import { renderVerify } from '../reporters/verify.ts';
import { nagiosExitCode } from '../reporters/verify-nagios.ts';
import { verifyReport } from '../reporters/verify-report.ts';
import { steps } from '../steps/index.ts';
import { installedProgram, metricsPath, verifyTimer } from '../steps/verify-timer.ts';
import type { NodeTarget } from '../target.ts';
import type { CommandContext } from './command.ts';
import { driftOf } from './drift.ts';
import { readingPlugins } from './early-digests.ts';
import { recordedTarget } from './recorded-target.ts';

const checks = [...healthChecks, driftOf(steps)];

/**
 * `verify`: whether this node, and the cluster as it sees it, is what it should be. Changes nothing, but for the canary, which
 * goes again, and with --timer, which installs a periodic check instead of checking.
 */
export async function run(given: CommandContext): Promise<ExitCode> {
  refuseIdleFlags(given);
  const selected = selectChecks(checks, given.settings);
  const readsPlugins = selected.some(({ id }) => id === 'cni-plugins' || id === 'config-drift');
  const context = readsPlugins ? { ...given, host: await readingPlugins(given.host) } : given;
  const target = await recordedTarget(context);
  if (context.settings.timer === true) return installTimer(context, target);
  const { role } = target.config.node;
  // Nothing asked is nothing wrong, which nobody must take for health.
  if (context.settings.canary !== true && selected.every(check => check.appliesTo?.(target) === false)) {
    throw new BootstrapError('bad-usage', `none of the chosen checks applies to this node, a ${role}`, {
      hint: 'docs/checks.md says what applies where; nomad-bootstrap verify --verbose lists what does not here',
    });
  }
  return answerWithReport(context, target);
}

/** Throws `bad-usage` for what was said on the command line and would count for nothing. */
function refuseIdleFlags({ flags, settings: { canary, timer } }: CommandContext): void {
  const [partner, idle]: readonly [string, readonly OptionName[]] =
    timer === true
      ? ['with --timer, whose service asks all checks', ['canary', 'canaryImage', 'format', 'only', 'skip', 'wait']]
      : ['without --canary', canary === true ? [] : ['canaryImage']];
  const given = idle.filter(name => flags.has(name)).map(name => `--${flagName(name)}`);
  if (given.length === 0) return;
  throw new BootstrapError('bad-usage', `${given.join(', ')} would do nothing ${partner}`, {
    hint: `leave ${given.length === 1 ? 'it' : 'them'} away${timer === true ? ', or check once, without --timer' : ', or add --canary'}. Nothing was touched.`,
  });
}

async function answerWithReport(context: CommandContext, target: NodeTarget): Promise<ExitCode> {
  const { host, reporter, settings } = context;
  const results = await checkNode(context, target);
  const report = verifyReport(target, results);
  const format = settings.format ?? (settings.json === true ? 'json' : 'text');
  // Metrics go to a file, what is wrong to the journal of whoever writes it.
  if (format === 'prometheus') for (const result of results) reporter.report({ type: 'checked', result });
  context.answer(
    renderVerify(report, format, {
      colour: context.colour,
      verbose: settings.verbose ?? false,
      quiet: settings.quiet ?? false,
      now: host.now(),
    }),
  );
  if (format === 'nagios') return nagiosExitCode(report) as ExitCode;
  return report.ok ? exitCodes.converged : exitCodes.failed;
}

async function checkNode(context: CommandContext, target: NodeTarget): Promise<readonly CheckResult[]> {
  const { host, reporter, settings, nomadToken } = context;
  // Before anything is asked: it may be refused.
  const canaryHost = settings.canary === true ? asThisNode(host, target, canaryToken(target, nomadToken)) : undefined;
  const results = await waitUntilHealthy(checks, asThisNode(host, target), target, {
    only: settings.only,
    skip: settings.skip,
    waitSeconds: settings.wait ?? 0,
    onWaiting: (missing, waitedSeconds) =>
      reporter.report({
        type: 'waiting',
        message: `waiting for: ${missing.map(({ title }) => title).join('; ')}`,
        waitedSeconds,
      }),
  });
  if (canaryHost === undefined) return results;
  return [...results, await runCanary(canaryHost, target, { image: settings.canaryImage })];
}

async function installTimer(context: CommandContext, target: NodeTarget): Promise<ExitCode> {
  const { host, reporter } = context;
  const startedAt = host.now().getTime();
  if ((await host.stat(installedProgram)) === undefined) {
    throw new BootstrapError('preflight-failed', `the timer runs ${installedProgram}, which is not there`, {
      hint: `put this program there: sudo install -m 0755 nomad-bootstrap ${installedProgram}. Nothing was touched.`,
    });
  }
  const { applied } = await converge({ ...context, steps: [verifyTimer], target });
  reporter.report({
    type: 'finished',
    outcome: 'converged',
    changes: applied.length,
    message: `this node is checked every five minutes\nmetrics: ${metricsPath}\nfindings: journalctl -u nomad-bootstrap-verify`,
    durationMs: host.now().getTime() - startedAt,
  });
  return exitCodes.converged;
}

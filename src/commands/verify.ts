import { healthChecks } from '../checks/index.ts';
import { BootstrapError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { waitUntilHealthy } from '../core/run-checks.ts';
import { gatherFacts } from '../facts/gather.ts';
import { platformFor } from '../platforms/index.ts';
import { renderVerify, verifyReport } from '../reporters/verify.ts';
import { nagiosExitCode } from '../reporters/verify-nagios.ts';
import { steps } from '../steps/index.ts';
import { isNode, type Target } from '../target.ts';
import type { CommandContext } from './command.ts';
import { driftOf } from './drift.ts';

/** The identity is recorded: the metadata service is asked for the networks' kinds only. */
const metadataTimeoutMs = 500;

/** `verify`: whether this node, and the cluster as it sees it, is what it should be. Changes nothing. */
export async function run(context: CommandContext): Promise<ExitCode> {
  const { host, reporter, settings, recorded } = context;
  if (recorded?.config.node === undefined) {
    throw new BootstrapError('not-bootstrapped', 'this machine was not bootstrapped as a node of a cluster', {
      hint: 'run nomad-bootstrap server, client or dev on it first',
    });
  }
  const facts = await gatherFacts(host, { metadataTimeoutMs });
  const target: Target = {
    facts,
    platform: platformFor(facts.os),
    config: { ...recorded.config, force: false },
    resolution: recorded.resolution,
  };
  if (!isNode(target)) throw new Error('a recorded node is a node');

  const results = await waitUntilHealthy([...healthChecks, driftOf(steps)], host, target, {
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
  const report = verifyReport(target, results);
  const format = settings.format ?? (settings.json === true ? 'json' : 'text');
  context.answer(
    renderVerify(report, format, { colour: context.colour, verbose: settings.verbose ?? false, now: host.now() }),
  );
  if (format === 'nagios') return nagiosExitCode(report) as ExitCode;
  return report.ok ? exitCodes.converged : exitCodes.failed;
}

import { consulAutopilot } from '../checks/consul-autopilot.ts';
import { nomadAutopilot } from '../checks/nomad-autopilot.ts';
import { converge, planAll } from '../core/converge.ts';
import { BootstrapError } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { runChecks, waitUntilHealthy } from '../core/run-checks.ts';
import type { CheckResult } from '../core/types.ts';
import { asThisNode } from '../own-agents.ts';
import { lockCluster } from '../resources/cluster-lock.ts';
import { renewedCertificate } from '../steps/certificate-renewal.ts';
import { consulManagementApi } from '../steps/consul-access.ts';
import { isSecureServer, type SecureServer } from '../target.ts';
import type { CommandContext } from './command.ts';
import { recordedTarget } from './recorded-target.ts';

const settleSeconds = 90;

/**
 * `renew`: replaces this server's certificate when two thirds of its life are over, one server at a time, and only while
 * autopilot calls the cluster healthy. Otherwise it is left for the next day; `verify` warns 90 days before the end.
 */
export async function run(context: CommandContext): Promise<ExitCode> {
  const { host, reporter, settings } = context;
  const startedAt = host.now().getTime();
  const target = await recordedTarget(context);
  if (!isSecureServer(target)) {
    throw new BootstrapError('not-bootstrapped', 'this machine is no server of a cluster with a token', {
      hint: target.config.node.insecure
        ? 'a cluster without a token has no certificates, and nothing of it has to be renewed'
        : 'a client has its certificate from its token, and keeps it',
    });
  }
  const due = await planAll([renewedCertificate], target, host);
  if (due.length === 0 || settings.dryRun === true) {
    reporter.report({ type: 'planned', changes: due, dryRun: settings.dryRun === true });
    return finished('converged', 0, due.length === 0 ? "this server's certificate is not due" : '');
  }
  refuseUnhealthy(await autopilot(context, target));
  // Nomad closes its streams when it takes up a certificate: the servers do it one after the other.
  const unlock = await lockCluster(host, consulManagementApi(target), target.config.node.name);
  if (typeof unlock !== 'function')
    return finished('converged', 0, `${unlock.holder} is changed just now; this one's certificate comes later`);
  try {
    const { applied } = await converge({ ...context, steps: [renewedCertificate], target });
    const results = await waitUntilHealthy([consulAutopilot, nomadAutopilot], asThisNode(host, target), target, {
      waitSeconds: settleSeconds,
    });
    refuseUnhealthy(results);
    return finished('converged', applied.length, "this server's certificate was renewed");
  } finally {
    await unlock();
  }

  function finished(outcome: 'converged', changes: number, message: string): ExitCode {
    reporter.report({ type: 'finished', outcome, changes, message, durationMs: host.now().getTime() - startedAt });
    return exitCodes.converged;
  }
}

function autopilot({ host }: CommandContext, target: SecureServer): Promise<readonly CheckResult[]> {
  return runChecks([consulAutopilot, nomadAutopilot], asThisNode(host, target), target);
}

function refuseUnhealthy(results: readonly CheckResult[]): void {
  const failed = results.filter(({ status }) => status !== 'pass');
  if (failed.length === 0) return;
  throw new BootstrapError(
    'would-lose-quorum',
    'autopilot does not call the cluster healthy: no certificate is renewed now',
    {
      detail: failed.map(({ id, detail }) => `${id}: ${detail}`).join('\n'),
      hint: 'put that right (nomad-bootstrap verify); the renewal is tried again every day',
    },
  );
}

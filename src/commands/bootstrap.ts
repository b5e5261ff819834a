import { type Forming, forming } from '../checks/forming.ts';
import { healthChecks } from '../checks/index.ts';
import { beforehand, dryRunPreflight, preflight } from '../checks/preflight/index.ts';
import type { Role } from '../config/config.ts';
import { decide } from '../config/decide.ts';
import { decideRole } from '../config/tags.ts';
import { converge, planAll } from '../core/converge.ts';
import { BootstrapError, hasCode } from '../core/errors.ts';
import { type ExitCode, exitCodes } from '../core/exit-codes.ts';
import { runChecks, waitUntilHealthy } from '../core/run-checks.ts';
import type { CheckResult } from '../core/types.ts';
import type { Facts } from '../facts/facts.ts';
import { gatherFacts } from '../facts/gather.ts';
import { readInstalledAgents } from '../facts/installed.ts';
import { asThisNode } from '../own-agents.ts';
import { platformFor, supportedSystems, unsupportedReason } from '../platforms/index.ts';
import type { Platform } from '../platforms/platform.ts';
import { resolve } from '../resolution/resolve.ts';
import { packagesBrought, wasCutOff } from '../resources/packages.ts';
import { clusterSteps, steps } from '../steps/index.ts';
import { isNode, isSecure, isSecureServer, type NodeTarget, type Target } from '../target.ts';
import { clusterCredentials } from './cluster-credentials.ts';
import type { CommandContext } from './command.ts';
import { consulEnvironment } from './consul-environment.ts';
import { readingPlugins } from './early-digests.ts';
import { farewell } from './farewell.ts';
import { refuseOtherCluster, warnOfOtherCluster } from './same-cluster.ts';
import { planCluster, takeUpConsulToken, untilLeaders } from './secure-start.ts';

/** A first boot's network can be this late, also that of a machine made from an image. */
const identitySeconds = 60;
/** A node that knows who it is only asks how its networks are called. */
const recordedIdentitySeconds = 2;
const defaultWaitSeconds = 180;

/** `server`, `client`, `auto`, `dev` and `image`: brings this host to the state that its settings describe. */
export async function run(given: CommandContext): Promise<ExitCode> {
  const context = { ...given, host: await readingPlugins(given.host) };
  const { host, reporter, settings } = context;
  const startedAt = host.now().getTime();
  refuseIfNot(context, await runChecks(beforehand, host, undefined));
  const target = await targetOf(context);
  refuseIfNot(context, await runChecks(settings.dryRun === true ? dryRunPreflight : preflight, host, target));
  // What is a member already was judged when it became one.
  if (isSecure(target) && context.recorded?.config.node === undefined) await refuseOtherCluster(host, target);

  if (settings.dryRun === true) {
    const ofCluster = isSecureServer(target) ? await planCluster(context, target) : [];
    const changes = [...(await planAll(steps, target, host)), ...(ofCluster ?? [])];
    reporter.report({ type: 'planned', changes, dryRun: true });
    if (ofCluster === undefined) reporter.report({ type: 'notice', level: 'info', message: clusterWide });
    report('planned', changes.length, '');
    return exitCodes.converged;
  }

  if (!isNode(target)) {
    const { applied } = await converge({ ...context, steps, target });
    report('converged', applied.length, 'this machine is ready to become an image');
    return exitCodes.converged;
  }
  // An API that neighbours reach before access control was taken over would let them do that.
  const opensLater = isSecure(target) && target.config.node.api === 'cluster' && !isOpen(context);
  let { changes, stillForming } = await bringUp(context, opensLater ? withClosedApi(target) : target);
  if (opensLater && stillForming === undefined) {
    const opened = await bringUp(context, target);
    changes += opened.changes;
    stillForming = opened.stillForming;
  }
  const reached = opensLater && stillForming !== undefined ? withClosedApi(target) : target;
  report(stillForming === undefined ? 'converged' : 'forming', changes, farewell(reached, stillForming, opensLater));
  return exitCodes.converged;

  function report(outcome: 'converged' | 'forming' | 'planned', changes: number, message: string): void {
    reporter.report({ type: 'finished', outcome, changes, message, durationMs: host.now().getTime() - startedAt });
  }
}

interface Progress {
  readonly changes: number;
  readonly stillForming: Forming | undefined;
}

/** The node itself, then what its cluster needs, then its health. Whose cluster does not come about is told of others. */
async function bringUp(context: CommandContext, wanted: NodeTarget): Promise<Progress> {
  try {
    const progress = await bringUpStepwise(context, wanted);
    if (progress.stillForming !== undefined) await warnOfOtherCluster(context, wanted);
    return progress;
  } catch (error) {
    if (hasCode(error, 'not-healthy')) await warnOfOtherCluster(context, wanted);
    throw error;
  }
}

async function bringUpStepwise(context: CommandContext, wanted: NodeTarget): Promise<Progress> {
  const waitSeconds = context.settings.wait ?? defaultWaitSeconds;
  const { applied } = await converge({ ...context, steps, target: wanted });
  let changes = applied.length;
  // What is asked about its health is the node as it is now, with the versions that it has now.
  const target = { ...wanted, facts: { ...wanted.facts, installed: await readInstalledAgents(context.host) } };
  if (isSecureServer(target)) {
    const stillForming = await untilLeaders(context, target, waitSeconds);
    if (stillForming !== undefined) return { changes, stillForming };
    changes += (await converge({ ...context, steps: clusterSteps, target })).applied.length;
  }
  if (isSecure(target) && applied.includes('agent:consul')) await takeUpConsulToken(context, target, waitSeconds);
  return { changes, stillForming: await waitForHealth(context, target) };
}

/** Whether an earlier run has opened the API already: then the cluster has its access control. */
function isOpen({ recorded }: CommandContext): boolean {
  const node = recorded?.config.node;
  return node !== undefined && !node.insecure && node.api === 'cluster';
}

function withClosedApi(target: NodeTarget): NodeTarget {
  return { ...target, config: { ...target.config, node: { ...target.config.node, api: 'loopback' } } };
}

/** What the host is, what it is to be, and what that means today. */
async function targetOf(context: CommandContext): Promise<Target> {
  const { command, host, reporter, settings, recorded } = context;
  const facts = await gatherFacts(host, {
    metadataTimeoutMs: (recorded?.config.node === undefined ? identitySeconds : recordedIdentitySeconds) * 1000,
    onWait: waitedSeconds =>
      reporter.report({ type: 'waiting', message: "Linode's metadata service does not answer yet", waitedSeconds }),
    onWaitForVlan: (address, waitedSeconds) =>
      reporter.report({ type: 'waiting', message: `no interface has the VLAN address ${address} yet`, waitedSeconds }),
  });
  const platform = supportedPlatform(facts);
  const wanted =
    command === 'auto' ? decideRole(settings, recorded, facts) : { role: command as Role | 'image', settings };
  const credentials = await clusterCredentials({ ...context, settings: wanted.settings }, wanted.role);
  const config = decide(wanted.role, wanted.settings, recorded, facts, credentials);
  const environment = await consulEnvironment(context, config.node);
  for (const message of remarks(config)) reporter.report({ type: 'notice', level: 'warning', message });
  // Its own agents tell a node that runs already which versions its servers have.
  const { node } = config;
  const asking = node === undefined ? host : asThisNode(host, { config: { node }, credentials });
  const entries = await context.journal.entries();
  const found = recorded && { resolution: recorded.resolution, mirror: recorded.config.packages.mirror };
  const resolution = await resolve(asking, facts, config, platform, found, packagesBrought(entries));
  if (resolution.hashicorp.fallback && recorded === undefined) {
    const message = `HashiCorp's repository has nothing for this release of the system yet; taking that of ${resolution.hashicorp.suite}`;
    reporter.report({ type: 'notice', level: 'info', message });
  }
  const cutOff = wasCutOff(entries);
  return Object.freeze({ facts, config, platform, resolution, cutOff, credentials, consulEnvironment: environment });
}

/** Before any upstream is asked: a machine that cannot be bootstrapped is told so also where there is no network. */
function supportedPlatform(facts: Facts): Platform {
  const reason = unsupportedReason(facts);
  if (reason === undefined) return platformFor(facts.os);
  throw new BootstrapError('unsupported-os', `${reason}; nothing was touched`, {
    hint: `use one of: ${supportedSystems}`,
  });
}

function remarks({ node }: Target['config']): readonly string[] {
  if (node === undefined || node.role === 'dev') return [];
  return [
    ...(node.insecure
      ? [
          `this cluster is insecure: no encryption, no access control; whoever reaches ${node.network.cidr} on ${node.network.interface} rules it`,
        ]
      : []),
    ...(node.runsServer && node.expect % 2 === 0
      ? [`an even number of servers survives no more losses than one server less: use an odd number`]
      : []),
    ...(node.runsServer && node.expect > 1 && node.join.length === 0
      ? ['this server joins nobody by itself: the others must name it with --join']
      : []),
  ];
}

/** Throws `preflight-failed` with everything that stands in the way, before anything is changed. */
function refuseIfNot({ reporter }: CommandContext, results: readonly CheckResult[]): void {
  for (const { detail, hint } of results.filter(({ status }) => status === 'warn')) {
    reporter.report({ type: 'notice', level: 'warning', message: hint === undefined ? detail : `${detail}: ${hint}` });
  }
  const failed = results.filter(({ status }) => status === 'fail');
  if (failed.length === 0) return;
  throw new BootstrapError('preflight-failed', 'this machine cannot be bootstrapped as it is; nothing was touched', {
    detail: failed.map(({ title, detail }) => `not true: ${title} (${detail})`).join('\n'),
    hint: failed.map(({ hint }) => hint).join('; '),
  });
}

/** Waits for what --wait-for names. Returns how far a cluster is that is still forming; throws `not-healthy`. */
async function waitForHealth(
  { host: machine, reporter, settings }: CommandContext,
  target: NodeTarget,
): Promise<Forming | undefined> {
  const host = asThisNode(machine, target);
  let stillForming: Forming | undefined;

  const results = await waitUntilHealthy(healthChecks, host, target, {
    waitSeconds: settings.wait ?? defaultWaitSeconds,
    async isEnough(results) {
      if (results.every(({ status }) => status !== 'fail')) return true;
      stillForming = settings.waitFor === 'cluster' ? undefined : await forming(host, target, healthChecks, results);
      return stillForming !== undefined;
    },
    onWaiting: (missing, waitedSeconds) =>
      reporter.report({ type: 'waiting', message: `waiting for: ${titles(missing)}`, waitedSeconds }),
  });
  const failed = results.filter(({ status }) => status === 'fail');
  if (failed.length === 0) return undefined;
  if (stillForming !== undefined) return stillForming;
  throw new BootstrapError('not-healthy', `everything is in place, but not healthy: ${titles(failed)}`, {
    detail: failed.map(({ id, detail }) => `${id}: ${detail}`).join('\n'),
    hint: `${failed[0]?.hint ?? ''}; nomad-bootstrap verify tells the state at any time`,
  });
}

/** What a dry run cannot plan: it is another machine's by the time, or there is no cluster to ask yet. */
const clusterWide = `once the cluster has a leader, the first of its servers makes there: ${clusterSteps.map(({ title }) => title).join('; ')}`;

function titles(results: readonly CheckResult[]): string {
  return results.map(({ title }) => title).join('; ');
}

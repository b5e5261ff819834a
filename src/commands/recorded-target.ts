import { BootstrapError } from '../core/errors.ts';
import { gatherFacts } from '../facts/gather.ts';
import { platformFor } from '../platforms/index.ts';
import { isNode, type NodeTarget } from '../target.ts';
import { recordedCredentials } from './cluster-credentials.ts';
import type { CommandContext } from './command.ts';
import { recordedConsulEnvironment } from './consul-environment.ts';

/** Who this node is, and on which network, is recorded: the metadata service would tell nothing new, and may not be within reach. */
const metadataTimeoutMs = 0;

/** What this machine was bootstrapped as. Throws `not-bootstrapped`. */
export async function recordedTarget(context: CommandContext): Promise<NodeTarget> {
  const { host, recorded } = context;
  if (recorded?.config.node === undefined) {
    throw new BootstrapError('not-bootstrapped', 'this machine was not bootstrapped as a node of a cluster', {
      hint: 'run nomad-bootstrap server, client or dev on it first',
    });
  }
  const [facts, credentials, consulEnvironment] = await Promise.all([
    gatherFacts(host, { metadataTimeoutMs }),
    recordedCredentials(context),
    recordedConsulEnvironment(context),
  ]);
  const target = {
    facts,
    platform: platformFor(facts.os),
    config: { ...recorded.config, force: false },
    resolution: recorded.resolution,
    credentials,
    consulEnvironment,
  };
  if (!isNode(target)) throw new Error('a recorded node is a node');
  return target;
}

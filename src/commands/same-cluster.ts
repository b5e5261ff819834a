import { sayHello } from '../checks/tls-roles.ts';
import { addressesToJoin, joinsOverVlan, vlanPeers } from '../config/config.ts';
import { BootstrapError } from '../core/errors.ts';
import type { Handshake, HostReader } from '../core/types.ts';
import { isSecure, type NodeTarget, type SecureTarget } from '../target.ts';
import type { CommandContext } from './command.ts';

/** A server that is just starting or stopping can close a connection for reasons of its own. */
const attempts = 3;
const pauseMs = 700;

/**
 * Asks the servers that are to be joined, before anything is touched, whether they are of the token's cluster. One that does not
 * answer may be yet to come. Throws `wrong-token` where one is of another cluster, or of one without a token.
 */
export async function refuseOtherCluster(host: HostReader, target: SecureTarget): Promise<void> {
  await Promise.all(
    addressesToJoin(target.config.node).map(async address => {
      const answer = await judged(host, target, address);
      if (answer !== 'foreign' && answer !== 'plain') return;
      throw new BootstrapError(
        'wrong-token',
        answer === 'foreign'
          ? `the server at ${address} does not belong to this token's cluster`
          : `the server at ${address} speaks without TLS: its cluster was made without a token`,
        {
          hint:
            answer === 'foreign'
              ? 'give the token that its cluster was made with, or join other servers; if token and region are right, compare the clocks of both machines (timedatectl). Nothing was touched.'
              : 'join the servers of the cluster that this token belongs to. Nothing was touched.',
        },
      );
    }),
  );
}

/**
 * With `--join vlan` nobody is known whom {@link refuseOtherCluster} could ask, and another cluster on the same subnet is no
 * mistake by itself. Where this node's own cluster does not come about, it is told who was found there and does not belong to it.
 */
export async function warnOfOtherCluster({ host, reporter }: CommandContext, target: NodeTarget): Promise<void> {
  if (!isSecure(target) || !joinsOverVlan(target.config.node)) return;
  const lines = ((await host.readText('/etc/hosts')) ?? '').split('\n').map(line => line.split(/\s+/));
  const found = lines.filter(([, name]) => name === vlanPeers).map(([address = '']) => address);
  const answers = await Promise.all(found.map(async address => ({ address, is: await judged(host, target, address) })));
  const others = answers.filter(({ is }) => is === 'foreign' || is === 'plain').map(({ address }) => address);
  if (others.length === 0) return;
  reporter.report({
    type: 'notice',
    level: 'warning',
    message: `on this subnet there are servers of another cluster, with another token or without one: ${others.join(', ')}. If they are those to join, this node was given the wrong token: nomad-bootstrap uninstall --purge-data, then run it with theirs`,
  });
}

async function judged(host: HostReader, target: SecureTarget, address: string): Promise<Handshake> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await sayHello(host, target, address);
    if (answer !== 'plain' || attempt === attempts) return answer;
    await host.sleep(pauseMs);
  }
}

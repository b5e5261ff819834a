import { sayHello } from '../checks/tls-roles.ts';
import { addressesToJoin } from '../config/config.ts';
import { BootstrapError } from '../core/errors.ts';
import type { Handshake, HostReader } from '../core/types.ts';
import type { SecureTarget } from '../target.ts';

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

async function judged(host: HostReader, target: SecureTarget, address: string): Promise<Handshake> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await sayHello(host, target, address);
    if (answer !== 'plain' || attempt === attempts) return answer;
    await host.sleep(pauseMs);
  }
}

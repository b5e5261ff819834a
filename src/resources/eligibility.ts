import { BootstrapError } from '../core/errors.ts';
import type { Host, Path, Resource } from '../core/types.ts';
import { ownNode, send, told } from './local-api.ts';

/**
 * Lies in a client's data once this program has drained it, to uninstall it or to make it a mere server. Nomad remembers by the
 * node's id that nothing is to be placed on a drained node, for as long as it knows that node: a client that comes back with its
 * data would stay empty.
 */
export const drainedMark: Path = '/opt/nomad/data/drained-by-nomad-bootstrap';

/** A client that has just started registers within a second or two, once it has a server. */
const registrationSeconds = 60;
const pauseMs = 500;

/** A client that this program drained takes jobs again. What an operator has drained stays so. Undo: `none`. */
export function eligibility(api: string): Resource {
  return {
    id: 'eligibility:nomad',
    async plan(host) {
      if ((await host.stat(drainedMark)) === undefined) return undefined;
      return {
        summary: 'let jobs come here again',
        undo: { kind: 'none' },
        async apply(target) {
          await allow(target, api);
          await target.remove(drainedMark);
        },
      };
    },
  };
}

async function allow(host: Host, api: string): Promise<void> {
  const node = await ownNode(host, api);
  if (node === undefined) return;
  const body = JSON.stringify({ Eligibility: 'eligible' });
  const deadline = host.now().getTime() + registrationSeconds * 1000;
  for (;;) {
    const answer = await send(host, `${node.url}/eligibility`, {
      method: 'PUT',
      headers: node.headers,
      body,
      timeoutMs: 10_000,
    });
    if (answer?.status === 200) return;
    if (host.now().getTime() > deadline) {
      throw new BootstrapError(
        'agent-refused',
        `this client was drained, and cannot be given jobs again: Nomad gave ${told(answer)}`,
        {
          hint: 'see whether it reaches its servers (nomad-bootstrap verify), then run the same command again',
        },
      );
    }
    await host.sleep(pauseMs);
  }
}

import { BootstrapError } from '../core/errors.ts';
import type { Host, HttpResponse, Path, Resource } from '../core/types.ts';

/**
 * Lies in a client's data once an uninstallation has drained it. Nomad remembers by the node's id that nothing is to be placed on a
 * drained node, for as long as it knows that node: a client that comes back with its data would stay empty.
 */
export const drainedMark: Path = '/opt/nomad/data/drained-by-nomad-bootstrap';

const clientState = '/opt/nomad/data/client';
/** A client that has just started registers within a second or two, once it has a server. */
const registrationSeconds = 60;
const pauseMs = 500;

/** A client that was drained by an uninstallation takes jobs again. What an operator has drained stays so. Undo: `none`. */
export function eligibility(api: string): Resource {
  return {
    id: 'eligibility:nomad',
    async plan(host) {
      if ((await host.stat(drainedMark)) === undefined) return undefined;
      return {
        summary: 'let jobs come here again, as before the uninstallation',
        undo: { kind: 'none' },
        async apply(target) {
          await allow(target, api);
          await target.remove(drainedMark);
        },
      };
    },
  };
}

/** The node's own secret is enough, also where access control is on. */
async function allow(host: Host, api: string): Promise<void> {
  const id = (await host.readText(`${clientState}/client-id`))?.trim();
  const secret = (await host.readText(`${clientState}/secret-id`))?.trim() ?? '';
  if (id === undefined) return;
  const deadline = host.now().getTime() + registrationSeconds * 1000;
  for (;;) {
    const answer = await ask(host, `${api}/v1/node/${id}/eligibility`, secret);
    if (answer?.status === 200) return;
    if (host.now().getTime() > deadline) {
      const told =
        answer === undefined ? 'nothing' : `${answer.status} ${new TextDecoder().decode(answer.body).trim()}`;
      throw new BootstrapError(
        'agent-refused',
        `this client was drained, and cannot be given jobs again: Nomad said ${told}`,
        {
          hint: 'see whether it reaches its servers (nomad-bootstrap verify), then run the same command again',
        },
      );
    }
    await host.sleep(pauseMs);
  }
}

async function ask(host: Host, url: string, secret: string): Promise<HttpResponse | undefined> {
  try {
    const body = JSON.stringify({ Eligibility: 'eligible' });
    return await host.send(url, { method: 'PUT', headers: { 'X-Nomad-Token': secret }, body, timeoutMs: 10_000 });
  } catch (error) {
    if (error instanceof BootstrapError && error.code === 'unreachable') return undefined;
    throw error;
  }
}

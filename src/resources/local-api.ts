import { BootstrapError } from '../core/errors.ts';
import type { Host, HostReader, HttpResponse, MutatingRequestOptions, Path } from '../core/types.ts';

export const clientState: Path = '/opt/nomad/data/client';

/** A node of Nomad, as it asks its own agent about itself: `url` is that of the node. */
export interface OwnNode {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * This host as a client of Nomad, with the secret that is enough for Nomad to let it drain itself and take jobs again, also
 * where access control is on. `undefined` where it never was one.
 */
export async function ownNode(host: HostReader, api: string): Promise<OwnNode | undefined> {
  const id = (await host.readText(`${clientState}/client-id`))?.trim();
  if (id === undefined) return undefined;
  const secret = (await host.readText(`${clientState}/secret-id`))?.trim() ?? '';
  return { url: `${api}/v1/node/${id}`, headers: { 'X-Nomad-Token': secret } };
}

/** What an agent answers; `undefined` where it does not. */
export async function send(
  host: Host,
  url: string,
  options: MutatingRequestOptions,
): Promise<HttpResponse | undefined> {
  try {
    return await host.send(url, options);
  } catch (error) {
    if (error instanceof BootstrapError && error.code === 'unreachable') return undefined;
    throw error;
  }
}

/** The answer, for a sentence. */
export function told(answer: HttpResponse | undefined): string {
  if (answer === undefined) return 'no answer';
  return `${answer.status} ${new TextDecoder().decode(answer.body).trim().split('\n')[0] ?? ''}`.trim();
}

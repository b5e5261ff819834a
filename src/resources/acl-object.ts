import { BootstrapError } from '../core/errors.ts';
import type { Host, HostReader, HttpResponse, RequestOptions, Resource, ResourceId } from '../core/types.ts';

/** An agent's API, with a token that may change access control. */
export interface AclApi {
  readonly product: 'Consul' | 'Nomad';
  readonly url: string;
  readonly options: RequestOptions;
}

/** Something that the cluster knows and every server would make the same: a policy, a token, a rule. */
export interface AclObject {
  readonly id: ResourceId;
  /** What it is, for people: "Consul's policy nomad-agents". */
  readonly title: string;
  /** Where it is read; 404 and 403 (a token that does not exist) say that it is not there. */
  readonly path: string;
  /** What is there of it; `undefined`: it is missing. Default: the whole answer. */
  readonly find?: (answer: unknown) => unknown;
  /** Whether what is there is as it should be. */
  readonly isRight: (found: unknown) => boolean;
  /** How to make it so. */
  readonly write: (found: unknown) => { readonly path: string; readonly body: unknown };
  /** For what else must work before it can be made, and does by itself in a while. */
  readonly patienceSeconds?: number;
}

const pauseMs = 1000;
/** Elections pass by themselves. */
const defaultPatienceSeconds = 15;

/**
 * An object of a cluster's access control, made by whichever server comes first; the others find it there. It belongs to
 * the cluster, so that no node's uninstall takes it away: undo kind `none`.
 */
export function aclObject(api: AclApi, object: AclObject): Resource {
  return {
    id: object.id,
    async plan(host) {
      const found = await read(host, api, object);
      if (found !== undefined && object.isRight(found)) return undefined;
      return {
        summary: `${found === undefined ? 'make' : 'correct'} ${object.title}`,
        undo: { kind: 'none' },
        apply: target => make(target, api, object),
      };
    },
  };
}

async function make(host: Host, api: AclApi, object: AclObject): Promise<void> {
  const deadline = host.now().getTime() + (object.patienceSeconds ?? defaultPatienceSeconds) * 1000;
  for (;;) {
    // Another server may have made it in the meantime.
    const found = await read(host, api, object);
    if (found !== undefined && object.isRight(found)) return;
    const { path, body } = object.write(found);
    const response = await host.send(`${api.url}${path}`, {
      ...api.options,
      method: 'PUT',
      body: JSON.stringify(body),
      timeoutMs: 15_000,
    });
    if (response.status === 200) return;
    const now = await read(host, api, object);
    if (now !== undefined && object.isRight(now)) return;
    const passing = response.status >= 500 || response.status === 429;
    if (!passing || host.now().getTime() > deadline) throw refused(api, object, response);
    await host.sleep(pauseMs);
  }
}

/** A GET of the agent's API that an election passes by: other servers may be restarting just now, the leader among them. */
export async function ask(host: HostReader, api: AclApi, path: string): Promise<HttpResponse> {
  const deadline = host.now().getTime() + defaultPatienceSeconds * 1000;
  for (;;) {
    const response = await host.request(`${api.url}${path}`, { ...api.options, timeoutMs: 15_000 });
    const passing = response.status >= 500 || response.status === 429;
    if (!passing || host.now().getTime() > deadline) return response;
    await host.sleep(pauseMs);
  }
}

async function read(host: HostReader, api: AclApi, { path, find }: AclObject): Promise<unknown> {
  const response = await ask(host, api, path);
  if (response.status === 404 || response.status === 403) return undefined;
  const text = textOf(response);
  if (response.status !== 200) {
    throw new BootstrapError('agent-refused', `${api.product} answered ${response.status} to ${path}: ${text}`, {
      hint: `see whether it has a leader (nomad-bootstrap verify), then run the same command again`,
    });
  }
  const answer: unknown = JSON.parse(text);
  return (find === undefined ? answer : find(answer)) ?? undefined;
}

function refused(api: AclApi, { title }: AclObject, response: HttpResponse): BootstrapError {
  return new BootstrapError('acl-conflict', `${title} could not be made: ${api.product} answered ${response.status}`, {
    detail: textOf(response),
    hint: 'something of this name was made by somebody else, or the cluster has no leader: see the line above, and run the same command again',
  });
}

function textOf(response: HttpResponse): string {
  return new TextDecoder().decode(response.body).trim();
}

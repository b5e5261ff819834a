import * as z from 'zod';
import { addressesToJoin } from '../../config/config.ts';
import type { HostReader } from '../../core/types.ts';
import type { Target } from '../../target.ts';

/** What Consul's `/v1/agent/members` says of each agent. Status 1 is alive; the tag `id` is the node id of its data. */
const members = z.array(
  z.object({
    Name: z.string(),
    Addr: z.string(),
    Status: z.number(),
    Tags: z.record(z.string(), z.string()).optional(),
  }),
);

export type Member = z.infer<typeof members>[number];

const attemptMs = 1500;

/** Whether the cluster can be asked before the node is part of it: with access control on its API cannot be reached. */
export function canBeAsked({ config: { node } }: Target): boolean {
  return node?.insecure === true && addressesToJoin(node).length > 0;
}

/** The living nodes of the cluster but this one, by the servers to join, as far as they answer. */
export async function livingOthers(host: HostReader, { config: { node } }: Target): Promise<readonly Member[]> {
  const addresses = node === undefined ? [] : addressesToJoin(node);
  const answers = await Promise.all(addresses.map(address => membersAt(host, address)));
  return answers.flat().filter(({ Addr, Status }) => Status === 1 && Addr !== node?.network.address);
}

/** Empty where nobody answers: the server may be yet to come. */
async function membersAt(host: HostReader, address: string): Promise<readonly Member[]> {
  try {
    const { body } = await host.request(`http://${address}:8500/v1/agent/members`, { timeoutMs: attemptMs });
    return members.parse(JSON.parse(new TextDecoder().decode(body)));
  } catch {
    return [];
  }
}

import * as z from 'zod';
import { addressesToJoin } from '../../config/config.ts';
import type { Check, HostReader } from '../../core/types.ts';
import type { Target } from '../../target.ts';

/** What Consul's `/v1/agent/members` says of each agent. Status 1 is alive. */
const members = z.array(z.object({ Name: z.string(), Addr: z.string(), Status: z.number() }));

const attemptMs = 1500;

/**
 * No living node of the cluster has this node's name from another address. The servers to join are asked, as far as their
 * API can be reached: with access control on it cannot, and Consul itself then refuses a name that is taken.
 */
export const nameFree: Check<Target> = {
  id: 'name-free',
  title: "No other node of the cluster has this node's name",
  appliesTo: ({ config: { node } }) => node?.insecure === true && addressesToJoin(node).length > 0,
  async run(host, { config: { node } }) {
    const answers = await Promise.all(
      (node === undefined ? [] : addressesToJoin(node)).map(address => membersAt(host, address)),
    );
    const namesakes = answers.flat().filter(({ Name, Status }) => Name === node?.name && Status === 1);
    const taken = namesakes.find(({ Addr }) => Addr !== node?.network.address);
    if (taken === undefined) return { status: 'pass', detail: node?.name ?? '' };
    return {
      status: 'fail',
      detail: `${taken.Name} is alive at ${taken.Addr}`,
      hint: 'give this node another --name; where it replaces that one, let that one leave first (nomad-bootstrap uninstall on it, or consul force-leave)',
    };
  },
};

/** Empty where nobody answers: the server may be yet to come. */
async function membersAt(host: HostReader, address: string): Promise<z.infer<typeof members>> {
  try {
    const { body } = await host.request(`http://${address}:8500/v1/agent/members`, { timeoutMs: attemptMs });
    return members.parse(JSON.parse(new TextDecoder().decode(body)));
  } catch {
    return [];
  }
}

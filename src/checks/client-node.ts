import * as z from 'zod';
import { BootstrapError } from '../core/errors.ts';
import type { HostReader } from '../core/types.ts';
import { nomad, readAgent, readNomadSelf } from './agents.ts';

const nodeSchema = z.object({
  ID: z.string(),
  Name: z.string(),
  Status: z.string(),
  StatusDescription: z.string(),
  SchedulingEligibility: z.string(),
  Drain: z.boolean(),
  Attributes: z.record(z.string(), z.string()),
  Drivers: z.record(
    z.string(),
    z.object({ Detected: z.boolean(), Healthy: z.boolean(), HealthDescription: z.string() }),
  ),
  NodeResources: z.object({ Networks: z.array(z.object({ Mode: z.string() })).nullable() }),
});

export type ClientNode = z.infer<typeof nodeSchema>;

/** This node's client as the servers know it. Throws `agent-refused` when it has not registered. */
export async function readClientNode(host: HostReader): Promise<ClientNode> {
  const { stats } = await readNomadSelf(host);
  if (stats.client === undefined) {
    throw new BootstrapError('agent-refused', "Nomad's client does not run on this node", {
      hint: 'see the client block in /etc/nomad.d, then: systemctl restart nomad',
    });
  }
  return readAgent(host, nomad, `/v1/node/${stats.client.node_id}`, nodeSchema);
}

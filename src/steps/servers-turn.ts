import { asThisNode, consulApi } from '../own-agents.ts';
import type { AgentSpec } from '../resources/agent.ts';
import { inTurn } from '../resources/restart-turn.ts';
import { isSecureServer, type NodeTarget } from '../target.ts';
import { consulManagementApi } from './consul-access.ts';

/** A server's agent is restarted in its turn; a client's whenever it has to be, and so is a server's that is told to by --force. */
export function serversTurn(product: 'Consul' | 'Nomad', api: string, target: NodeTarget): Pick<AgentSpec, 'inTurn'> {
  const { node, force } = target.config;
  if (!node.runsServer || force) return {};
  const lock = isSecureServer(target) ? consulManagementApi(target) : { url: consulApi, options: {} };
  return { inTurn: (host, work) => inTurn(asThisNode(host, target), { product, api, lock, name: node.name }, work) };
}

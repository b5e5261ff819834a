import * as z from 'zod';
import { addressesToJoin } from '../config/config.ts';
import type { CheckOutcome, Handshake, HandshakeOptions, HostReader } from '../core/types.ts';
import { isSecure, type NodeTarget } from '../target.ts';
import { consul, readAgent } from './agents.ts';
import { fail, type HealthCheck, pass, warn } from './health-check.ts';

/** The bytes with which TLS begins on the agents' RPC ports. Source: helper/pool/conn.go, Nomad 2.0.5; agent/pool/conn.go, Consul 1.21.4. */
export const rpcPorts = {
  nomad: { port: 4647, preamble: 0x04 },
  consul: { port: 8300, preamble: 0x03 },
} as const;

export const tlsRoles: HealthCheck = {
  id: 'tls-roles',
  title: 'RPC hears certificates of this cluster alone',
  scope: 'node',
  needs: ['certificates', 'consul-agent', 'nomad-agent'],
  appliesTo: isSecure,
  async run(host, target) {
    const { node } = target.config;
    const address = node.runsServer ? node.network.address : (addressesToJoin(node)[0] ?? (await consulServer(host)));
    if (address === undefined || !isSecure(target)) return pass('no server to ask');
    const own = {
      cert: (await host.readText('/etc/nomad.d/tls/agent.pem')) ?? '',
      key: (await host.readText('/etc/nomad.d/tls/agent-key.pem')) ?? '',
    };
    const judgements = await Promise.all(
      (['nomad', 'consul'] as const).map(async product => {
        const { port } = rpcPorts[product];
        const options = handshakeOptions(product, target);
        const [withCertificate, without] = await Promise.all([
          host.handshake(address, port, { ...options, ...own }),
          host.handshake(address, port, options),
        ]);
        return judge(product, `${product} on ${address}:${port}`, withCertificate, without);
      }),
    );
    const flaw = judgements.find(outcome => outcome !== undefined);
    if (flaw !== undefined) return flaw;
    return pass('Nomad and Consul: RPC by mutual TLS only');
  },
};

/** One of the servers that this node's Consul knows: it says so to everybody. */
async function consulServer(host: HostReader): Promise<string | undefined> {
  const [peer] = await readAgent(host, consul, '/v1/status/peers', z.array(z.string()));
  return peer?.split(':')[0];
}

function judge(
  product: keyof typeof rpcPorts,
  place: string,
  withCertificate: Handshake,
  without: Handshake,
): CheckOutcome | undefined {
  const ownBlock = `look for a tls block of your own in /etc/${product}.d that wins over ours`;
  if (withCertificate === 'silent')
    return warn(`${place} does not answer`, `see whether it runs: systemctl status ${product}`);
  if (withCertificate === 'plain') return fail(`${place} speaks without TLS`, ownBlock);
  if (withCertificate === 'foreign')
    return fail(
      `${place} does not prove to be a server of this cluster`,
      'it was made with another token, or its certificate ended: run nomad-bootstrap server on it',
    );
  if (withCertificate === 'refused')
    return fail(
      `${place} refuses this node's certificate`,
      "compare the clocks of both (timedatectl), and the authority's certificate: nomad-bootstrap token show --kind ca-certificate",
    );
  return without === 'accepted' ? fail(`${place} hears whoever has no certificate`, ownBlock) : undefined;
}

/** How a server of the cluster is told from others. */
export function handshakeOptions(
  product: keyof typeof rpcPorts,
  { config: { node }, credentials }: NodeTarget,
): HandshakeOptions {
  return {
    preamble: rpcPorts[product].preamble,
    ca: credentials?.caCertificate ?? '',
    serverName: product === 'nomad' ? `server.${node.region}.nomad` : `server.${node.datacenter}.consul`,
    timeoutMs: 3000,
  };
}

/** What a server at this address says to a node that holds this cluster's authority and shows nothing of its own. */
export function sayHello(host: HostReader, target: NodeTarget, address: string) {
  return host.handshake(address, rpcPorts.nomad.port, { ...handshakeOptions('nomad', target), serverOnly: true });
}

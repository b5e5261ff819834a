import type { Forming } from '../checks/forming.ts';
import { isSecureServer, type NodeTarget } from '../target.ts';

/** What a person wants to know when a node is done: what it is, how to look at it, what comes next. */
export function farewell(target: NodeTarget, forming: Forming | undefined, opensLater = false): string {
  const { node } = target.config;
  if (forming !== undefined) {
    return [
      `${forming.alive} of ${forming.expected} servers; this node is done. Run the same line on the others, then: nomad-bootstrap verify --wait 180`,
      ...(opensLater ? ['its API is on loopback until then: afterwards run the same line here once more'] : []),
    ].join('\n');
  }
  const { nomad, consul } = target.resolution;
  return [
    `${node.role} ${node.name} (${node.network.address}) in ${node.datacenter}: Nomad ${nomad.version}, Consul ${consul.version}`,
    ...(node.runsServer ? userInterface(node) : []),
    ...(isSecureServer(target) ? logIn : []),
    ...(node.role === 'dev' ? [devWarning] : []),
  ].join('\n');
}

/** How to get in, without the key. */
const logIn = [
  "the token to log in with: nomad-bootstrap token show --kind nomad-management (for Consul's UI: consul-management)",
];

/** Both are HTTPS by the cluster's own authority then. */
const commandLine =
  'for the commands: export NOMAD_ADDR=https://127.0.0.1:4646 NOMAD_CACERT=/etc/nomad.d/tls/ca.pem; elsewhere with the certificate that token show --kind ca-certificate tells';

const devWarning = 'every local user of this machine may run jobs, and so become root: keep it for development';

function userInterface({ api, network, insecure, role }: NodeTarget['config']['node']): readonly string[] {
  const open = api === 'cluster';
  const secured = !insecure && role !== 'dev';
  const nomad = open && secured ? 'https' : 'http';
  return [
    `Nomad's UI: ${nomad}://127.0.0.1:4646/ui, Consul's: http://127.0.0.1:8500/ui`,
    'from your own machine: ssh -L 4646:127.0.0.1:4646 -L 8500:127.0.0.1:8500 root@THIS-MACHINE',
    ...(open ? [`from the cluster's network: ${nomad}://${network.address}:4646/ui`] : []),
    ...(open && secured ? [commandLine] : []),
  ];
}

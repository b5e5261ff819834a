import { runCommand } from './commands.ts';
import { metadataAddress, networks } from './hosts.ts';

/** One interface of a node. */
export interface InterfaceSpec {
  /** As the node sees it: eth0, eth1 ... */
  readonly name: string;
  readonly network: 'public' | 'vlan';
  /** In CIDR form; the first is the node's main address there. */
  readonly addresses: readonly string[];
}

/** The name of a lab's network namespace: its bridges, the mirror and the hosts' ends of all nodes' interfaces live there. */
export function labNamespace(id: string): string {
  return `nbl-${id}`;
}

/** The name of a node's own network namespace. */
export function nodeNamespace(id: string, node: string): string {
  return `nbl-${id}-${node}`;
}

/** Prefixes a command so that it runs in a lab's network, and sees this machine's files as they are. */
export function inNamespace(namespace: string, argv: readonly string[]): readonly string[] {
  // Not `ip netns exec`: it mounts a fresh /sys, without the cgroups that nspawn needs.
  return ['nsenter', `--net=/run/netns/${namespace}`, ...argv];
}

/** Makes a lab's network namespace with both bridges, the gateway's address and the metadata service's. */
export async function createLabNetwork(id: string): Promise<void> {
  const namespace = labNamespace(id);
  await runCommand(['ip', 'netns', 'add', namespace]);
  await ipBatch(namespace, [
    'link set lo up',
    `link add ${networks.public.bridge} type bridge`,
    `link add ${networks.vlan.bridge} type bridge`,
    `addr add ${networks.public.gateway}/24 dev ${networks.public.bridge}`,
    `addr add ${metadataAddress}/32 dev ${networks.public.bridge}`,
    `link set ${networks.public.bridge} up`,
    `link set ${networks.vlan.bridge} up`,
  ]);
}

/** Makes a fresh network namespace for a node, with its interfaces plugged into the lab's bridges. Replaces an older one. */
export async function createNodeNetwork(
  id: string,
  node: { readonly name: string; readonly number: number; readonly interfaces: readonly InterfaceSpec[] },
): Promise<void> {
  const namespace = nodeNamespace(id, node.name);
  // The kernel takes a namespace's interfaces away some time after it: their other ends must not be in the way.
  for (const link of node.interfaces) {
    await runCommand(['ip', '-n', labNamespace(id), 'link', 'del', portName(node.number, link.name)], { check: false });
  }
  await runCommand(['ip', 'netns', 'del', namespace], { check: false });
  await runCommand(['ip', 'netns', 'add', namespace]);
  await ipBatch(
    labNamespace(id),
    node.interfaces.flatMap(link => {
      const port = portName(node.number, link.name);
      return [
        `link add ${port} type veth peer name ${link.name} netns ${namespace}`,
        `link set ${port} master ${networks[link.network].bridge} up`,
      ];
    }),
  );
}

/** Takes the lab's end of a node's interface down or up: the node sees its carrier go, as with a pulled cable. */
export async function setPort(id: string, number: number, link: string, state: 'up' | 'down'): Promise<void> {
  await ipBatch(labNamespace(id), [`link set ${portName(number, link)} ${state}`]);
}

/** What arrives at a node's interface comes at this rate at most. (This kernel has tbf; latency is the mirror's to make.) */
export async function limitPort(id: string, number: number, link: string, mbitPerSecond: number): Promise<void> {
  const shape = ['root', 'tbf', 'rate', `${mbitPerSecond}mbit`, 'burst', '64kb', 'latency', '50ms'];
  const tc = ['tc', 'qdisc', 'replace', 'dev', portName(number, link), ...shape];
  await runCommand(inNamespace(labNamespace(id), tc));
}

/** The lab's end of a node's interface. */
export function portName(number: number, link: string): string {
  return `n${number}-${link}`;
}

/** The systemd-networkd file for an interface. */
export function networkdFile(link: InterfaceSpec): string {
  const { gateway } = networks[link.network];
  return [
    '[Match]',
    `Name=${link.name}`,
    '',
    '[Network]',
    'LinkLocalAddressing=no',
    'IPv6AcceptRA=no',
    ...link.addresses.map(address => `Address=${address}`),
    ...(gateway ? [`Gateway=${gateway}`] : []),
    '',
  ].join('\n');
}

async function ipBatch(namespace: string, lines: readonly string[]): Promise<void> {
  await runCommand(['ip', '-n', namespace, '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
}

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { program } from '../cluster/bootstrap.ts';
import type { LabNode } from './lab.ts';
import { livingPaths, type TreeEntry } from './trees.ts';

/** All that a bootstrap is about on a node, as lines that can be compared between nodes of one name and address. */
export type NodeState = ReadonlySet<string>;

/** A path that two undisturbed runs do not make the same, and why; everything below it counts too. */
interface Exception {
  readonly path: string;
  readonly reason: string;
}

/** The whole list; docs/reliability.md has it for people. */
export const exceptions: readonly Exception[] = [
  { path: '/opt/consul', reason: "Consul's own data: its node id, raft, gossip" },
  { path: '/opt/nomad/data', reason: "Nomad's own data: its node id, raft, gossip" },
  { path: '/var/lib/docker', reason: "Docker's own data" },
  { path: '/var/lib/containerd', reason: "containerd's own data" },
  { path: '/etc/docker', reason: "the key that Docker's engine makes for itself" },
  { path: '/var/lib/nomad-bootstrap/journal', reason: 'the history of the runs, with their times' },
  { path: '/var/log', reason: 'logs' },
  { path: '/var/cache', reason: 'caches' },
  { path: '/var/lib/apt/lists', reason: "apt's indexes, which every update replaces" },
  {
    path: '/var/lib/dpkg/status',
    reason: 'the order of its entries; the packages and their states are compared by themselves',
  },
  { path: '/var/lib/dpkg/status-old', reason: "dpkg's backup of its database" },
  { path: '/var/lib/dnf', reason: "dnf's history of transactions" },
  { path: '/var/lib/rpm', reason: "rpm's database; the packages are compared by themselves" },
  ...['passwd', 'group', 'shadow', 'gshadow', 'subuid', 'subgid'].flatMap(name =>
    [`/etc/${name}`, `/etc/${name}-`].map(path => ({
      path,
      reason: 'the numbers of the accounts, by the order in which packages make them; names are compared by themselves',
    })),
  ),
];

/** Every file with its content, mode and owner, and what the system's own programs say of packages, units and sysctls. */
export async function stateOf(node: LabNode): Promise<NodeState> {
  const left = [...livingPaths, ...exceptions.map(({ path }) => path), `/usr/local/bin/${program}`];
  const tree = await node.snapshotTree(['/'], left);
  const owners = accountsOf(node, 'etc/passwd');
  const groups = accountsOf(node, 'etc/group');
  const files = [...tree].map(([name, entry]) => `${name}: ${described(entry, owners, groups)}`);
  const { stdout } = await node.exec([
    'sh',
    '-c',
    node.system === 'rocky9' ? `${ofRpm}\n${ofAll}` : `${ofDpkg}\n${ofAll}`,
  ]);
  const said = stdout.split('\n').filter(line => line !== '');
  return new Set([...files, ...said, ...owners.values(), ...groups.values()]);
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are dpkg-query's own
const dpkgFormat = '${Package} ${Version} ${Status}\\n';

const ofDpkg = `dpkg-query -W -f '${dpkgFormat}' | sed 's/^/package /'
apt-mark showauto | sed 's/^/came along: /'
apt-mark showhold | sed 's/^/held: /'
dpkg --audit`;

const ofRpm = "rpm -qa | sed 's/^/package /'";

const ofAll = `systemctl list-unit-files --no-legend --plain nomad* consul* docker* containerd* | sed 's/  */ /g; s/^/unit /'
for unit in nomad consul docker containerd; do echo "$unit is $(systemctl is-active $unit)"; done
sysctl -e net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables net.bridge.bridge-nf-call-arptables
find / -xdev -name '.*.nomad-bootstrap-new' | sed 's/^/left behind: /'`;

/** Number -> `name: members`, without the number. */
function accountsOf(node: LabNode, file: string): ReadonlyMap<number, string> {
  const lines = readFileSync(path.join(node.root, file), 'utf8')
    .split('\n')
    .filter(line => line !== '');
  return new Map(
    lines.map(line => {
      const [name = '', , id = '', ...rest] = line.split(':');
      const described = file.endsWith('group') ? rest : rest.slice(1);
      return [Number(id), `${file} ${name}: ${described.join(':')}`];
    }),
  );
}

function described(entry: TreeEntry, owners: ReadonlyMap<number, string>, groups: ReadonlyMap<number, string>): string {
  const { uid, gid, ...rest } = entry;
  const name = (accounts: ReadonlyMap<number, string>, id: number) => accounts.get(id)?.split(/[ :]/)[1] ?? String(id);
  return `${name(owners, uid)}:${name(groups, gid)} ${JSON.stringify(rest)}`;
}

/** What one of the two has and the other has not. */
export function differencesOf(expected: NodeState, found: NodeState): readonly string[] {
  const missing = [...expected].filter(line => !found.has(line)).map(line => `- ${line}`);
  const added = [...found].filter(line => !expected.has(line)).map(line => `+ ${line}`);
  return [...missing, ...added];
}

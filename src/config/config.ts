import type { NetworkKind } from '../facts/facts.ts';
import type { LinodeSearch } from './linode-search.ts';

/** What a node is in the cluster. `dev` is one node with both roles on loopback. */
export type Role = 'server' | 'client' | 'dev';

/** The address that the agents bind and advertise, and the network that it lies on. */
export interface ClusterNetwork {
  readonly address: string;
  readonly interface: string;
  /** Network in CIDR notation, e.g. 10.0.0.0/24. */
  readonly cidr: string;
  readonly kind: NetworkKind | 'loopback';
}

/** A server to join: an IPv4 address or a host name, without a port; or the Linodes that a search by Linode's API finds. */
export type Join = { readonly address: string } | { readonly search: LinodeSearch };

/** The host name under which `--join vlan` keeps the nodes that it found. Without a dot, so that /etc/hosts is all that is asked. */
export const vlanPeers = 'nomad-bootstrap-peers';

/** Whether the node finds the others on its own subnet (`--join vlan`). */
export function joinsOverVlan({ join }: NodeConfig): boolean {
  return addressesToJoin({ join }).includes(vlanPeers);
}

/** The servers to join that are named. */
export function addressesToJoin({ join }: Pick<NodeConfig, 'join'>): readonly string[] {
  return join.flatMap(target => ('address' in target ? [target.address] : []));
}

/** The searches by Linode's API (`--join linode:tag=...`). */
export function searchesToJoin({ join }: Pick<NodeConfig, 'join'>): readonly LinodeSearch[] {
  return join.flatMap(target => ('search' in target ? [target.search] : []));
}

export type DockerSource = 'auto' | 'distro' | 'none';

/** What every node gets, whatever its role; all that `image` uses. */
export interface PackagesConfig {
  /** `latest`, an exact version, or `tested`: the newest patch release of the tested minor lines (versions.ts). */
  readonly nomadVersion: string;
  readonly consulVersion: string;
  readonly cniVersion: string;
  readonly docker: DockerSource;
  /** Base URL that replaces `https://`, without a trailing slash: a mirror keeps each upstream under its host's name. */
  readonly mirror?: string;
  readonly hashicorpKeyFingerprints: readonly string[];
  readonly dockerKeyFingerprints: readonly string[];
  readonly cniSha256?: string;
}

/** What a node of a cluster is to be. */
export interface NodeConfig {
  readonly role: Role;
  /** Runs Nomad's client: `client`, `dev`, and `server --with-client`. */
  readonly runsClient: boolean;
  /** Runs Nomad's and Consul's servers. */
  readonly runsServer: boolean;
  /** Consul servers and Nomad servers expected in the cluster. Servers only; 0 on a client. */
  readonly expect: number;
  /** The node's own address is not among them. */
  readonly join: readonly Join[];
  readonly name: string;
  readonly region: string;
  readonly datacenter: string;
  readonly network: ClusterNetwork;
  /** Where the agents' HTTP APIs listen besides loopback. */
  readonly api: 'loopback' | 'cluster';
  readonly insecure: boolean;
  readonly nodePool: string;
  readonly nodeClass?: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly rawExec: boolean;
  readonly dockerPrivileged: boolean;
  readonly dockerVolumes: boolean;
}

/** What the host is to become: validated, frozen. `node` is absent for `image`. */
export interface Config {
  readonly packages: PackagesConfig;
  readonly node?: NodeConfig;
  /** Restart a server even where the cluster could lose its quorum. */
  readonly force: boolean;
}

import type { InterfaceAddress, LinodeMetadata } from '../core/types.ts';
import { isPublic, isUsable } from './addresses.ts';
import type { CandidateAddress, NetworkKind } from './facts.ts';

/** Bridges and links that container engines, CNI plugins and hypervisors make for their guests. */
const guestInterface =
  /^(docker|nomad|cni|cali|cilium|flannel|kube|veth|vnet|virbr|lxcbr|lxdbr|incusbr|podman|dummy|ifb|br-[0-9a-f]{12}$)/;

/**
 * Tunnels, and what a loopback interface has beside loopback (an address that Linodes share for failover is there). Somebody made
 * them on purpose, but not for this cluster unless it is said with --network.
 */
const overlayInterface = /^(lo$|tailscale|wg|zt|tun|tap|gre|ipip|sit|vxlan)/;

/** Best first: networks that only the owner's machines are on come before shared ones. */
const kindOrder: readonly NetworkKind[] = ['vlan', 'vpc', 'private', 'public'];

/**
 * The IPv4 addresses that a cluster could use, best kind first, otherwise in the order of `addresses`. On a Linode whose
 * metadata is not known, VLAN and VPC cannot be told from another private network and are called private.
 */
export function candidateAddresses(
  addresses: readonly InterfaceAddress[],
  metadata: LinodeMetadata | undefined,
): readonly CandidateAddress[] {
  const candidates = addresses
    .filter(isIpv4)
    .filter(({ interface: name }) => !guestInterface.test(name) && !overlayInterface.test(name))
    .map(address => ({ ...address, kind: kindOf(address, metadata) }));
  return kindOrder.flatMap(kind => candidates.filter(candidate => candidate.kind === kind));
}

/** IPv4 addresses on tunnels and the loopback interface: for whoever names one with --network, never to be chosen otherwise. */
export function overlayAddresses(addresses: readonly InterfaceAddress[]): readonly CandidateAddress[] {
  return addresses
    .filter(isIpv4)
    .filter(({ interface: name }) => overlayInterface.test(name))
    .map(address => ({ ...address, kind: kindOf(address, undefined) }));
}

function isIpv4(address: InterfaceAddress): address is InterfaceAddress & { readonly family: 4 } {
  return address.family === 4 && isUsable(address.address);
}

function kindOf(address: InterfaceAddress, metadata: LinodeMetadata | undefined): NetworkKind {
  // Whatever the metadata says, an address that strangers can reach is public.
  if (isPublic(address.address)) return 'public';
  if (metadata === undefined) return 'private';
  if (
    metadata.interfaces.some(
      ({ purpose, ipamAddress }) => purpose === 'vlan' && addressOf(ipamAddress) === address.address,
    )
  ) {
    return 'vlan';
  }
  if (metadata.privateIpv4.includes(address.address)) return 'private';
  // Linode's images boot with net.ifnames=0: the first interface is eth0, and so on.
  const [, index] = /^eth(\d+)$/.exec(address.interface) ?? [];
  const purpose = index === undefined ? undefined : metadata.interfaces[Number(index)]?.purpose;
  if (purpose === 'vlan' || purpose === 'vpc') return purpose;
  return 'private';
}

function addressOf(cidr: string | undefined): string | undefined {
  return cidr?.split('/')[0];
}

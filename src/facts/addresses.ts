import ipaddr from 'ipaddr.js';

/** A network in CIDR notation, taken apart. */
export interface Cidr {
  /** The lowest address of the network: host bits are zero. */
  readonly network: string;
  readonly prefixLength: number;
  readonly family: 4 | 6;
}

/** Addresses that every customer of a Linode data centre can reach. Source: Akamai's guide to private IPv4 addresses. */
const linodePrivate = '192.168.128.0/17';

/** Ranges from which no stranger can send a packet here: RFC 1918, RFC 6598, RFC 4193, loopback and link-local. */
const notPublic = new Set(['private', 'carrierGradeNat', 'uniqueLocal', 'loopback', 'linkLocal', 'unspecified']);

/** `4` or `6` for a literal address without a prefix, port, zone or brackets; `undefined` for anything else, names included. */
export function familyOf(text: string): 4 | 6 | undefined {
  // ipaddr.js also takes 10.1 and 0x0a000001, which mean something else to other programs.
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return 4;
  if (!text.includes('%') && ipaddr.IPv6.isValid(text)) return 6;
  return undefined;
}

/** The one spelling of an address (`2001:DB8:0::1` becomes `2001:db8::1`); `undefined` when it is none. */
export function normalAddress(text: string): string | undefined {
  return familyOf(text) === undefined ? undefined : ipaddr.parse(text).toString();
}

/** Takes `10.0.0.7/24` for its network 10.0.0.0/24; `undefined` when it is not an address, a slash and a prefix length. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const family = familyOf(address);
  if (family === undefined || rest.length > 0 || !/^\d{1,3}$/.test(prefix)) return undefined;
  const prefixLength = Number(prefix);
  if (prefixLength > (family === 4 ? 32 : 128)) return undefined;
  const network =
    family === 4
      ? ipaddr.IPv4.networkAddressFromCIDR(text).toString()
      : ipaddr.IPv6.networkAddressFromCIDR(text).toString();
  return { network, prefixLength, family };
}

/** Whether an address lies in a network given as `10.0.0.0/24`. False when either is malformed or the families differ. */
export function inCidr(address: string, cidr: string): boolean {
  const family = familyOf(address);
  const parsed = parseCidr(cidr);
  if (family === undefined || parsed === undefined || parsed.family !== family) return false;
  return ipaddr.parse(address).match(ipaddr.parse(parsed.network), parsed.prefixLength);
}

/** The network of an address, as `10.0.0.0/24`. Throws when `address` is not a literal address. */
export function networkOf(address: string, prefixLength: number): string {
  const cidr = parseCidr(`${address}/${prefixLength}`);
  if (cidr === undefined) throw new RangeError(`${address}/${prefixLength} is not an address with a prefix length`);
  return `${cidr.network}/${cidr.prefixLength}`;
}

/** Whether strangers could reach an address: everything that is not private, shared, link-local or loopback. */
export function isPublic(address: string): boolean {
  return familyOf(address) !== undefined && !notPublic.has(ipaddr.parse(address).range());
}

export function isLoopback(address: string): boolean {
  return familyOf(address) !== undefined && ipaddr.parse(address).range() === 'loopback';
}

/** Whether an address is of the kind that a node can be reached at: neither loopback, link-local, multicast nor a placeholder. */
export function isUsable(address: string): boolean {
  if (familyOf(address) === undefined) return false;
  return !['loopback', 'linkLocal', 'multicast', 'broadcast', 'unspecified'].includes(ipaddr.parse(address).range());
}

/** Whether an IPv4 address is of 192.168.128.0/17, which Linode shares between all customers of a data centre. */
export function isLinodePrivate(address: string): boolean {
  return inCidr(address, linodePrivate);
}

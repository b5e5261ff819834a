import type { HostReader } from '../core/types.ts';
import { isLinodePrivate, isPublic } from '../facts/addresses.ts';
import type { NodeTarget } from '../target.ts';
import { fail, type HealthCheck, pass, warn } from './health-check.ts';

/** The one port that obeys nobody. */
const dnsPort = 8600;

type Audience = 'api' | 'cluster' | 'loopback';

/**
 * TCP ports that give away the cluster to whoever reaches them, and who may. What the agents hear over UDP, gossip and DNS, is
 * at the same addresses. Docker's 2376 is not here: whoever opens that asks for certificates.
 */
const ports: ReadonlyMap<number, { readonly name: string; readonly audience: Audience }> = new Map([
  [2375, { name: "Docker's API", audience: 'loopback' }],
  [4646, { name: "Nomad's API", audience: 'api' }],
  [4647, { name: "Nomad's RPC", audience: 'cluster' }],
  [4648, { name: "Nomad's gossip", audience: 'cluster' }],
  [8300, { name: "Consul's RPC", audience: 'cluster' }],
  [8301, { name: "Consul's gossip", audience: 'cluster' }],
  [8302, { name: "Consul's gossip between datacenters", audience: 'cluster' }],
  [8500, { name: "Consul's API", audience: 'api' }],
  [8501, { name: "Consul's API", audience: 'api' }],
  [8502, { name: "Consul's gRPC", audience: 'api' }],
  [8503, { name: "Consul's gRPC", audience: 'cluster' }],
  [dnsPort, { name: "Consul's DNS", audience: 'loopback' }],
]);

export const portsExposed: HealthCheck = {
  id: 'ports-exposed',
  title: 'No port is open to strangers',
  scope: 'node',
  async run(host, target) {
    const [sockets, users] = await Promise.all([listeners(host), host.readText('/etc/passwd')]);
    const consulUser = userId(users ?? '', 'consul');
    const open = sockets.flatMap(({ address, port, user }) => {
      const service = serviceOf(port, user === consulUser, consulUser === undefined);
      if (service === undefined || mayListen(service.audience, address, target)) return [];
      const shown = address.includes(':') ? `[${address}]` : address;
      return [{ place: `${service.name} on ${shown}:${port}`, port, everywhere: isForStrangers(address) }];
    });
    if (open.length === 0) return pass('the agents listen where they should');

    const strangers = open.filter(({ everywhere }) => everywhere);
    if (strangers.length > 0) {
      const harm = strangers.every(({ port }) => port === dnsPort)
        ? 'learns where every service is, and can have it flood others with answers'
        : 'can run programs on this node as root';
      return fail(
        `${strangers.map(({ place }) => place).join(', ')}: whoever reaches it ${harm}`,
        'run nomad-bootstrap again to bind it to the right address; until then close it: ufw deny or a Cloud Firewall (which does not see VLAN traffic)',
      );
    }
    return warn(
      `${open.map(({ place }) => place).join(', ')}: beyond the addresses of the settings`,
      'if containers need it, that is yours to decide; otherwise look for addresses or client_addr of your own in /etc/nomad.d and /etc/consul.d',
    );
  },
};

/**
 * What listens there, as far as this is about it. Consul's sockets are those of its user, under whatever number; of others only the
 * numbers are known, and where Consul has a user, one of Consul's numbers may be anybody's.
 */
function serviceOf(port: number, isConsul: boolean, hasNoUser: boolean) {
  const known = ports.get(port);
  if (isConsul) return known ?? ({ name: "Consul's own port", audience: 'api' } as const);
  return known?.name.startsWith('Consul') && !hasNoUser ? undefined : known;
}

function userId(passwd: string, name: string): string | undefined {
  return new RegExp(`^${name}:[^:]*:(\\d+):`, 'm').exec(passwd)?.[1];
}

function mayListen(audience: Audience, address: string, { config: { node } }: NodeTarget): boolean {
  if (address.startsWith('127.') || address === '::1') return true;
  if (address !== node.network.address) return false;
  return audience === 'cluster' || (audience === 'api' && node.api === 'cluster');
}

/** The whole world, every network that this node is in, or one that all customers of a data centre share. */
function isForStrangers(address: string): boolean {
  return address === '0.0.0.0' || address === '::' || isPublic(address) || isLinodePrivate(address);
}

interface Listener {
  readonly address: string;
  readonly port: number;
  /** Of the user that opened it, as a number. */
  readonly user: string;
}

/** Listening TCP sockets, from the kernel's own table: no process needed. Source: proc_net_tcp.rst of the kernel. */
async function listeners(host: HostReader): Promise<readonly Listener[]> {
  const tables = await Promise.all([host.readText('/proc/net/tcp'), host.readText('/proc/net/tcp6')]);
  const seen = new Map<string, Listener>();
  for (const line of tables.flatMap(table => (table ?? '').split('\n'))) {
    const [, local = '', , state, , , , user = ''] = line.trim().split(/\s+/);
    const [address = '', port = ''] = local.split(':');
    if (state !== '0A') continue;
    const listener = { address: readAddress(address), port: Number.parseInt(port, 16), user };
    seen.set(`${listener.address} ${listener.port}`, listener);
  }
  return [...seen.values()];
}

/** The kernel prints addresses as 32-bit words in the order of the host's bytes: on all supported machines reversed. */
function readAddress(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap(word => (word.match(/../g) ?? []).reverse());
  const numbers = bytes.map(byte => Number.parseInt(byte, 16));
  if (numbers.length === 4) return numbers.join('.');
  if (numbers.slice(0, 12).join() === '0,0,0,0,0,0,0,0,0,0,255,255') return numbers.slice(12).join('.');
  if (numbers.every(number => number === 0)) return '::';
  if (numbers.slice(0, 15).every(number => number === 0) && numbers[15] === 1) return '::1';
  return (bytes.join('').toLowerCase().match(/.{4}/g) ?? []).join(':');
}

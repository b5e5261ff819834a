import { BootstrapError } from '../core/errors.ts';
import { isLinodePrivate } from '../facts/addresses.ts';
import type { Facts } from '../facts/facts.ts';
import { cniPlugins } from '../versions.ts';
import { chooseNetwork } from './choose-network.ts';
import {
  addressesToJoin,
  type ClusterNetwork,
  type Config,
  type Join,
  type NodeConfig,
  type PackagesConfig,
  type Role,
  vlanPeers,
} from './config.ts';
import { parseSearch } from './linode-search.ts';
import type { Settings } from './options.ts';
import type { Recorded } from './record.ts';

/**
 * What the host is to become: the settings, with what they leave open decided from the facts. Throws what the operator
 * must settle: `expect-missing`, `join-missing`, `insecure-not-said`, `insecure-network`, `settings-conflict`,
 * `network-undecided`, `identity-unknown`, `bad-setting`.
 */
export function decide(
  role: Role | 'image',
  settings: Settings,
  recorded: Recorded | undefined,
  facts: Facts,
  /** What the cluster's token says; absent where there is none. */
  token?: TokenScope,
): Config {
  const packages = decidePackages(settings);
  const force = settings.force ?? false;
  refuseRole(role, recorded?.config.node?.role);
  if (role === 'image') return { packages, force };
  refuseLostAddress(settings, recorded, facts);
  const node = role === 'dev' ? decideDev(settings, facts) : decideClusterNode(role, settings, facts, token);
  refuseConflicts(node, recorded);
  return { packages, node: withKnownKind(node, recorded), force };
}

/** Without Linode's metadata a VLAN is called private: a node that once knew better does not forget it. */
function withKnownKind(node: NodeConfig, recorded: Recorded | undefined): NodeConfig {
  const former = recorded?.config.node?.network;
  if (former?.address !== node.network.address || node.network.kind !== 'private') return node;
  return { ...node, network: { ...node.network, kind: former.kind } };
}

/** What a token fixes for all nodes of its cluster. */
export interface TokenScope {
  readonly region: string;
  /** `undefined`: each node decides. */
  readonly datacenter: string | undefined;
}

/** The settings, with what the token fixes. Throws `settings-conflict` where they say otherwise. */
function withToken(settings: Settings, token: TokenScope | undefined): Settings {
  if (token === undefined) return settings;
  const { region, datacenter = settings.datacenter } = token;
  for (const [what, fixed, asked] of [
    ['region', region, settings.region],
    ['datacenter', datacenter, settings.datacenter],
  ]) {
    if (asked === undefined || asked === fixed) continue;
    throw new BootstrapError('settings-conflict', `the token is of the ${what} ${fixed}, and ${asked} was asked for`, {
      hint: `leave that setting away; for another ${what} make another token with token create --${what}. Nothing was touched.`,
    });
  }
  return { ...settings, region, ...(datacenter === undefined ? {} : { datacenter }) };
}

/** Shows the two lines that make a secure cluster. */
function tokenMissing(role: 'server' | 'client'): BootstrapError {
  const lines =
    role === 'server'
      ? [
          '(umask 077; nomad-bootstrap token create > cluster.token)',
          'nomad-bootstrap server --token-file cluster.token --expect 3 --join A,B,C',
        ]
      : [
          '(umask 077; nomad-bootstrap token client --token-file cluster.token > client.token)',
          'nomad-bootstrap client --token-file client.token --join A,B,C',
        ];
  return new BootstrapError('insecure-not-said', 'a cluster needs a token, from which all of its secrets follow', {
    detail: lines.join('\n'),
    hint: `run these two, the first once and the second with its file on every ${role}; or say --insecure, on a network that nobody else is on. Nothing was touched.`,
  });
}

function decidePackages(settings: Settings): PackagesConfig {
  const cniVersion = settings.cniVersion ?? cniPlugins.version;
  if (cniVersion !== cniPlugins.version && settings.cniSha256 === undefined) {
    throw new BootstrapError('bad-setting', `the checksum of the CNI plug-ins ${cniVersion} is not known`, {
      hint: `give it with --cni-sha256, or leave --cni-version at ${cniPlugins.version}`,
    });
  }
  return {
    nomadVersion: settings.nomadVersion ?? 'tested',
    consulVersion: settings.consulVersion ?? 'tested',
    cniVersion,
    docker: settings.docker ?? 'auto',
    hashicorpKeyFingerprints: settings.hashicorpKeyFingerprint ?? [],
    dockerKeyFingerprints: settings.dockerKeyFingerprint ?? [],
    ...(settings.mirror === undefined ? {} : { mirror: settings.mirror }),
    ...(settings.cniSha256 === undefined ? {} : { cniSha256: settings.cniSha256 }),
  };
}

function decideDev(settings: Settings, facts: Facts): NodeConfig {
  const network: ClusterNetwork = { address: '127.0.0.1', interface: 'lo', cidr: '127.0.0.0/8', kind: 'loopback' };
  return {
    role: 'dev',
    runsServer: true,
    runsClient: true,
    expect: 1,
    join: [],
    network,
    api: 'loopback',
    insecure: true,
    ...decideIdentity(settings, facts),
    ...decideClient(settings),
  };
}

function decideClusterNode(
  role: 'server' | 'client',
  settings: Settings,
  facts: Facts,
  token: TokenScope | undefined,
): NodeConfig {
  if (token === undefined && settings.insecure !== true) throw tokenMissing(role);
  const network = chooseNetwork(settings.network ?? 'auto', facts);
  if (token === undefined && (network.kind === 'public' || isLinodePrivate(network.address))) {
    throw new BootstrapError(
      'insecure-network',
      `an insecure cluster on ${network.address} is refused: ${network.kind === 'public' ? 'the whole internet' : 'every customer of the data centre'} could rule it`,
      { hint: 'make it with a token, or attach a VLAN or a VPC and name it with --network. Nothing was touched.' },
    );
  }
  const identity = decideIdentity(withToken(settings, token), facts);
  const own = new Set([
    network.address,
    identity.name,
    facts.hostname,
    ...facts.addresses.map(({ address }) => address),
  ]);
  const join = (settings.join ?? [])
    .filter(target => !own.has(target))
    .map((target): Join => {
      const search = parseSearch(target, network);
      return search === undefined ? { address: target === 'vlan' ? vlanPeers : target } : { search };
    });
  if (addressesToJoin({ join }).includes(vlanPeers)) refuseForeignSubnet(network);
  if (role === 'client' && join.length === 0) {
    throw new BootstrapError('join-missing', 'a client must be told which servers to join', {
      hint: 'name one or more with --join ADDRESS,ADDRESS. Nothing was touched.',
    });
  }
  if (role === 'server' && settings.expect === undefined && settings.join !== undefined) {
    throw new BootstrapError(
      'expect-missing',
      'a server that joins others must be told how many servers there will be',
      {
        hint: 'give the same number on every server, such as --expect 3. Nothing was touched.',
      },
    );
  }
  return {
    role,
    runsServer: role === 'server',
    runsClient: role === 'client' || (settings.withClient ?? false),
    expect: role === 'server' ? (settings.expect ?? 1) : 0,
    join,
    network,
    api: settings.api ?? (token === undefined ? 'cluster' : 'loopback'),
    insecure: token === undefined,
    ...identity,
    ...decideClient(settings),
  };
}

/** Discovery tries every address of the subnet, which is for its owner alone to do. */
function refuseForeignSubnet({ kind, address }: ClusterNetwork): void {
  if (kind !== 'public' && !isLinodePrivate(address)) return;
  throw new BootstrapError('bad-setting', `--join vlan: ${address} is on a network that others are on, too`, {
    hint: "attach a VLAN and name it with --network, or name the servers' addresses with --join. Nothing was touched.",
  });
}

function decideIdentity(settings: Settings, facts: Facts): Pick<NodeConfig, 'name' | 'region' | 'datacenter'> {
  const { linode } = facts;
  const unknown = linode?.source === 'none';
  if (unknown && (settings.name === undefined || settings.datacenter === undefined)) {
    throw new BootstrapError(
      'identity-unknown',
      "this is a Linode, but neither its metadata service nor cloud-init's cache says which",
      {
        hint: 'give both --name and --datacenter (dc-<region>-1 is the usual one): a guess could split the cluster',
      },
    );
  }
  return {
    // A label may have dots, and what is before the first need not be its own: nomad.s1, nomad.s2.
    name: settings.name ?? fitForDns(linode?.label ?? facts.hostname.split('.', 1).join('')),
    region: settings.region ?? 'global',
    datacenter: settings.datacenter ?? (linode?.region === undefined ? 'dc1' : `dc-${linode.region}-1`),
  };
}

function fitForDns(name: string): string {
  const fit = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, 63)
    .replace(/-$/, '');
  if (fit === '' || fit === 'localhost') {
    throw new BootstrapError('bad-setting', `this machine's name, ${JSON.stringify(name)}, is no name for a node`, {
      hint: 'give one with --name; it must differ from the other nodes. Nothing was touched.',
    });
  }
  return fit;
}

function decideClient(settings: Settings) {
  return {
    nodePool: settings.nodePool ?? 'default',
    ...(settings.nodeClass === undefined ? {} : { nodeClass: settings.nodeClass }),
    meta: settings.meta ?? {},
    rawExec: settings.rawExec ?? false,
    dockerPrivileged: settings.dockerPrivileged ?? false,
    dockerVolumes: settings.dockerVolumes ?? false,
  };
}

/** The recorded address, which nobody asked for this time, is gone: the network is down, or the machine was moved or cloned. */
function refuseLostAddress({ network }: Settings, recorded: Recorded | undefined, facts: Facts): void {
  const { address, kind } = recorded?.config.node?.network ?? {};
  if (address === undefined || kind === 'loopback' || network !== address) return;
  if ([...facts.candidates, ...facts.addresses].some(own => own.address === address)) return;
  const own = facts.candidates.map(({ interface: name, address }) => `${address} on ${name}`).join(', ') || 'none';
  throw new BootstrapError(
    'network-undecided',
    `this node's cluster address is ${address}, which no interface has now; there are: ${own}`,
    {
      hint: `bring its interface up, or give the machine that address again. With another address it is another node: on a fresh machine, or on this one after nomad-bootstrap uninstall --purge-data. Nothing was touched.`,
    },
  );
}

/** What raft and the scheduler know a node by. A change of these makes another node, not another setting. */
function refuseConflicts(node: NodeConfig, recorded: Recorded | undefined): void {
  const former = recorded?.config.node;
  refuseChange('name', former?.name, node.name);
  refuseChange('region', former?.region, node.region);
  refuseChange('datacenter', former?.datacenter, node.datacenter);
  refuseChange('cluster address', former?.network.address, node.network.address);
}

function refuseRole(is: Role | 'image', was: Role | undefined): void {
  if (was === undefined || was === is) return;
  throw new BootstrapError(
    'settings-conflict',
    `this node is a ${was}, and is asked to become ${is === 'image' ? 'an image' : `a ${is}`}`,
    {
      hint: `run nomad-bootstrap ${was} to keep what it is; another role belongs to a fresh machine, or to this one after nomad-bootstrap uninstall. Nothing was touched.`,
    },
  );
}

function refuseChange(what: string, was: string | undefined, is: string): void {
  if (was === undefined || was === is) return;
  throw new BootstrapError('settings-conflict', `this node's ${what} is ${was}, and is asked to become ${is}`, {
    hint: `leave that setting away to keep ${was}; another ${what} belongs to a new node, on a fresh machine. Nothing was touched.`,
  });
}

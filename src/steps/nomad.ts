import { readAsset } from '../assets.ts';
import { addressesToJoin, joinsOverVlan, searchesToJoin } from '../config/config.ts';
import type { Secret } from '../core/secret.ts';
import type { Host, Resource, Step } from '../core/types.ts';
import { asThisNode, consulApi, nomadApi } from '../own-agents.ts';
import { type AgentSpec, agent } from '../resources/agent.ts';
import { isKnownToConsul } from '../resources/consul-token.ts';
import { drain } from '../resources/drain.ts';
import { eligibility } from '../resources/eligibility.ts';
import type { DesiredFile } from '../resources/file.ts';
import { quorumGuard } from '../resources/quorum-guard.ts';
import { treeOwner } from '../resources/tree-owner.ts';
import { isNode, isSecure, type NodeTarget, type Target } from '../target.ts';
import { render } from '../templates.ts';
import { consulServers } from './peers.ts';
import { serversTurn } from './servers-turn.ts';

/** Servers that are made together with this client need half of it. */
const tokenSeconds = 60;

export const nomad: Step<Target> = {
  id: 'nomad',
  title: 'Nomad, configured and running',
  after: ['packages/pinned', 'secrets'],
  appliesTo: isNode,
  resources: target =>
    isNode(target)
      ? [
          // It may be kept data, of a user nomad that had another number, or of a server that ran jobs and was root.
          ...(target.config.node.runsClient
            ? []
            : [asOwn(target, drain(nomadApi, serverDropIn)), treeOwner('/opt/nomad/data/server', 'nomad:nomad')]),
          agent(nomadAgent(target)),
          ...(target.config.node.runsClient ? [asOwn(target, eligibility(nomadApi))] : []),
        ]
      : [],
};

/** The resource, asking this node's agents as they want to be asked. */
function asOwn(target: NodeTarget, resource: Resource): Resource {
  return {
    id: resource.id,
    async plan(host, before) {
      const change = await resource.plan(host, before);
      return change && { ...change, apply: host => change.apply(asThisNode(host, target)) };
    },
  };
}

/** Nomad's agent as this node is to run it. */
export function nomadAgent(target: NodeTarget): AgentSpec {
  return {
    name: 'nomad',
    version: target.resolution.nomad.version,
    directory: '/etc/nomad.d',
    // A client keeps the secrets of its tasks here; a server that is nothing else runs as nomad.
    data: {
      path: '/opt/nomad/data',
      attributes: { mode: 0o700, owner: target.config.node.runsClient ? 'root:root' : 'nomad:nomad' },
    },
    ...(target.config.node.runsClient ? { unwanted: [serverDropIn] } : {}),
    files: [
      {
        // In place of the package's own: that one is a cluster of its own, and would be merged.
        path: '/etc/nomad.d/nomad.hcl',
        content: nomadConfig(target),
        attributes: { mode: 0o640, owner: 'nomad:nomad' },
      },
      dropIn('10-nomad-bootstrap.conf'),
      ...(target.config.node.runsClient ? [] : [dropIn('20-server-user.conf')]),
      ...(isSecure(target) && target.config.node.runsClient ? [dropIn('30-no-metadata.conf')] : []),
    ],
    // The package's own: another installation may come first on the PATH.
    validate: ['/usr/bin/nomad', 'config', 'validate'],
    answersAt: `${nomadApi}/v1/agent/self`,
    // A client that finds no Consul when it starts looks for it again only a quarter of a minute later; for the rest, later still.
    startsAfter: ['consul', 'kernel', 'cni-plugins', 'docker', 'metadata-shield'],
    ...(isSecure(target) && !target.config.node.runsServer
      ? { beforeStart: host => untilConsulKnows(host, target.credentials.consulNomad) }
      : {}),
    beforeRestart: host => quorumGuard('Nomad', nomadApi, target)(asThisNode(host, target)),
    ...serversTurn('Nomad', nomadApi, target),
  };
}

/**
 * A Nomad that shows its token to a client's Consul before the servers have made it gets that token written into their logs. Servers
 * that come later than this make it go on by itself, as soon as they are there.
 */
async function untilConsulKnows(host: Host, token: Secret): Promise<void> {
  const startedAt = host.now().getTime();
  for (;;) {
    const waitedSeconds = Math.floor((host.now().getTime() - startedAt) / 1000);
    if (waitedSeconds >= tokenSeconds || (await isKnownToConsul(host, consulApi, token))) return;
    host.waiting("waiting for: the servers to know this node's token", waitedSeconds);
    await host.sleep(500);
  }
}

/** The whole of /etc/nomad.d/nomad.hcl. */
export function nomadConfig({ facts, config: { node, packages }, credentials }: NodeTarget): string | Secret {
  const publicAddress = facts.candidates.find(
    ({ kind, address }) => kind === 'public' && address !== node.network.address,
  );
  const join = addressesToJoin(node);
  const searches = searchesToJoin(node).length > 0;
  return render(readAsset('templates/nomad.hcl.mustache'), {
    name: node.name,
    region: node.region,
    datacenter: node.datacenter,
    address: node.network.address,
    interface: node.network.interface,
    apiOnCluster: node.api === 'cluster',
    secure: credentials && { consulToken: credentials.consulNomad },
    nomadGossip: credentials?.kind === 'server' ? credentials.nomadGossip : undefined,
    isServer: node.runsServer,
    isClient: node.runsClient,
    expect: node.expect,
    hasJoin: node.join.length > 0,
    // A client would take the first of the discovered nodes for a server: it asks Consul which are.
    joinsServers: !node.runsServer && join.length > 0 && !joinsOverVlan(node),
    join: searches ? [...join, `exec=${consulServers} ${node.network.address}`] : join,
    nodePool: node.nodePool,
    nodeClass: node.nodeClass,
    hostNetworks: [
      { kind: 'private', cidr: node.network.cidr, interface: node.network.interface },
      ...(publicAddress === undefined
        ? []
        : [{ kind: 'public', cidr: `${publicAddress.address}/32`, interface: publicAddress.interface }]),
    ],
    isLinode: facts.linode !== undefined,
    hasMeta: Object.keys(node.meta).length > 0,
    meta: Object.entries(node.meta).map(([key, value]) => ({ key, value })),
    chrootEtc,
    docker: packages.docker !== 'none',
    dockerPrivileged: node.dockerPrivileged,
    dockerVolumes: node.dockerVolumes,
    selinux: facts.selinux === 'enforcing',
    rawExec: node.rawExec,
  });
}

/**
 * What programs commonly read of /etc, and nothing that is secret: neither the agents' configuration nor private keys, which
 * `nomad alloc fs` would read as root. What a host lacks, Nomad leaves out (client/allocdir/task_dir.go).
 */
const chrootEtc = [
  '/etc/alternatives',
  '/etc/ca-certificates',
  '/etc/crypto-policies',
  '/etc/group',
  '/etc/hosts',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/localtime',
  '/etc/mime.types',
  '/etc/nsswitch.conf',
  '/etc/os-release',
  '/etc/passwd',
  '/etc/pki/ca-trust',
  '/etc/pki/tls/cert.pem',
  '/etc/pki/tls/certs',
  '/etc/pki/tls/openssl.cnf',
  '/etc/protocols',
  '/etc/services',
  '/etc/ssl/certs',
  '/etc/ssl/openssl.cnf',
  '/etc/terminfo',
  '/etc/timezone',
];

function dropIn(name: string): DesiredFile {
  return {
    path: dropInPath(name),
    content: readAsset(`systemd/nomad.service.d/${name}`),
    attributes: { mode: 0o644, owner: 'root:root' },
  };
}

function dropInPath(name: string): string {
  return `/etc/systemd/system/nomad.service.d/${name}`;
}

/** Of servers that run no jobs. */
const serverDropIn = dropInPath('20-server-user.conf');

import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { withLock } from './cache.ts';
import { labCgroup, makeCgroup } from './cgroups.ts';
import { forwardPort } from './forward.ts';
import { type Mirror, openMirror, startMirror } from './mirror/mirror.ts';
import type { LinodeInstance } from './mirror/types.ts';
import { createLabNetwork } from './network.ts';
import type { LinodeSpec, NodeSpec } from './node-record.ts';
import { createNode, type LabNode, nodeNames, openNode } from './nodes.ts';
import { currentProcess, labDirectory, recordedLabs, recordLab, removeLab, sweepLabs } from './registry.ts';
import { installRequirements, whyNoLab } from './requirements.ts';

export { isSystem, type System, systems } from './bases.ts';
export { type CommandResult, waitFor } from './commands.ts';
export type { Mirror, Offer } from './mirror/mirror.ts';
export type { Fault, LinodeInstance, MetadataAnswer, RequestRecord } from './mirror/types.ts';
export type { InterfaceSpec } from './network.ts';
export type { LinodeSpec, NodeSpec } from './node-record.ts';
export type { ExecOptions, LabNode } from './nodes.ts';
export { whyNoRealAgents } from './packages/agents.ts';
export { whyNoLab } from './requirements.ts';
export { compareTrees, livingPaths, type Tree, type TreeEntry } from './trees.ts';

/** A private world for tests: two networks, a mirror of all upstreams, and nodes. Nothing of it is reachable from elsewhere. */
export interface Lab {
  /** Lower-case letters and digits. */
  readonly id: string;
  readonly mirror: Mirror;
  /** Makes a node and boots it. */
  node(spec?: NodeSpec): Promise<LabNode>;
  /** Makes a node that is not booted: its `root` can be furnished first. */
  unbootedNode(spec?: NodeSpec): Promise<LabNode>;
  /** Makes 127.0.0.1:`port` of this machine lead to the same on a node, for a browser; until the node reboots. */
  forward(node: LabNode, port: number): Promise<void>;
  /** The nodes made so far, also by other processes. */
  nodes(): readonly LabNode[];
  /** Removes everything that the lab made. Safe to call again. */
  close(): Promise<void>;
}

export interface LabOptions {
  /** Default: a random one. */
  readonly id?: string;
  /** The lab stays when this process ends, until somebody closes it. Default: it is removed, also on SIGINT and SIGTERM. */
  readonly keep?: boolean;
}

/**
 * Opens a lab. Throws when this machine cannot run one: ask {@link whyNoLab} first, to skip and say so.
 * What a killed process left of earlier labs is removed on the way.
 */
export async function openLab(options: LabOptions = {}): Promise<Lab> {
  const reason = whyNoLab();
  if (reason !== undefined) throw new Error(reason);
  const id = options.id ?? randomBytes(3).toString('hex');
  if (!/^[a-z0-9]{1,16}$/.test(id)) throw new Error(`not a lab id: ${id}`);
  await installRequirements();
  await withLock('sweep', async () => sweepLabs());
  recordLab({ id, createdAt: new Date().toISOString(), ...(options.keep ? {} : { owner: currentProcess() }) });
  if (!options.keep) removeAtExit(id);
  try {
    makeCgroup(labCgroup(id));
    await createLabNetwork(id);
    await startMirror(id);
  } catch (error) {
    removeLab(id);
    throw error;
  }
  return labHandle(id);
}

/** The handle of a lab that is up. Throws when there is none of that name. */
export function attachLab(id: string): Lab {
  if (!recordedLabs().some(record => record.id === id)) throw new Error(`there is no lab ${id}`);
  return labHandle(id);
}

function labHandle(id: string): Lab {
  const mirror = openMirror(id);
  const unbootedNode: Lab['unbootedNode'] = async (spec = {}) => {
    const node = await createNode(id, claimNumber(id), spec);
    if (node.linode && node.publicAddress !== undefined) {
      await mirror.setMetadata(node.publicAddress, { kind: 'linode', instance: linodeInstance(node, node.linode) });
    }
    return node;
  };
  return {
    id,
    mirror,
    unbootedNode,
    async node(spec) {
      const node = await unbootedNode(spec);
      await node.boot();
      return node;
    },
    forward: (node, port) => forwardPort(id, node.name, port),
    nodes: () => nodeNames(id).map(name => openNode(id, name)),
    async close() {
      removeLab(id);
    },
  };
}

/** What Linode's metadata service knows about a node. */
function linodeInstance(node: LabNode, { id, label, region, tags, userData }: Required<LinodeSpec>): LinodeInstance {
  return {
    id,
    label,
    region,
    tags,
    userData,
    type: 'g6-standard-2',
    interfaces: node.interfaces.map(({ network, addresses }) =>
      network === 'vlan'
        ? { label: 'cluster', purpose: 'vlan', ipam_address: addresses[0] ?? '' }
        : { label: '', purpose: 'public', ipam_address: '' },
    ),
    ipv4: {
      public: node.publicAddress === undefined ? [] : [`${node.publicAddress}/32`],
      private: node.interfaces
        .flatMap(({ addresses }) => addresses)
        .filter(address => /^192\.168\.(?:12[89]|1[3-9]\d|2\d\d)\./.test(address)),
      shared: [],
    },
  };
}

/** The next free node number; nodes may be made at the same time, also by several processes. */
function claimNumber(id: string): number {
  const directory = path.join(labDirectory(id), 'numbers');
  mkdirSync(directory, { recursive: true });
  for (let number = 1; number <= 200; number += 1) {
    try {
      mkdirSync(path.join(directory, String(number)));
      return number;
    } catch {
      // taken
    }
  }
  throw new Error(`lab ${id} has no room for another node`);
}

/** Ends the lab with this process, whatever ends it (but SIGKILL: then the next lab sweeps it up). */
function removeAtExit(id: string): void {
  process.once('exit', () => removeLab(id));
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const) {
    process.once(signal, () => process.exit(128 + number));
  }
}

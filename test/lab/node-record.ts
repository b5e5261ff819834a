import path from 'node:path';
import type { System } from './bases.ts';
import { networks } from './hosts.ts';
import type { InterfaceSpec } from './network.ts';
import { labDirectory } from './registry.ts';

/** What a test asks for; everything has a default. */
export interface NodeSpec {
  /** Its host name, unique in the lab. Default: `node<number>`. */
  readonly name?: string;
  /** Default: debian12. */
  readonly system?: System;
  /** False: only eth0, no VLAN. Default: true. Ignored when `interfaces` is given. */
  readonly vlan?: boolean;
  /** Exactly these interfaces instead of eth0 on the public network and eth1 on the VLAN. */
  readonly interfaces?: readonly InterfaceSpec[];
  /** The node's disk is a file system of this size, so that it can be filled up. Default: as large as this machine's. */
  readonly diskMiB?: number;
  /**
   * The name of a node of this lab, of the same system and stopped for good, whose disk this one starts with (but what lies
   * in Docker's and containerd's folders). Default: a fresh system.
   */
  readonly image?: string;
  /**
   * The node is a Linode: its DMI says so, and the metadata service answers it. Default: it is no Linode.
   * `label` defaults to the node's name, `region` to us-east, `id` to a number of its own.
   */
  readonly linode?: LinodeSpec;
  /**
   * `unified`: cgroup2 as on current images, but without controllers where this machine keeps them on cgroup v1: Nomad's
   * docker driver runs jobs without limits, its exec driver is not healthy. `legacy`: cgroup v1 with all controllers:
   * all drivers run, limits hold; debian12 only. Default: unified.
   */
  readonly cgroups?: 'unified' | 'legacy';
}

/** What makes a node a Linode. */
export interface LinodeSpec {
  readonly id?: number;
  readonly label?: string;
  readonly region?: string;
  readonly tags?: readonly string[];
  /** Default: none. */
  readonly userData?: string;
}

/** A node as it is on record: what another process needs to use it. */
export interface NodeRecord {
  readonly name: string;
  /** 1 for a lab's first node; its addresses end in 10 + number. */
  readonly number: number;
  readonly system: System;
  readonly interfaces: readonly InterfaceSpec[];
  readonly cgroups: 'unified' | 'legacy';
  readonly linode?: Required<LinodeSpec>;
}

/** Fills in the defaults. Throws when the name is no host name. */
export function nodeRecord(number: number, spec: NodeSpec): NodeRecord {
  const name = spec.name ?? `node${number}`;
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(name)) throw new Error(`not a node name: ${name}`);
  const linode = spec.linode && {
    id: 1_000_000 + number,
    label: name,
    region: 'us-east',
    tags: [],
    userData: '',
    ...spec.linode,
  };
  return {
    name,
    number,
    system: spec.system ?? 'debian12',
    interfaces: spec.interfaces ?? defaultInterfaces(number, spec.vlan ?? true),
    cgroups: spec.cgroups ?? 'unified',
    ...(linode ? { linode } : {}),
  };
}

/** Where a node's files lie. */
export function nodeDirectory(labId: string, name: string): string {
  return path.join(labDirectory(labId), 'nodes', name);
}

function defaultInterfaces(number: number, vlan: boolean): readonly InterfaceSpec[] {
  const address = (prefix: string) => [`${prefix}.${10 + number}/24`];
  const eth0: InterfaceSpec = { name: 'eth0', network: 'public', addresses: address(networks.public.prefix) };
  const eth1: InterfaceSpec = { name: 'eth1', network: 'vlan', addresses: address(networks.vlan.prefix) };
  return vlan ? [eth0, eth1] : [eth0];
}

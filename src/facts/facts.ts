import type { InterfaceAddress, LinodeMetadata } from '../core/types.ts';

/** The two architectures that HashiCorp builds Linux agents for. */
export type Architecture = 'amd64' | 'arm64';

/** What /etc/os-release says, lower-cased where it is an identifier. Source: os-release(5). */
export interface OsRelease {
  readonly id: string;
  readonly idLike: readonly string[];
  readonly versionId: string;
  /** VERSION_CODENAME, or '' where there is none. */
  readonly codename: string;
  /** UBUNTU_CODENAME or DEBIAN_CODENAME: what a derivative is built on. */
  readonly baseCodename: string;
  readonly prettyName: string;
}

export interface KernelFacts {
  readonly release: string;
  /** `true`: loaded or built in; `false`: neither. A module that could be loaded counts as false. */
  readonly bridge: boolean;
  readonly brNetfilter: boolean;
  /** There is a module tree for the running kernel; without one modprobe always fails. */
  readonly hasModules: boolean;
  /** A kernel that Linode supplies (release ends in -linodeNNN), everything built in. */
  readonly linodeKernel: boolean;
}

export interface CgroupFacts {
  readonly version: 1 | 2 | 'none';
  readonly controllers: readonly string[];
}

export type NetworkKind = 'vlan' | 'vpc' | 'private' | 'public';

/** An IPv4 address that a cluster could use, with what kind of network it lies on. */
export interface CandidateAddress extends InterfaceAddress {
  readonly family: 4;
  readonly kind: NetworkKind;
}

/** Versions as `X.Y.Z`, without a package revision. */
export interface InstalledAgents {
  readonly nomad?: string;
  readonly consul?: string;
  readonly docker?: string;
}

export interface LinodeFacts {
  readonly label?: string;
  readonly region?: string;
  readonly tags: readonly string[];
  readonly id?: number;
  /** Where this is from. `none`: the hardware is a Linode's, but nothing said which. */
  readonly source: 'metadata' | 'cloud-init' | 'none';
}

/** What the host is. Frozen; gathered by reading alone. */
export interface Facts {
  readonly os: OsRelease;
  /** `undefined`: an architecture without agents, then `machine` tells which. */
  readonly architecture: Architecture | undefined;
  /** As `uname -m` names it. */
  readonly machine: string;
  readonly hostname: string;
  readonly kernel: KernelFacts;
  readonly cgroups: CgroupFacts;
  readonly memoryMiB: number;
  readonly swapMiB: number;
  readonly cpuCount: number;
  /** Space on the file system of `/`. */
  readonly disk: { readonly sizeMiB: number; readonly availableMiB: number };
  readonly init: 'systemd' | 'other';
  readonly selinux: 'enforcing' | 'permissive' | 'disabled';
  readonly firewall: 'ufw' | 'firewalld' | 'none';
  readonly addresses: readonly InterfaceAddress[];
  /** Usable IPv4 addresses, best kind first; container bridges and loopback left out. */
  readonly candidates: readonly CandidateAddress[];
  readonly installed: InstalledAgents;
  /** `undefined`: not a Linode. */
  readonly linode: LinodeFacts | undefined;
}

/** What the parser of the metadata's network needs; kept here so that facts and the host agree on one shape. */
export type { LinodeMetadata };

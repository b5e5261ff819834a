import type { Config, NodeConfig } from '../../src/config/config.ts';
import type { Facts } from '../../src/facts/facts.ts';
import type { Platform } from '../../src/platforms/platform.ts';
import type { Resolution } from '../../src/resolution/resolution.ts';
import type { Target } from '../../src/target.ts';
import { factsOf } from './hosts.ts';

/** What a test may say differently of a target. `node: undefined` makes it an image. */
export interface TargetDescription {
  readonly facts?: Partial<Facts>;
  readonly node?: Partial<NodeConfig> | undefined;
  readonly packages?: Partial<Config['packages']>;
  readonly platform?: Partial<Platform>;
  readonly resolution?: Partial<Resolution>;
}

const node: NodeConfig = {
  role: 'server',
  runsClient: false,
  runsServer: true,
  expect: 3,
  join: [{ address: '10.20.0.12' }],
  name: 'nomad-s1',
  region: 'global',
  datacenter: 'dc1',
  network: { address: '10.20.0.11', interface: 'eth0', cidr: '10.20.0.0/24', kind: 'private' },
  api: 'cluster',
  insecure: true,
  nodePool: 'default',
  meta: {},
  rawExec: false,
  dockerPrivileged: false,
  dockerVolumes: false,
};

/** A plain client's settings, to be given as `node`. */
export const clientNode: Partial<NodeConfig> = { role: 'client', runsClient: true, runsServer: false, expect: 0 };

const packages: Config['packages'] = {
  nomadVersion: 'tested',
  consulVersion: 'tested',
  cniVersion: '1.9.1',
  docker: 'auto',
  hashicorpKeyFingerprints: [],
  dockerKeyFingerprints: [],
};

const resolution: Resolution = {
  hashicorp: { suite: 'bookworm', fallback: false },
  nomad: { version: '2.0.5', packageVersion: '2.0.5-1' },
  consul: { version: '2.0.3', packageVersion: '2.0.3-1' },
  docker: { source: 'none' },
  cni: { version: '1.9.1', url: 'https://example.net/cni.tgz', sha256: '0'.repeat(64) },
};

/** A platform that supports everything and can do nothing: using what a test did not give it fails that test. */
const platform: Partial<Platform> = { id: 'debian', supports: () => true, unsupportedReason: () => undefined };

/** A server of three on the described host of this name (a folder of test/fixtures/hosts), but for what is said differently. */
export async function targetOn(host: string, described: TargetDescription = {}): Promise<Target> {
  const isImage = 'node' in described && described.node === undefined;
  return {
    facts: { ...(await factsOf(host)), ...described.facts },
    config: {
      packages: { ...packages, ...described.packages },
      force: false,
      ...(isImage ? {} : { node: { ...node, ...described.node } }),
    },
    platform: { ...platform, ...described.platform } as Platform,
    resolution: { ...resolution, ...described.resolution },
  };
}

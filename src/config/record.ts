import * as z from 'zod';
import { BootstrapError } from '../core/errors.ts';
import type { Resolution } from '../resolution/resolution.ts';
import { type Config, type Join, vlanPeers } from './config.ts';
import { searchText } from './linode-search.ts';
import type { Layer } from './load.ts';
import type { OptionName, Settings } from './options.ts';

/** What a finished run was for: a rerun without flags takes its settings from here. */
export const recordPath = '/etc/nomad-bootstrap/settings.json';

/** The token of the node's cluster, for root alone. */
export const tokenPath = '/etc/nomad-bootstrap/token';

export interface Recorded {
  readonly version: 1;
  readonly config: Omit<Config, 'force'>;
  readonly resolution: Resolution;
}

/** The record as text; the same for the same config and resolution. */
export function renderRecord({ packages, node }: Config, resolution: Resolution): string {
  // Wished is what is installed: a version that was asked for once is in the resolution.
  const kept = { ...packages, nomadVersion: 'tested', consulVersion: 'tested' };
  const recorded: Recorded = { version: 1, config: { packages: kept, ...(node ? { node } : {}) }, resolution };
  return `${JSON.stringify(recorded, undefined, 2)}\n`;
}

const agentVersion = z.looseObject({ version: z.string(), packageVersion: z.string() });
const packageVersions = z.array(z.looseObject({ name: z.string(), version: z.string().optional() }));

/** As much of a record as is relied on; a later release may have written more. */
const recordSchema = z.looseObject({
  version: z.literal(1),
  config: z.looseObject({
    packages: z.looseObject({
      cniVersion: z.string(),
      docker: z.string(),
      mirror: z.string().optional(),
      cniSha256: z.string().optional(),
      hashicorpKeyFingerprints: z.array(z.string()),
      dockerKeyFingerprints: z.array(z.string()),
    }),
    node: z
      .looseObject({
        role: z.enum(['server', 'client', 'dev']),
        runsClient: z.boolean(),
        runsServer: z.boolean(),
        expect: z.number(),
        join: z.array(
          z.union([
            z.looseObject({ address: z.string() }),
            z.looseObject({
              search: z.looseObject({
                tag: z.string(),
                region: z.string().optional(),
                addressType: z.enum(['private_v4', 'public_v4', 'vpc_v4']),
              }),
            }),
          ]),
        ),
        name: z.string(),
        region: z.string(),
        datacenter: z.string(),
        network: z.looseObject({ address: z.string(), interface: z.string(), cidr: z.string(), kind: z.string() }),
        api: z.string(),
        insecure: z.boolean(),
        meta: z.record(z.string(), z.string()),
      })
      .optional(),
  }),
  resolution: z.looseObject({
    hashicorp: z.looseObject({ suite: z.string(), fallback: z.boolean() }),
    nomad: agentVersion,
    consul: agentVersion,
    docker: z.discriminatedUnion('source', [
      z.looseObject({ source: z.literal('docker'), suite: z.string(), packages: packageVersions }),
      z.looseObject({ source: z.literal('distro'), packages: packageVersions }),
      z.looseObject({ source: z.enum(['present', 'none']) }),
    ]),
    cni: z.looseObject({ version: z.string(), url: z.string(), sha256: z.string() }),
  }),
});

/** Reads {@link renderRecord}'s text. Throws `record-unreadable` for any other: what a node is, is not guessed. */
export function parseRecord(text: string): Recorded {
  const record = parseJson(text);
  if (recordSchema.safeParse(record).success) return record as Recorded;
  throw new BootstrapError('record-unreadable', `${recordPath} is not what nomad-bootstrap wrote there`, {
    hint: 'take a newer release of nomad-bootstrap if one was used here before; else put the file back from a backup, or move it away and give every setting again',
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}

/**
 * The recorded settings as the last layer, below what is `asked` for this time. Versions are not among them: what is installed
 * stays, and is held. A checksum is of its version alone.
 */
export function recordedLayer({ config: { packages, node } }: Recorded, asked: Settings = {}): Layer {
  const sameCni = asked.cniVersion === undefined || asked.cniVersion === packages.cniVersion;
  const values: Partial<Record<OptionName, unknown>> = {
    docker: packages.docker,
    mirror: packages.mirror,
    cniVersion: packages.cniVersion,
    cniSha256: sameCni ? packages.cniSha256 : undefined,
    hashicorpKeyFingerprint: packages.hashicorpKeyFingerprints,
    dockerKeyFingerprint: packages.dockerKeyFingerprints,
  };
  if (node !== undefined) {
    Object.assign(values, {
      ...(node.runsServer && node.role === 'server' ? { expect: node.expect, withClient: node.runsClient } : {}),
      ...(node.join.length > 0 ? { join: node.join.map(joinText) } : {}),
      name: node.name,
      region: node.region,
      datacenter: node.datacenter,
      network: node.network.address,
      api: node.api,
      insecure: node.insecure,
      nodePool: node.nodePool,
      nodeClass: node.nodeClass,
      meta: node.meta,
      rawExec: node.rawExec,
      dockerPrivileged: node.dockerPrivileged,
      dockerVolumes: node.dockerVolumes,
    } satisfies Partial<Record<OptionName, unknown>>);
  }
  return { place: name => `the recorded ${name}`, values };
}

function joinText(join: Join): string {
  if ('search' in join) return searchText(join.search);
  return join.address === vlanPeers ? 'vlan' : join.address;
}

import type { HostReader, LinodeMetadata } from '../core/types.ts';
import type { LinodeFacts } from './facts.ts';

/** What is known of a Linode, and the metadata that it is from, which also tells which interface is on which network. */
export interface LinodeIdentity {
  readonly facts: LinodeFacts;
  readonly metadata: LinodeMetadata | undefined;
}

export interface LinodeOptions {
  /** How long the metadata service may take. Early in a first boot it cannot be reached yet. */
  readonly metadataTimeoutMs: number;
  /** Called before each further attempt. */
  readonly onWait?: (waitedSeconds: number) => void;
  /** Called before each further look for a VLAN address that the metadata names and no interface has yet. */
  readonly onWaitForVlan?: (address: string, waitedSeconds: number) => void;
}

/** One attempt; a service that answers at all does so within milliseconds. */
const attemptMs = 5_000;
const pauseMs = 1_000;

/**
 * Who this machine is, if it is a Linode: known from the hardware without a network, then from the metadata service, then from
 * what cloud-init kept of it. An answer for another instance than the hardware's serial number names is not believed.
 * Source for vendor and serial number: cloud-init's Akamai datasource.
 */
export async function identifyLinode(host: HostReader, options: LinodeOptions): Promise<LinodeIdentity | undefined> {
  const vendor = (await host.readText('/sys/class/dmi/id/sys_vendor'))?.trim();
  if (vendor !== 'Linode' && vendor !== 'Akamai') return undefined;
  const ownId = await readSerialNumber(host);
  const isOwn = (id: number | undefined) => ownId === undefined || id === ownId;

  const metadata = await askMetadata(host, options, isOwn);
  if (metadata !== undefined) {
    const { id, label, region, tags } = metadata;
    return { facts: { id, label, region, tags, source: 'metadata' }, metadata };
  }
  const cached = parseInstanceData((await host.readText('/run/cloud-init/instance-data.json')) ?? '');
  if (cached !== undefined && isOwn(cached.id)) return { facts: cached, metadata: undefined };
  return { facts: { ...(ownId === undefined ? {} : { id: ownId }), tags: [], source: 'none' }, metadata: undefined };
}

async function readSerialNumber(host: HostReader): Promise<number | undefined> {
  // Only root may read it; `facts` works without.
  const serial = (await host.readText('/sys/class/dmi/id/product_serial').catch(() => undefined))?.trim() ?? '';
  return /^[1-9]\d{0,14}$/.test(serial) ? Number(serial) : undefined;
}

async function askMetadata(
  host: HostReader,
  { metadataTimeoutMs, onWait }: LinodeOptions,
  isOwn: (id: number) => boolean,
): Promise<LinodeMetadata | undefined> {
  const startedAt = host.now().getTime();
  for (;;) {
    const waitedMs = host.now().getTime() - startedAt;
    const remainingMs = metadataTimeoutMs - waitedMs;
    if (remainingMs <= 0) return undefined;
    if (waitedMs > 0) onWait?.(Math.round(waitedMs / 1000));
    const metadata = await host.linodeMetadata(Math.min(attemptMs, remainingMs));
    if (metadata !== undefined && isOwn(metadata.id)) return metadata;
    await host.sleep(Math.min(pauseMs, remainingMs));
  }
}

/**
 * Waits until the interfaces have the VLAN addresses that the metadata names, at most as long as the metadata itself may take: a
 * VLAN can come up later in a first boot than the rest of the network.
 */
export async function untilVlanIsUp(
  host: HostReader,
  metadata: LinodeMetadata | undefined,
  { metadataTimeoutMs, onWaitForVlan }: LinodeOptions,
): Promise<void> {
  const named = (metadata?.interfaces ?? []).flatMap(({ purpose, ipamAddress }) =>
    purpose === 'vlan' && ipamAddress !== undefined ? [ipamAddress.replace(/\/\d+$/, '')] : [],
  );
  const startedAt = host.now().getTime();
  for (;;) {
    const present = host.addresses().map(({ address }) => address);
    const missing = named.find(address => !present.includes(address));
    const waitedMs = host.now().getTime() - startedAt;
    if (missing === undefined || waitedMs >= metadataTimeoutMs) return;
    if (waitedMs > 0) onWaitForVlan?.(missing, Math.round(waitedMs / 1000));
    await host.sleep(Math.min(pauseMs, metadataTimeoutMs - waitedMs));
  }
}

/**
 * What cloud-init's /run/cloud-init/instance-data.json holds of a Linode: its Akamai datasource keeps the document of
 * /v1/instance under `ds.meta_data`. `undefined` when it is of another cloud, or has no region.
 */
export function parseInstanceData(json: string): LinodeFacts | undefined {
  const document = asRecord(parseJson(json));
  const cloud = asRecord(document['v1'])['cloud_name'] ?? asRecord(document['v1'])['cloud-name'];
  if (typeof cloud === 'string' && !/^(akamai|linode)$/i.test(cloud)) return undefined;
  const { id, label, region, tags } = asRecord(asRecord(document['ds'])['meta_data']);
  if (typeof region !== 'string' || !/^[\w-]+$/.test(region)) return undefined;
  return {
    ...(typeof id === 'number' ? { id } : {}),
    ...(typeof label === 'string' && label !== '' ? { label } : {}),
    region,
    tags: Array.isArray(tags) ? tags.filter(tag => typeof tag === 'string') : [],
    source: 'cloud-init',
  };
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

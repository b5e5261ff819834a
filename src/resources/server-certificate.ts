import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { NodeConfig } from '../config/config.ts';
import type { Change, FileAttributes, Host, HostReader, Path, Resource } from '../core/types.ts';
import { readUnit } from '../core/unit.ts';
import { type Authority, backdatedMs, type Leaf, makeLeaf } from '../token/certificates.ts';
import { formerFile } from './file.ts';

/** A server's certificate, as its agents need it. */
export interface ServerCertificateSpec {
  readonly authority: Authority;
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly addresses: readonly string[];
  /** Both agents have it, each in a folder of its own: they must not read each other's. */
  readonly places: readonly { readonly unit: string; readonly folder: Path; readonly attributes: FileAttributes }[];
  /** How much of its life may be left when it is replaced. */
  readonly renewBeforeMs: number;
}

/** Each agent's own folder of certificates. The packages give their folders to these users at every upgrade. */
export const certificateFolders = (['consul', 'nomad'] as const).map(unit => ({
  unit,
  folder: `/etc/${unit}.d/tls`,
  attributes: { mode: 0o640, owner: `${unit}:${unit}` },
}));

/** Whose certificate it is. */
interface ServerNode {
  readonly config: { readonly node: Pick<NodeConfig, 'name' | 'region' | 'datacenter' | 'network'> };
  readonly credentials: { readonly authority: Authority };
}

/** The certificate of this server: what others know it by, and what it is reached by on itself. */
export function certificateOf(
  { config: { node }, credentials }: ServerNode,
  renewBeforeMs: number,
): ServerCertificateSpec {
  const name = `server.${node.region}.nomad`;
  return {
    authority: credentials.authority,
    commonName: name,
    dnsNames: [name, `server.${node.datacenter}.consul`, node.name, 'localhost'],
    addresses: ['127.0.0.1', node.network.address],
    places: certificateFolders,
    renewBeforeMs,
  };
}

const dayMs = 24 * 60 * 60 * 1000;
/** How long a server's certificate lives. */
export const leafLifeMs = 365 * dayMs;
/** When the renewal unit replaces it: two thirds of its life are over. */
export const renewalDueMs = leafLifeMs / 3;
/** When a run replaces it, and `verify` warns: the renewal unit has had 30 days to do it. */
export const warnBeforeMs = 90 * dayMs;

/**
 * A certificate of the cluster's authority for this server, the same in every place, with enough of its life left. A new one
 * is made here, with a fresh key that never leaves the machine; agents that run take it up at once. Undo: kind `files`.
 */
export function serverCertificate(spec: ServerCertificateSpec): Resource {
  return {
    id: 'certificate:server',
    async plan(host): Promise<Change | undefined> {
      const flaw = await flawOfCertificate(host, spec);
      if (flaw === undefined) return undefined;
      return {
        summary: `make a certificate for this server (${flaw})`,
        undo: {
          kind: 'files',
          files: await Promise.all(filesOf(spec).map(({ path }) => formerFile(host, path))),
        },
        apply: target => install(target, spec),
      };
    },
  };
}

/** What is wrong with the certificate on the host, in a few words; `undefined` when nothing is. */
export async function flawOfCertificate(host: HostReader, spec: ServerCertificateSpec): Promise<string | undefined> {
  const files = await Promise.all(
    filesOf(spec).map(async ({ path, attributes }) => {
      const [text, stat] = await Promise.all([host.readText(path), host.stat(path)]);
      return { text, right: stat?.mode === attributes.mode && stat.owner === attributes.owner };
    }),
  );
  const [first, firstKey] = files;
  if (first?.text === undefined || firstKey?.text === undefined) return 'there is none';
  if (files.some(({ text }, index) => text !== files[index % 2]?.text)) return 'the agents have different ones';
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(first.text);
    if (!certificate.checkPrivateKey(createPrivateKey(firstKey.text))) return 'its key is of another';
  } catch {
    return 'it cannot be read';
  }
  const authority = new X509Certificate(spec.authority.certificate);
  if (!certificate.verify(authority.publicKey)) return 'it is of another authority';
  const names = spec.dnsNames.every(name => certificate.checkHost(name) !== undefined);
  if (!names || spec.addresses.some(address => certificate.checkIP(address) === undefined)) return 'it has other names';
  const leftMs = Date.parse(certificate.validTo) - host.now().getTime();
  // The authority's own end cannot be moved.
  const authorityEnds = Date.parse(authority.validTo) - Date.parse(certificate.validTo) < dayMs;
  if (leftMs < spec.renewBeforeMs && !authorityEnds) return leftMs < 0 ? 'it has ended' : 'it ends soon';
  if (files.some(({ right }) => !right)) return 'its files have another mode or owner';
  return undefined;
}

async function install(host: Host, spec: ServerCertificateSpec): Promise<void> {
  const leaf = await freshLeaf(host, spec);
  for (const { path, attributes, isKey } of filesOf(spec)) {
    await host.writeFile(path, isKey ? leaf.key.reveal() : leaf.certificate, attributes);
  }
  for (const { unit } of spec.places) {
    const { activeState } = await readUnit(host, unit);
    if (activeState === 'active') await host.run(['systemctl', 'reload', `${unit}.service`], { timeoutMs: 30_000 });
  }
}

function freshLeaf(
  host: HostReader,
  { authority, commonName, dnsNames, addresses }: ServerCertificateSpec,
): Promise<Leaf> {
  const now = host.now().getTime();
  const authorityEnd = Date.parse(new X509Certificate(authority.certificate).validTo);
  return makeLeaf(authority, {
    commonName,
    dnsNames,
    addresses,
    notBefore: wholeSecond(now - backdatedMs),
    notAfter: wholeSecond(Math.min(now + leafLifeMs, authorityEnd)),
  });
}

/** A certificate knows no fractions. */
function wholeSecond(timeMs: number): Date {
  return new Date(Math.floor(timeMs / 1000) * 1000);
}

/** For each place its certificate, then its key. */
function filesOf({ places }: ServerCertificateSpec) {
  return places.flatMap(({ folder, attributes }) => [
    { path: `${folder}/agent.pem`, attributes, isKey: false },
    { path: `${folder}/agent-key.pem`, attributes, isKey: true },
  ]);
}

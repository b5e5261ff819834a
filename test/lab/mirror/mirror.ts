import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { distributionArchives } from '../archives.ts';
import { labHome } from '../cache.ts';
import { labCgroup, makeCgroup } from '../cgroups.ts';
import { waitFor } from '../commands.ts';
import { mirroredHosts } from '../hosts.ts';
import { issueCertificate, type KeyName, signingKeys } from '../keys.ts';
import { inNamespace, labNamespace } from '../network.ts';
import { agents } from '../packages/agents.ts';
import { cniArchive } from '../packages/cni.ts';
import { dockerSite } from '../packages/docker.ts';
import { enterpriseLinux } from '../packages/enterprise.ts';
import { hashicorpSites, type OfferedVersions, offeredVersions } from '../packages/hashicorp.ts';
import { labDirectory } from '../registry.ts';
import type { Fault, MetadataAnswer, MirrorControl, MirrorSettings, RequestRecord } from './types.ts';

/** What the mirror offers, and what has to be told to a program that expects the real upstreams. */
export interface Offer {
  /** 40 upper-case hex digits each. */
  readonly fingerprints: Readonly<Record<KeyName, string>>;
  readonly cni: { readonly version: string; readonly sha256: string };
  readonly nomad: OfferedVersions & { readonly standIn: boolean };
  readonly consul: OfferedVersions;
  /** The flags with which nomad-bootstrap accepts the lab's keys and its CNI archive. */
  readonly flags: readonly string[];
}

/** The lab's stand-in for every upstream. */
export interface Mirror {
  readonly offer: Offer;
  /** A folder of this machine that the nodes see as https://release.lab, a web server of one's own. */
  readonly releaseFolder: string;
  /** Every request so far, oldest first. */
  requests(): Promise<readonly RequestRecord[]>;
  forgetRequests(): Promise<void>;
  /** Breaks something. Gives a function that repairs it. */
  break(fault: Fault): Promise<() => Promise<void>>;
  repairEverything(): Promise<void>;
  /** What the metadata service says to the node with that public address. Default: there is no such service. */
  setMetadata(publicAddress: string, answer: MetadataAnswer): Promise<void>;
}

/** Starts a lab's mirror as a process of the lab, and waits until it serves. Packages are built on first use (a minute). */
export async function startMirror(labId: string): Promise<void> {
  const directory = labDirectory(labId);
  const keys = await signingKeys();
  const [hashicorp, docker, enterprise, cni, archives, { nomad, consul }] = await Promise.all([
    hashicorpSites(),
    dockerSite(),
    enterpriseLinux(),
    cniArchive(),
    distributionArchives(),
    agents(),
  ]);
  const certificates = path.join(directory, 'certificates');
  mkdirSync(certificates);
  mkdirSync(releaseFolder(labId));
  await issueCertificate(certificates, mirroredHosts);
  const site = (host: string) => ({ [host]: path.join(hashicorp, host) });
  const variant = (name: string, host: string) => ({ [host]: path.join(hashicorp, name, host) });
  const settings: MirrorSettings = {
    certificates,
    socket: socketPath(labId),
    sites: {
      ...site('apt.releases.hashicorp.com'),
      ...site('rpm.releases.hashicorp.com'),
      'download.docker.com': docker,
      'dnf.lab': enterprise.root,
      'github.com': cni.root,
      'release-assets.githubusercontent.com': cni.root,
      'release.lab': releaseFolder(labId),
    },
    variants: {
      'rotated-key': variant('rotated-key', 'apt.releases.hashicorp.com'),
      'wrong-key': {
        ...variant('wrong-key', 'apt.releases.hashicorp.com'),
        ...variant('wrong-key', 'rpm.releases.hashicorp.com'),
      },
    },
    archive: { cache: path.join(labHome(), 'archive'), main: archives.main, security: archives.security },
  };
  const offer: Offer = {
    fingerprints: keys.fingerprints,
    cni: { version: cni.version, sha256: cni.sha256 },
    nomad: { ...offeredVersions(nomad.version), standIn: nomad.standIn },
    consul: offeredVersions(consul.version),
    flags: [
      ...['--hashicorp-key-fingerprint', keys.fingerprints.hashicorp],
      ...['--docker-key-fingerprint', keys.fingerprints.docker],
      ...['--cni-sha256', cni.sha256],
      // Without a real one at hand, an old Consul stands in the repository: it has to be asked for by its number.
      ...(consul.fallback ? ['--consul-version', consul.version] : []),
    ],
  };
  writeFileSync(path.join(directory, 'mirror.json'), JSON.stringify(settings));
  writeFileSync(path.join(directory, 'offer.json'), JSON.stringify(offer));
  launch(labId);
  await waitFor('the mirror to serve', () => (existsSync(settings.socket) ? true : undefined), {
    timeoutMs: 20_000,
  }).catch(error => {
    throw new Error(`${error.message}\n${readFileSync(path.join(directory, 'mirror.log'), 'utf8')}`);
  });
}

/** The mirror of a lab that is up. */
export function openMirror(labId: string): Mirror {
  const call = <K extends keyof MirrorControl>(method: K, ...args: Parameters<MirrorControl[K]>) =>
    callControl<ReturnType<MirrorControl[K]>>(socketPath(labId), [method, args]);
  return {
    offer: JSON.parse(readFileSync(path.join(labDirectory(labId), 'offer.json'), 'utf8')) as Offer,
    releaseFolder: releaseFolder(labId),
    requests: () => call('requests'),
    async forgetRequests() {
      await call('forgetRequests');
    },
    async break(fault) {
      const id = await call('addFault', fault);
      return async () => {
        await call('removeFault', id);
      };
    },
    async repairEverything() {
      await call('clearFaults');
    },
    async setMetadata(publicAddress, answer) {
      await call('setMetadata', publicAddress, answer);
    },
  };
}

function releaseFolder(labId: string): string {
  return path.join(labDirectory(labId), 'release');
}

function socketPath(labId: string): string {
  return path.join(labDirectory(labId), 'mirror.sock');
}

function launch(labId: string): void {
  const directory = labDirectory(labId);
  const cgroup = path.join(labCgroup(labId), 'mirror');
  makeCgroup(cgroup);
  const log = openSync(path.join(directory, 'mirror.log'), 'a');
  const outside = openSync('/proc/self/ns/net', 'r');
  const join = 'echo $$ >"$0/cgroup.procs" && exec "$@"';
  const mirror = [process.execPath, path.join(import.meta.dirname, 'process.ts'), path.join(directory, 'mirror.json')];
  const [program = '', ...rest] = inNamespace(labNamespace(labId), ['sh', '-c', join, cgroup, ...mirror]);
  const { NODE_OPTIONS: _, ...env } = process.env; // a test runner's options are not the mirror's
  spawn(program, rest, { detached: true, stdio: ['ignore', log, log, outside], env }).unref();
  closeSync(log);
  closeSync(outside);
}

function callControl<T>(socket: string, call: unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: socket, method: 'POST' }, response => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString()) as T));
    });
    outgoing.on('error', reject);
    outgoing.end(JSON.stringify(call));
  });
}

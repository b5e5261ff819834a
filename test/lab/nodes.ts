import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { baseFor, type System } from './bases.ts';
import { cgroupPopulated, freezeCgroup, killCgroup, labCgroup, makeCgroup } from './cgroups.ts';
import { type CommandOptions, type CommandResult, runCommand, waitFor } from './commands.ts';
import { mirroredHosts, networks } from './hosts.ts';
import {
  createNodeNetwork,
  type InterfaceSpec,
  inNamespace,
  labNamespace,
  networkdFile,
  nodeNamespace,
  setPort,
} from './network.ts';
import { labDirectory } from './registry.ts';
import { livingPaths, readTree, type Tree } from './trees.ts';

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
}

/** A node as it is on record: what another process needs to use it. */
export interface NodeRecord {
  readonly name: string;
  /** 1 for a lab's first node; its addresses end in 10 + number. */
  readonly number: number;
  readonly system: System;
  readonly interfaces: readonly InterfaceSpec[];
}

export interface ExecOptions extends CommandOptions {
  /** Run the command in a view of the node in which the root file system is mounted read-only. Default: false. */
  readonly readOnlyRoot?: boolean;
}

/** A machine of the lab: a systemd container with its own root file system, network and cgroup. */
export interface LabNode extends NodeRecord {
  /** Its root file system as this machine sees it (without what the node mounts over it). */
  readonly root: string;
  /** Without the prefix length; undefined when it has no interface there. */
  readonly publicAddress: string | undefined;
  readonly vlanAddress: string | undefined;
  /** Starts it and waits until systemd says `running` or `degraded`, which is returned. Throws after 60 s. */
  boot(): Promise<string>;
  /** Runs a program on the node as root, with a clean environment. Throws on a non-zero exit unless `check` is false. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<CommandResult>;
  /** The command of this machine that runs `argv` on the node: for tests that need their own pipes, terminal or signals. */
  command(argv: readonly string[], options?: { readonly readOnlyRoot?: boolean }): Promise<readonly string[]>;
  /** The environment that {@link exec} gives, for those who use {@link command}. */
  readonly environment: Readonly<Record<string, string>>;
  /** Puts an executable of this machine at `to`, mode 0755. Default: /usr/local/bin/<its name>. */
  install(file: string, to?: string): Promise<void>;
  readFile(file: string): Promise<string>;
  writeFile(file: string, content: string | Uint8Array, mode?: number): Promise<void>;
  /** Everything on the node's disk (or below `paths`), but what a running system changes by itself. */
  snapshotTree(paths?: readonly string[], excluded?: readonly string[]): Promise<Tree>;
  /** An orderly reboot from inside; returns when the node is up again, as {@link boot} does. */
  reboot(): Promise<string>;
  /** An orderly shutdown. */
  stop(): Promise<void>;
  /** The power goes. */
  kill(): Promise<void>;
  /** Every process of the node stops where it is, until {@link resume}. Its network answers no more but ARP. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Pulls, and plugs in, an interface's cable. */
  cutOff(link: string): Promise<void>;
  reconnect(link: string): Promise<void>;
  isRunning(): boolean;
  /** What it wrote to its console so far. */
  console(): string;
}

/** The environment of commands on a node: that of a root login, nothing of this machine. */
const nodeEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  USER: 'root',
  LOGNAME: 'root',
  SHELL: '/bin/bash',
  LANG: 'C.UTF-8',
  TERM: 'dumb',
};

/** Makes a node's root file system and record. It is not booted yet. */
export async function createNode(labId: string, number: number, spec: NodeSpec): Promise<LabNode> {
  const record: NodeRecord = {
    name: spec.name ?? `node${number}`,
    number,
    system: spec.system ?? 'debian12',
    interfaces: spec.interfaces ?? defaultInterfaces(number, spec.vlan ?? true),
  };
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(record.name)) throw new Error(`not a node name: ${record.name}`);
  const base = await baseFor(record.system);
  const directory = nodeDirectory(labId, record.name);
  mkdirSync(path.dirname(directory), { recursive: true });
  mkdirSync(directory); // throws when the name is taken
  const disk = path.join(directory, 'disk');
  mkdirSync(disk);
  if (spec.diskMiB !== undefined) {
    const image = path.join(directory, 'disk.img');
    await runCommand(['truncate', '-s', `${spec.diskMiB}M`, image]);
    await runCommand(['mkfs.ext4', '-q', '-m', '0', image]);
    await runCommand(['mount', '-o', 'loop', image, disk]);
  }
  for (const folder of ['upper', 'work', ...realDirectories]) mkdirSync(path.join(disk, folder));
  const root = path.join(directory, 'root');
  mkdirSync(root);
  const layers = `lowerdir=${base},upperdir=${path.join(disk, 'upper')},workdir=${path.join(disk, 'work')}`;
  await runCommand(['mount', '-t', 'overlay', 'overlay', '-o', layers, root]);
  for (const folder of realDirectories) chmodSync(path.join(disk, folder), 0o710);
  furnish(root, record);
  writeFileSync(path.join(directory, 'node.json'), JSON.stringify(record));
  return nodeHandle(labId, record);
}

/** The handle of a node that any process made. */
export function openNode(labId: string, name: string): LabNode {
  const record = JSON.parse(readFileSync(path.join(nodeDirectory(labId, name), 'node.json'), 'utf8')) as NodeRecord;
  return nodeHandle(labId, record);
}

/** The names of a lab's nodes, in the order of their numbers. */
export function nodeNames(labId: string): readonly string[] {
  const directory = path.join(labDirectory(labId), 'nodes');
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter(name => existsSync(path.join(directory, name, 'node.json')))
    .map(name => openNode(labId, name))
    .sort((a, b) => a.number - b.number)
    .map(node => node.name);
}

/** Folders of a node that lie on a real file system instead of the overlay, since overlays are made in them. */
const realDirectories: readonly string[] = ['docker', 'containerd'];

function nodeDirectory(labId: string, name: string): string {
  return path.join(labDirectory(labId), 'nodes', name);
}

function defaultInterfaces(number: number, vlan: boolean): readonly InterfaceSpec[] {
  const address = (prefix: string) => [`${prefix}.${10 + number}/24`];
  const eth0: InterfaceSpec = { name: 'eth0', network: 'public', addresses: address(networks.public.prefix) };
  const eth1: InterfaceSpec = { name: 'eth1', network: 'vlan', addresses: address(networks.vlan.prefix) };
  return vlan ? [eth0, eth1] : [eth0];
}

function furnish(root: string, record: NodeRecord): void {
  const put = (file: string, content: string) => writeFileSync(path.join(root, file), content);
  put('etc/hostname', `${record.name}\n`);
  put(
    'etc/hosts',
    [
      '127.0.0.1 localhost',
      `127.0.1.1 ${record.name}`,
      '::1 localhost ip6-localhost ip6-loopback',
      '# The lab answers for these:',
      ...mirroredHosts.map(host => `${networks.public.gateway} ${host}`),
      '',
    ].join('\n'),
  );
  put('etc/resolv.conf', '# The lab has no name server; see /etc/hosts.\n');
  record.interfaces.forEach((link, index) => {
    put(`etc/systemd/network/${String(5 + index).padStart(2, '0')}-${link.name}.network`, networkdFile(link));
  });
}

function nodeHandle(labId: string, record: NodeRecord): LabNode {
  const directory = nodeDirectory(labId, record.name);
  const root = path.join(directory, 'root');
  const cgroup = path.join(labCgroup(labId), record.name);
  const digests = new Map<string, string>();
  const addressOn = (network: InterfaceSpec['network']) =>
    record.interfaces.find(link => link.network === network)?.addresses[0]?.split('/')[0];

  const command: LabNode['command'] = async (argv, { readOnlyRoot = false } = {}) => {
    // The command joins the node's own cgroup, so that killing the node ends it, too.
    const join = 'echo $$ >"$0/payload/init.scope/cgroup.procs" 2>/dev/null; exec "$@"';
    const enter = ['nsenter', '-t', String(leader(directory)), '-m', '-u', '-i', '-n', '-p', '-C', '--wdns=/root'];
    // A mount namespace of its own: there the root has no writers yet, so that it can become read-only.
    const seal = 'mount -o remount,bind,ro / && exec "$@"';
    const inside = readOnlyRoot ? ['unshare', '--mount', 'sh', '-c', seal, 'sh', ...argv] : argv;
    return ['sh', '-c', join, cgroup, ...enter, ...inside];
  };

  const boot: LabNode['boot'] = async () => {
    if (cgroupPopulated(cgroup)) throw new Error(`${record.name} is running`);
    await createNodeNetwork(labId, record);
    makeCgroup(cgroup);
    const supervisor = startSystem(labId, record, directory, root, cgroup);
    return waitFor(
      `${record.name} to boot`,
      async () => {
        if (supervisor.exitCode !== null) throw new Error(`${record.name} did not start:\n${readConsole()}`);
        if (leader(directory) === undefined) return undefined;
        const { stdout } = await exec(['systemctl', 'is-system-running'], { check: false });
        const state = stdout.trim();
        return state === 'running' || state === 'degraded' ? state : undefined;
      },
      { timeoutMs: 60_000, everyMs: 100 },
    );
  };

  const exec: LabNode['exec'] = async (argv, options = {}) => {
    const { readOnlyRoot = false, env, ...rest } = options;
    if (leader(directory) === undefined) throw new Error(`${record.name} is not running`);
    const outer = await command(argv, { readOnlyRoot });
    return runCommand(outer, { ...rest, env: { ...nodeEnvironment, ...env } });
  };

  const readConsole = () => {
    const file = path.join(directory, 'console');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  };

  const untilDown = () =>
    waitFor(`${record.name} to go down`, () => (cgroupPopulated(cgroup) ? undefined : true), { timeoutMs: 60_000 });

  return {
    ...record,
    root,
    publicAddress: addressOn('public'),
    vlanAddress: addressOn('vlan'),
    boot,
    exec,
    command,
    environment: nodeEnvironment,
    isRunning: () => cgroupPopulated(cgroup),
    console: readConsole,
    async install(file, to = `/usr/local/bin/${path.basename(file)}`) {
      copyFileSync(file, path.join(root, to));
      chmodSync(path.join(root, to), 0o755);
    },
    async readFile(file) {
      return (await exec(['cat', file])).stdout;
    },
    async writeFile(file, content, mode = 0o644) {
      const script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"';
      await exec(['sh', '-c', script, 'sh', file, mode.toString(8)], { stdin: content });
    },
    async snapshotTree(paths = ['/'], excluded = livingPaths) {
      return readTree(root, paths, excluded, digests);
    },
    async reboot() {
      await exec(['systemctl', 'reboot'], { check: false });
      await untilDown();
      return boot();
    },
    async stop() {
      await exec(['systemctl', 'poweroff'], { check: false });
      await untilDown();
    },
    async kill() {
      killCgroup(cgroup);
    },
    async pause() {
      freezeCgroup(cgroup, true);
    },
    async resume() {
      freezeCgroup(cgroup, false);
    },
    cutOff: link => setPort(labId, record.number, link, 'down'),
    reconnect: link => setPort(labId, record.number, link, 'up'),
  };
}

/** Starts systemd-nspawn in a session of its own, so that the node outlives this process when it is meant to. */
function startSystem(labId: string, record: NodeRecord, directory: string, root: string, cgroup: string): ChildProcess {
  const real = realDirectories.map(folder => `--bind=${path.join(directory, 'disk', folder)}:/var/lib/${folder}`);
  const nspawn = [
    ...['systemd-nspawn', '--quiet', '--register=no', '--keep-unit', '--boot', '--directory', root],
    ...['--machine', `nbl-${labId}-${record.name}`, '--hostname', record.name],
    `--network-namespace-path=/run/netns/${nodeNamespace(labId, record.name)}`,
    // What Docker and Nomad clients need, and a virtual machine has anyway.
    ...['--capability=all', '--system-call-filter=bpf keyctl @keyring perf_event_open'],
    '--bind-ro=/sys/module', // Nomad looks for /sys/module/bridge, and nspawn shows only a part of /sys
    ...['--resolv-conf=off', '--timezone=off', '--link-journal=no'],
    ...real,
  ];
  const log = openSync(path.join(directory, 'console'), 'a');
  const join = 'echo $$ >"$0/cgroup.procs" && exec "$@"';
  const [program = '', ...rest] = inNamespace(labNamespace(labId), ['sh', '-c', join, cgroup, ...nspawn]);
  const supervisor = spawn(program, rest, {
    detached: true,
    stdio: ['ignore', log, log],
    env: { ...nodeEnvironment, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1', SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'network' },
  });
  closeSync(log);
  writeFileSync(path.join(directory, 'supervisor'), String(supervisor.pid));
  supervisor.unref();
  return supervisor;
}

/** The process of this machine that is process 1 on the node. */
function leader(directory: string): number | undefined {
  try {
    const supervisor = readFileSync(path.join(directory, 'supervisor'), 'utf8');
    const children = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8').trim();
    return children === '' ? undefined : Number(children.split(' ')[0]);
  } catch {
    return undefined;
  }
}

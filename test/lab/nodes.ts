import { chmodSync, copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { commandOnNode, completion, consoleOf, leaderOf, nodeCgroup, nodeEnvironment, startSystem } from './boot.ts';
import { cgroupPopulated, cgroupProcessorSeconds, freezeCgroup, killCgroup } from './cgroups.ts';
import { type CommandOptions, type CommandResult, runCommand, waitFor } from './commands.ts';
import { furnishNode } from './furnish.ts';
import { createNodeNetwork, type InterfaceSpec, limitPort, setPort } from './network.ts';
import { type NodeRecord, type NodeSpec, nodeDirectory, nodeRecord } from './node-record.ts';
import { busyboxRoot, pauseImage } from './packages/image.ts';
import { labDirectory } from './registry.ts';
import { livingPaths, readTree, type Tree } from './trees.ts';

export interface ExecOptions extends CommandOptions {
  /** Run the command in a view of the node in which the root file system is mounted read-only. Default: false. */
  readonly readOnlyRoot?: boolean;
}

/** A machine of the lab: a systemd container with its own root file system, network and cgroup. */
export interface LabNode extends NodeRecord {
  /** Its root file system as this machine sees it (without what the node mounts over it). */
  readonly root: string;
  /** Seconds of processor time that its processes took so far, those that have ended among them. */
  processorSeconds(): number;
  /** Without the prefix length; undefined when it has no interface there. */
  readonly publicAddress: string | undefined;
  readonly vlanAddress: string | undefined;
  /** Starts it and waits until systemd says `running` or `degraded`, which is returned. Throws after 60 s. */
  boot(): Promise<string>;
  /** Runs a program on the node as root, with a clean environment. Throws on a non-zero exit unless `check` is false. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<CommandResult>;
  /** The command of this machine that runs `argv` on the node: for tests that need their own pipes, terminal or signals. */
  command(argv: readonly string[], options?: { readonly readOnlyRoot?: boolean }): readonly string[];
  /** The environment that {@link exec} gives, for those who use {@link command}. */
  readonly environment: Readonly<Record<string, string>>;
  /** Puts an executable of this machine at `to`, mode 0755. Default: /usr/local/bin/<its name>. */
  install(file: string, to?: string): Promise<void>;
  readFile(file: string): Promise<string>;
  writeFile(file: string, content: string | Uint8Array, mode?: number): Promise<void>;
  /** Everything on the node's disk (or below `paths`), but what a running system changes by itself. */
  snapshotTree(paths?: readonly string[], excluded?: readonly string[]): Promise<Tree>;
  /**
   * Gives the node's Docker an image, made of busybox, under `name`; no registry is reachable from a lab.
   * Nomad's pause image comes along, so that jobs with bridge networking run.
   */
  importImage(name: string): Promise<void>;
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
  /** From now until it reboots, what arrives there comes at this rate at most. */
  limitRate(link: string, mbitPerSecond: number): Promise<void>;
  isRunning(): boolean;
  /** What it wrote to its console so far. */
  console(): string;
}

/** Makes a node's root file system and record. It is not booted yet. */
export async function createNode(labId: string, number: number, spec: NodeSpec): Promise<LabNode> {
  const record = nodeRecord(number, spec);
  await furnishNode(labId, record, spec);
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

function nodeHandle(labId: string, record: NodeRecord): LabNode {
  const root = path.join(nodeDirectory(labId, record.name), 'root');
  const cgroup = nodeCgroup(labId, record.name);
  const digests = new Map<string, string>();
  const addressOn = (network: InterfaceSpec['network']) =>
    record.interfaces.find(link => link.network === network)?.addresses[0]?.split('/')[0];

  const exec: LabNode['exec'] = async (argv, { readOnlyRoot = false, env, ...options } = {}) => {
    const command = commandOnNode(labId, record.name, argv, readOnlyRoot);
    return runCommand(command, { ...options, env: { ...nodeEnvironment, ...env } });
  };

  const boot: LabNode['boot'] = async () => {
    if (cgroupPopulated(cgroup)) throw new Error(`${record.name} is running`);
    await createNodeNetwork(labId, record);
    const supervisor = startSystem(labId, record);
    const state = await waitFor(
      `${record.name} to boot`,
      async () => {
        if (supervisor.exitCode !== null)
          throw new Error(`${record.name} did not start:\n${consoleOf(labId, record.name)}`);
        if (leaderOf(labId, record.name) === undefined) return undefined;
        const { stdout } = await exec(['systemctl', 'is-system-running'], { check: false });
        return ['running', 'degraded'].find(booted => booted === stdout.trim());
      },
      { timeoutMs: 60_000, everyMs: 100 },
    );
    const rest = completion(record);
    if (rest !== '') await exec(['sh', '-ec', rest]);
    return state;
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
    command: (argv, { readOnlyRoot = false } = {}) => commandOnNode(labId, record.name, argv, readOnlyRoot),
    environment: nodeEnvironment,
    isRunning: () => cgroupPopulated(cgroup),
    processorSeconds: () => cgroupProcessorSeconds(cgroup),
    console: () => consoleOf(labId, record.name),
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
    async importImage(name) {
      const image = readFileSync(await busyboxRoot());
      await exec(['docker', 'import', '-', name], { stdin: image });
      const holdOn = 'ENTRYPOINT ["/bin/sleep", "2147483647"]';
      await exec(['docker', 'import', '--change', holdOn, '-', pauseImage], { stdin: image });
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
    limitRate: (link, mbitPerSecond) => limitPort(labId, record.number, link, mbitPerSecond),
  };
}

import { spawn } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { cgroupPopulated, labCgroup, makeCgroup } from './cgroups.ts';
import { type CommandOptions, type CommandResult, runCommand, waitFor } from './commands.ts';
import { networks } from './hosts.ts';
import type { Lab, LabNode } from './lab.ts';
import { type InterfaceSpec, inNamespace, labNamespace, portName } from './network.ts';
import { nodeDirectory } from './node-record.ts';
import { installRequirements, missingPackages, whyNoLab } from './requirements.ts';

/** What a virtual machine needs on this machine besides what the lab does. */
const requiredPrograms: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  'mkfs.ext4': 'e2fsprogs',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
};

/** Emulated, so that it runs on machines that are virtual themselves: everything takes several times as long. */
const hardware = ['-accel', 'tcg,thread=multi', '-cpu', 'max', '-machine', 'q35', '-smp', '2', '-m', '3072'];
const diskGiB = 6;
const bootTimeoutMs = 240_000;

/** A machine of the lab with a kernel of its own: for modules, cgroups and reboots, which a container cannot show. */
export interface VirtualMachine {
  readonly name: string;
  readonly publicAddress: string;
  readonly vlanAddress: string;
  /** Runs a program as root, with a clean environment. Throws on a non-zero exit unless `check` is false. */
  exec(argv: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** An orderly reboot from inside; returns when the machine is up again. */
  reboot(): Promise<void>;
  /** What it wrote to its console so far. */
  console(): string;
}

/** Why this machine can run no virtual one, or undefined when it can. */
export function whyNoVirtualMachine(): string | undefined {
  const reason = whyNoLab();
  if (reason !== undefined) return reason;
  if (!existsSync('/dev/net/tun')) return 'a virtual machine needs /dev/net/tun for its network';
  const missing = missingPackages(requiredPrograms);
  if (missing.length > 0 && !existsSync('/usr/bin/apt-get')) return `a virtual machine needs ${missing.join(', ')}`;
  return undefined;
}

/**
 * Makes a node of the lab and moves it from its container to a machine of its own: with Debian's cloud kernel, an ext4
 * disk, and its two interfaces on the lab's networks. It lives as long as the lab. Throws when it does not boot in 240 s.
 * `furnish` gets the node while it is in its container.
 */
export async function virtualMachine(
  lab: Lab,
  name: string,
  furnish: (node: LabNode) => Promise<void>,
): Promise<VirtualMachine> {
  await installRequirements(requiredPrograms);
  const node = await lab.node({ name, system: 'debian12' });
  const { publicAddress, vlanAddress } = node;
  if (publicAddress === undefined || vlanAddress === undefined) throw new Error(`${name} has no addresses`);
  await furnish(node);
  const key = await installKernel(lab, node);
  const directory = nodeDirectory(lab.id, name);
  const disk = path.join(directory, 'vm.img');
  await runCommand(['truncate', '-s', `${diskGiB}G`, disk]);
  await runCommand(['mkfs.ext4', '-q', '-m', '0', '-d', node.root, disk]);
  const log = path.join(directory, 'vm-console');
  await plugIn(lab.id, node);
  switchOn(lab.id, node, disk, log);

  const exec: VirtualMachine['exec'] = (argv, options = {}) => {
    const environment = Object.entries({ ...node.environment, ...options.env });
    const line = ['env', '-i', ...environment.map(([variable, value]) => `${variable}=${value}`), ...argv];
    const { env: _, ...rest } = options;
    return runCommand(
      inNamespace(labNamespace(lab.id), [
        ...['ssh', '-i', key, '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
        ...['-o', 'LogLevel=ERROR', '-o', 'ConnectTimeout=5', '-o', 'BatchMode=yes', `root@${publicAddress}`],
        line.map(quoted).join(' '),
      ]),
      rest,
    );
  };
  const readConsole = () => (existsSync(log) ? readFileSync(log, 'utf8') : '');
  /** What the program says, or nothing: a machine that goes down or comes up may leave a question unanswered. */
  const ask = async (...argv: readonly string[]) => {
    const answer = await exec(argv, { check: false, timeoutMs: 20_000 }).catch(() => undefined);
    return answer?.stdout.trim() ?? '';
  };
  const bootId = () => ask('cat', '/proc/sys/kernel/random/boot_id');
  const untilUp = (former: string) =>
    waitFor(
      `${name} to boot`,
      async () => {
        const current = await bootId();
        if (current === '' || current === former) return undefined;
        return /^(running|degraded)$/.test(await ask('systemctl', 'is-system-running')) ? true : undefined;
      },
      { timeoutMs: bootTimeoutMs, everyMs: 1000 },
    ).catch(error => {
      throw new Error(`${error.message}\n${readConsole().split('\n').slice(-30).join('\n')}`);
    });

  await untilUp('');
  return {
    name,
    publicAddress,
    vlanAddress,
    exec,
    async reboot() {
      const former = await bootId();
      await ask('systemctl', 'reboot');
      // The emulator ends where the machine would start anew.
      await waitFor(`${name} to go down`, () => (cgroupPopulated(cgroupOf(lab.id, node)) ? undefined : true), {
        timeoutMs: bootTimeoutMs,
      });
      switchOn(lab.id, node, disk, log);
      await untilUp(former);
    },
    console: readConsole,
  };
}

/** Gives a node in its container what a machine has: a kernel, its initial RAM disk, and a way in. Returns the key to it. */
async function installKernel(lab: Lab, node: LabNode): Promise<string> {
  const key = path.join(nodeDirectory(lab.id, node.name), 'vm-key');
  await runCommand(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const packages = ['linux-image-cloud-amd64', 'initramfs-tools', 'openssh-server'];
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await node.exec(['apt-get', 'update', '-q'], { env });
  await node.exec(['apt-get', 'install', '-q', '-y', '--no-install-recommends', ...packages], { env });
  // A fresh machine again: neither lists nor packages are left of this.
  await node.exec(['sh', '-c', 'apt-get clean; rm -rf /var/lib/apt/lists/*']);
  await node.stop();
  mkdirSync(path.join(node.root, 'root/.ssh'), { recursive: true, mode: 0o700 });
  copyFileSync(`${key}.pub`, path.join(node.root, 'root/.ssh/authorized_keys'));
  return key;
}

/** Puts the machine's interfaces on the lab's bridges, in place of the container's. */
async function plugIn(labId: string, node: LabNode): Promise<void> {
  const namespace = labNamespace(labId);
  for (const link of node.interfaces) {
    // The container's interfaces keep their addresses as long as they are there.
    await runCommand(['ip', '-n', namespace, 'link', 'del', portName(node.number, link.name)]);
    const tap = tapName(node, link);
    await runCommand(['ip', '-n', namespace, 'tuntap', 'add', tap, 'mode', 'tap']);
    await runCommand(['ip', '-n', namespace, 'link', 'set', tap, 'master', networks[link.network].bridge, 'up']);
  }
}

/** Starts the emulator among the lab's processes. */
function switchOn(labId: string, node: LabNode, disk: string, log: string): void {
  const network = node.interfaces.flatMap((link, index) => {
    const mac = `52:54:00:00:${hexadecimal(node.number)}:${hexadecimal(index)}`;
    return ['-nic', `tap,ifname=${tapName(node, link)},script=no,downscript=no,model=virtio-net-pci,mac=${mac}`];
  });
  const boot = path.join(node.root, 'boot');
  const inBoot = (prefix: string) => path.join(boot, readdirSync(boot).find(file => file.startsWith(prefix)) ?? prefix);
  const emulator = [
    ...['qemu-system-x86_64', ...hardware, '-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...['-chardev', `file,id=console,path=${log},append=on`, '-serial', 'chardev:console'],
    ...['-device', 'virtio-rng-pci', ...network],
    ...['-drive', `file=${disk},if=virtio,format=raw,cache=unsafe`],
    ...['-kernel', inBoot('vmlinuz-'), '-initrd', inBoot('initrd.img-')],
    // Interfaces are eth0 and eth1, as the node knows them.
    ...['-append', 'console=ttyS0 root=/dev/vda rw net.ifnames=0 quiet'],
  ];
  const cgroup = cgroupOf(labId, node);
  makeCgroup(cgroup);
  const output = openSync(`${log}.emulator`, 'a');
  const join = 'echo $$ >"$0/cgroup.procs" && exec "$@"';
  const [program = '', ...rest] = inNamespace(labNamespace(labId), ['sh', '-c', join, cgroup, ...emulator]);
  spawn(program, rest, { detached: true, stdio: ['ignore', output, output] }).unref();
  closeSync(output);
}

function cgroupOf(labId: string, node: LabNode): string {
  return path.join(labCgroup(labId), `${node.name}-vm`);
}

function tapName(node: LabNode, link: InterfaceSpec): string {
  return `v${node.number}-${link.name}`;
}

function hexadecimal(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}

/** One word for the shell at the other end. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

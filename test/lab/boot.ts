import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cgroupOf, labCgroup, makeCgroup, makeLegacyCgroups } from './cgroups.ts';
import { realDirectories } from './furnish.ts';
import { inNamespace, labNamespace, nodeNamespace } from './network.ts';
import { type NodeRecord, nodeDirectory } from './node-record.ts';

/** The environment of a root login on a node: nothing of this machine. */
export const nodeEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  USER: 'root',
  LOGNAME: 'root',
  SHELL: '/bin/bash',
  LANG: 'C.UTF-8',
  TERM: 'dumb',
};

/** The cgroup that holds every process of a node. */
export function nodeCgroup(labId: string, name: string): string {
  return path.join(labCgroup(labId), name);
}

/**
 * Starts a node's systemd in a container, in a session of its own: the node outlives this process when it is meant to.
 * Its network is there already.
 */
export function startSystem(labId: string, record: NodeRecord): ChildProcess {
  const directory = nodeDirectory(labId, record.name);
  const cgroup = nodeCgroup(labId, record.name);
  makeCgroup(cgroup);
  const legacy = record.cgroups === 'legacy' ? makeLegacyCgroups(`nbl-${labId}/${record.name}`) : [];
  const nspawn = [
    ...[
      'systemd-nspawn',
      '--quiet',
      '--register=no',
      '--keep-unit',
      '--boot',
      '--directory',
      path.join(directory, 'root'),
    ],
    ...['--machine', `nbl-${labId}-${record.name}`, '--hostname', record.name],
    `--network-namespace-path=/run/netns/${nodeNamespace(labId, record.name)}`,
    // What Docker and Nomad clients need, and a virtual machine has anyway.
    ...['--capability=all', '--system-call-filter=bpf keyctl @keyring perf_event_open'],
    '--bind-ro=/sys/module', // Nomad looks for /sys/module/bridge, and nspawn shows only a part of /sys
    ...['--resolv-conf=off', '--timezone=off', '--link-journal=no'],
    ...realDirectories.map(folder => `--bind=${path.join(directory, 'disk', folder)}:/var/lib/${folder}`),
  ];
  const log = openSync(path.join(directory, 'console'), 'a');
  const join = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"';
  const joining = ['sh', '-c', join, 'sh', cgroup, ...legacy, '--', ...nspawn];
  const [program = '', ...rest] = inNamespace(labNamespace(labId), joining);
  const supervisor = spawn(program, rest, {
    detached: true,
    stdio: ['ignore', log, log],
    env: {
      ...nodeEnvironment,
      SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: record.cgroups === 'legacy' ? '0' : '1',
      SYSTEMD_NSPAWN_API_VFS_WRITABLE: 'network', // sysctls of the node's own network, and no others
    },
  });
  closeSync(log);
  writeFileSync(path.join(directory, 'supervisor'), String(supervisor.pid));
  supervisor.unref();
  return supervisor;
}

/** The process of this machine that is process 1 on the node; undefined while it is down. */
export function leaderOf(labId: string, name: string): number | undefined {
  try {
    const supervisor = readFileSync(path.join(nodeDirectory(labId, name), 'supervisor'), 'utf8');
    const children = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8').trim();
    return children === '' ? undefined : Number(children.split(' ')[0]);
  } catch {
    return undefined;
  }
}

/** The command of this machine that runs `argv` on the node. Throws when the node is down. */
export function commandOnNode(
  labId: string,
  name: string,
  argv: readonly string[],
  readOnlyRoot: boolean,
): readonly string[] {
  const leader = leaderOf(labId, name);
  if (leader === undefined) throw new Error(`${name} is not running`);
  // The command joins the node's own cgroup, so that killing the node ends it, too.
  const join = 'echo $$ >"$0/cgroup.procs"; exec "$@"';
  const enter = ['nsenter', '-t', String(leader), '-m', '-u', '-i', '-n', '-p', '-C', '--wdns=/root'];
  // A mount namespace of its own: there the root has no writers yet, so that it can become read-only.
  const seal = 'mount -o remount,bind,ro / && exec "$@"';
  const inside = readOnlyRoot ? ['unshare', '--mount', 'sh', '-c', seal, 'sh', ...argv] : argv;
  return ['sh', '-c', join, cgroupOf(leader), ...enter, ...inside];
}

/** Shell commands that complete a node once it is up: what a container does not have by itself. */
export function completion({ cgroups, linode }: NodeRecord): string {
  const writable = 'for controller in /sys/fs/cgroup/*/; do mount -o remount,rw,bind "$controller"; done';
  // /sys belongs to the kernel: the hardware's name is laid over it.
  const hardware = (id: number) => `mkdir -p /run/lab/dmi/id && cd /run/lab/dmi/id &&
echo Akamai >sys_vendor && echo "Compute Instance" >product_name && echo ${id} >product_serial && chmod 400 product_serial &&
mount -t overlay overlay -o lowerdir=/run/lab:/sys/class /sys/class`;
  return [...(cgroups === 'legacy' ? [writable] : []), ...(linode ? [hardware(linode.id)] : [])].join('\n');
}

/** What a node wrote to its console, over all its boots. */
export function consoleOf(labId: string, name: string): string {
  const file = path.join(nodeDirectory(labId, name), 'console');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Where this machine has its cgroup2 hierarchy (/sys/fs/cgroup, or .../unified beside the old ones), if it has one. */
export function unifiedCgroupMount(): string | undefined {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return mounts.map(line => line.split(' ')).find(fields => fields[2] === 'cgroup2')?.[1];
}

/** The cgroup that holds every process of a lab: what is in it was started by the lab, and nothing else was. */
export function labCgroup(id: string): string {
  return path.join(unifiedCgroupMount() ?? '/sys/fs/cgroup', `nbl-${id}`);
}

/** Where this machine still has cgroup v1 hierarchies; `named` ones carry no controllers. */
function legacyCgroupMounts(): readonly { readonly target: string; readonly named: boolean }[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return mounts
    .map(line => line.split(' '))
    .filter(([, target = '', type]) => type === 'cgroup' && target.startsWith('/sys/fs/cgroup/'))
    .map(([, target = '', , options = '']) => ({ target, named: options.includes('name=') }));
}

/** Makes `name` in every cgroup v1 hierarchy with controllers and gives their paths. A cpuset starts empty: it gets what its parent has. */
export function makeLegacyCgroups(name: string): readonly string[] {
  const mounts = legacyCgroupMounts().filter(mount => !mount.named);
  return mounts.map(({ target }) => {
    let directory = target;
    for (const part of name.split('/')) {
      const parent = directory;
      directory = path.join(directory, part);
      mkdirSync(directory, { recursive: true });
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        if (existsSync(path.join(directory, file)))
          writeFileSync(path.join(directory, file), readFileSync(path.join(parent, file)));
      }
    }
    return directory;
  });
}

/**
 * Removes `name` from every cgroup v1 hierarchy: nspawn makes one, too. The processes have ended by then, since the lab kills
 * them by their cgroup2.
 */
export function removeLegacyCgroups(name: string): void {
  for (const { target } of legacyCgroupMounts()) {
    if (existsSync(path.join(target, name))) removeCgroup(path.join(target, name));
  }
}

/** The cgroup2 directory of a process. */
export function cgroupOf(pid: number): string {
  const line = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .split('\n')
    .find(entry => entry.startsWith('0::'));
  return path.join(unifiedCgroupMount() ?? '', line?.slice(3) ?? '');
}

/** Makes a cgroup and hands it the controllers that its parents have (none where the machine keeps them on cgroup v1). */
export function makeCgroup(directory: string): void {
  mkdirSync(directory, { recursive: true });
  const parent = path.dirname(directory);
  for (const controller of readFileSync(path.join(parent, 'cgroup.controllers'), 'utf8').split(/\s+/).filter(Boolean)) {
    try {
      writeFileSync(path.join(parent, 'cgroup.subtree_control'), `+${controller}`);
    } catch {
      // not delegable here: nodes then lack this controller, which is a fact about the machine
    }
  }
}

/** True while any process lives in the cgroup or below it. */
export function cgroupPopulated(directory: string): boolean {
  try {
    return readFileSync(path.join(directory, 'cgroup.events'), 'utf8').includes('populated 1');
  } catch {
    return false;
  }
}

/** What the processes in it and below took of the processors, those that have ended among them. Every cgroup2 counts that. */
export function cgroupProcessorSeconds(directory: string): number {
  const stat = readFileSync(path.join(directory, 'cpu.stat'), 'utf8');
  return Number(/^usage_usec (\d+)$/m.exec(stat)?.[1]) / 1e6;
}

/** Stops every process of the cgroup in place (true), or lets them go on (false). */
export function freezeCgroup(directory: string, frozen: boolean): void {
  writeFileSync(path.join(directory, 'cgroup.freeze'), frozen ? '1' : '0');
}

/**
 * Ends every process of the cgroup with SIGKILL, waits until they are gone (at most 10 s) and removes the cgroup.
 * Synchronous, since it also has to work while this process is exiting.
 */
export function killCgroup(directory: string): void {
  if (!existsSync(directory)) return;
  freezeCgroup(directory, false);
  writeFileSync(path.join(directory, 'cgroup.kill'), '1');
  for (let waited = 0; cgroupPopulated(directory) && waited < 10_000; waited += 20) sleepSync(20);
  removeCgroup(directory);
}

function removeCgroup(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroup(path.join(directory, entry.name));
  }
  try {
    rmdirSync(directory);
  } catch {
    // a process that is still leaving holds it; it costs nothing and the next sweep removes it
  }
}

function sleepSync(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

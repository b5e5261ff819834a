import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openLab, whyNoLab } from './lab.ts';
import { labDirectory } from './registry.ts';

const reason = whyNoLab();

/** Everything on this machine that bears a lab's id. */
function traces(id: string): readonly string[] {
  const names = (directory: string) =>
    existsSync(directory) ? readdirSync(directory).map(name => `${directory}/${name}`) : [];
  const cgroups = names('/sys/fs/cgroup').flatMap(names);
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter(line => line.includes(`/labs/${id}/`));
  const named = [...names('/run/netns'), ...cgroups, ...names('/sys/fs/cgroup')].filter(name =>
    name.includes(`nbl-${id}`),
  );
  return [...named, ...mounts, ...(existsSync(labDirectory(id)) ? [labDirectory(id)] : [])];
}

/** Another process that opens a lab with a node, and then does nothing. */
async function labOfAnotherProcess(): Promise<{ readonly id: string; readonly owner: ChildProcess }> {
  const lab = pathToFileURL(`${import.meta.dirname}/lab.ts`).href;
  const script = `import { openLab } from '${lab}'; const lab = await openLab(); await lab.node(); console.log(lab.id); setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const id = await new Promise<string>((resolve, reject) => {
    owner.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
    owner.once('exit', code => reject(new Error(`the other process ended with ${code}`)));
  });
  return { id, owner };
}

async function ended(owner: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
  const exit = new Promise<number | null>(resolve => owner.once('exit', resolve));
  owner.kill(signal);
  return exit;
}

describe.skipIf(reason !== undefined)(`a lab's end${reason ? ` (skipped: ${reason})` : ''}`, () => {
  it('leaves nothing behind when it is closed', async () => {
    const lab = await openLab();
    const node = await lab.node();
    expect(traces(lab.id).length).toBeGreaterThan(3);
    expect(existsSync(node.root)).toBe(true);
    await lab.close();
    expect(traces(lab.id)).toEqual([]);
  });

  it('leaves nothing behind when its process is terminated', async () => {
    const { id, owner } = await labOfAnotherProcess();
    expect(await ended(owner, 'SIGTERM')).toBe(143);
    expect(traces(id)).toEqual([]);
  });

  it('is completed by the next lab when its process was killed, and no living lab is touched', async () => {
    const [killed, living] = await Promise.all([labOfAnotherProcess(), labOfAnotherProcess()]);
    await ended(killed.owner, 'SIGKILL');
    expect(traces(killed.id)).not.toEqual([]);
    const next = await openLab();
    expect(traces(killed.id)).toEqual([]);
    expect(traces(living.id).length).toBeGreaterThan(3);
    await next.close();
    await ended(living.owner, 'SIGTERM');
  });
});

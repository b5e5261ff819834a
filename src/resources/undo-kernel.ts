import type { HostReader, Path, Resource } from '../core/types.ts';
import type { FormerFile } from './file.ts';
import { readSysctl } from './sysctl.ts';
import { type Made, type Undoing, undone } from './undo.ts';

const sysctlFolders = [
  '/etc/sysctl.d',
  '/run/sysctl.d',
  '/usr/local/lib/sysctl.d',
  '/usr/lib/sysctl.d',
  '/lib/sysctl.d',
];

/** A kernel setting with its former value, unless somebody else's file asks for the present one. */
export function formerSysctl(key: string, value: string, { made, remark }: Undoing): Resource {
  return {
    id: `sysctl:${key}`,
    async plan(host) {
      const now = await readSysctl(host, key);
      if (now === undefined || now === value) return undefined;
      const other = await fileThatSets(host, key, made);
      if (other !== undefined) {
        remark(`${key} stays ${now}: ${other} sets it`);
        return undefined;
      }
      return {
        summary: `set ${key} = ${value}, as before`,
        diff: `${key}: ${now} -> ${value}\n`,
        undo: undone,
        async apply(target) {
          await target.run(['sysctl', '-qw', `${key}=${value}`]);
        },
      };
    },
  };
}

async function fileThatSets(host: HostReader, key: string, { files }: Made): Promise<Path | undefined> {
  const pattern = new RegExp(`^\\s*-?${key.replaceAll('.', '[./]')}\\s*=`, 'm');
  const paths = ['/etc/sysctl.conf'];
  for (const folder of sysctlFolders) {
    for (const name of (await host.list(folder)) ?? []) if (name.endsWith('.conf')) paths.push(`${folder}/${name}`);
  }
  for (const path of paths) {
    const known = files.get(path);
    // What a file of ours says now does not count: what it will say again does.
    const text = known === undefined ? await host.readText(path) : contentOf(known);
    if (pattern.test(text ?? '')) return path;
  }
  return undefined;
}

function contentOf({ former }: FormerFile): string | undefined {
  return former === undefined ? undefined : Buffer.from(former.contentBase64, 'base64').toString();
}

/** A module is unloaded if nothing uses it; else it goes with the next boot, since nothing asks for it any more. */
export function moduleGone(name: string, { remark }: Undoing): Resource {
  let tried = false;
  return {
    id: `kernel-module:${name}`,
    async plan(host) {
      // Built in, it has no such file.
      if (tried || (await host.stat(`/sys/module/${name}/initstate`)) === undefined) return undefined;
      return {
        summary: `unload the kernel module ${name}`,
        undo: undone,
        async apply(target) {
          tried = true;
          await target
            .run(['modprobe', '-r', name])
            .catch(() => remark(`the kernel module ${name} is in use: it goes with the next boot`));
        },
      };
    },
  };
}

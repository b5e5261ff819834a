import type { HostReader, Resource, ResourceId } from '../core/types.ts';

/**
 * A kernel setting as it is now; a file in /etc/sysctl.d keeps it over a reboot. `from` is the resource that brings the
 * setting into being, so that it can be announced before it exists.
 */
export function sysctl(key: string, value: string, from?: ResourceId): Resource {
  return {
    id: `sysctl:${key}`,
    async plan(host, before) {
      const current = await readSysctl(host, key);
      if (current === value) return undefined;
      if (current === undefined && !(from !== undefined && before.has(from))) return undefined;
      return {
        summary: `set ${key} = ${value}`,
        diff: `${key}: ${current ?? 'absent'} -> ${value}\n`,
        undo: { kind: 'sysctl', key, ...(current === undefined ? {} : { value: current }) },
        async apply(host) {
          await host.run(['sysctl', '-qw', `${key}=${value}`]);
        },
      };
    },
  };
}

/** The value in force, or `undefined` where this kernel has no such setting. */
export async function readSysctl(host: HostReader, key: string): Promise<string | undefined> {
  return (await host.readText(`/proc/sys/${key.replaceAll('.', '/')}`))?.trim();
}

import type { HostReader, Path } from '../core/types.ts';
import { bridgeSettings } from './bridge-sysctls.ts';
import { fail, type HealthCheck, onClients, pass } from './health-check.ts';

/** In falling rank: a file hides those of its name in later directories. Source: sysctl.d(5), modules-load.d(5). */
const roots = ['/etc', '/run', '/usr/local/lib', '/usr/lib'];

export const sysctlsPersist: HealthCheck = {
  id: 'sysctls-persist',
  title: 'Bridge settings outlive a reboot',
  scope: 'node',
  appliesTo: onClients,
  async run(host) {
    const [settings, modules] = await Promise.all([settingsAtBoot(host), modulesAtBoot(host)]);
    const contrary = bridgeSettings.flatMap(key => {
      const setting = settings.get(key);
      return setting === undefined || setting.value === '1' ? [] : [{ key, ...setting }];
    });
    const faults = [
      ...bridgeSettings.filter(key => !settings.has(key)).map(key => `nothing sets ${key}`),
      ...contrary.map(({ key, value, path }) => `${path} sets ${key} = ${value}`),
    ];
    if (!modules.has('br_netfilter') && (await isModule(host, 'br_netfilter'))) {
      faults.push('nothing loads br_netfilter, without which there are no net.bridge settings');
    }
    if (faults.length === 0) return pass('modules-load.d and sysctl.d bring them back');
    const paths = [...new Set(contrary.map(({ path }) => path))];
    return fail(
      faults.join('; '),
      [
        ...(paths.length > 0
          ? [`it comes after ours and wins: take that line out of ${paths.join(', ')}, then run sysctl --system`]
          : []),
        ...(faults.length > contrary.length ? ['run nomad-bootstrap again to put its files back'] : []),
      ].join('; '),
    );
  },
};

interface Setting {
  readonly value: string;
  readonly path: Path;
}

/** What systemd-sysctl leaves behind: of several settings of a key the one in the last file name counts. */
async function settingsAtBoot(host: HostReader): Promise<ReadonlyMap<string, Setting>> {
  const settings = new Map<string, Setting>();
  for (const { path, lines } of await readDropIns(host, 'sysctl.d')) {
    for (const line of lines) {
      const [, name = '', value = ''] = /^-?\s*([^=\s]+)\s*=\s*(.*)$/.exec(line) ?? [];
      settings.set(name.replaceAll('/', '.'), { value: value.trim(), path });
    }
  }
  return settings;
}

async function modulesAtBoot(host: HostReader): Promise<ReadonlySet<string>> {
  const files = await readDropIns(host, 'modules-load.d');
  return new Set(files.flatMap(({ lines }) => lines.map(line => line.replaceAll('-', '_'))));
}

/** The files of a drop-in directory by file name, with their lines but for blank ones and comments. */
async function readDropIns(
  host: HostReader,
  directory: string,
): Promise<readonly { readonly path: Path; readonly lines: readonly string[] }[]> {
  const listed = await Promise.all(
    roots.map(async root => ({ root, names: (await host.list(`${root}/${directory}`)) ?? [] })),
  );
  const paths = new Map<string, Path>();
  for (const { root, names } of listed) {
    for (const name of names.filter(candidate => candidate.endsWith('.conf') && !paths.has(candidate))) {
      paths.set(name, `${root}/${directory}/${name}`);
    }
  }
  const sorted = [...paths].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
  return Promise.all(
    sorted.map(async path => {
      const lines = ((await host.readText(path)) ?? '').split('\n').map(line => line.trim());
      return { path, lines: lines.filter(line => line !== '' && !/^[#;]/.test(line)) };
    }),
  );
}

/** Loaded as a module: neither built in nor absent. */
async function isModule(host: HostReader, name: string): Promise<boolean> {
  return new RegExp(`^${name}\\s`, 'm').test((await host.readText('/proc/modules')) ?? '');
}

import { matchesGlob } from 'node:path';
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
      return setting === undefined || setting.value === '1' ? [] : [setting];
    });
    const faults = [
      ...bridgeSettings.filter(key => !settings.has(key)).map(key => `nothing sets ${key}`),
      ...contrary.map(({ name, value, path }) => `${path} sets ${name} = ${value}`),
    ];
    if (!modules.has('br_netfilter') && (await isModule(host, 'br_netfilter'))) {
      faults.push('nothing loads br_netfilter, without which there are no net.bridge settings');
    }
    const masked = await maskedUnits(host);
    if (masked.length > 0) {
      return fail(
        `${masked.join(' and ')} ${masked.length === 1 ? 'is' : 'are'} masked, so nothing sets them at boot`,
        `systemctl unmask ${masked.join(' ')}`,
      );
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
  /** As the file spells it: a pattern, or another name of the same. */
  readonly name: string;
  readonly value: string;
  readonly path: Path;
}

/** One variable of the kernel under two names. Source: net/ipv4/devinet.c of the kernel. */
const otherNames: Readonly<Record<string, string>> = { 'net.ipv4.conf.all.forwarding': 'net.ipv4.ip_forward' };

/**
 * What systemd-sysctl leaves behind, by {@link bridgeSettings}. It sets each key once, with the value of the last file name and
 * at the place where that value came first; a pattern counts for what no line names, with a value or with a mere hyphen.
 * Source: sysctl.d(5), src/sysctl/sysctl.c.
 */
async function settingsAtBoot(host: HostReader): Promise<ReadonlyMap<string, Setting>> {
  const assigned = new Map<string, Setting | undefined>();
  for (const { path, lines } of await readDropIns(host, 'sysctl.d')) {
    for (const line of lines) {
      const { name = '', value } = /^-?\s*(?<name>[^=]*?)\s*(?:=\s*(?<value>.*))?$/.exec(line)?.groups ?? {};
      const key = placeOf(name);
      if (assigned.has(key) && assigned.get(key)?.value === value) continue;
      assigned.delete(key);
      assigned.set(key, value === undefined ? undefined : { name: name.replaceAll('/', '.'), value, path });
    }
  }
  const left = new Map<string, Setting>();
  for (const [key, setting] of assigned) {
    if (setting === undefined) continue;
    for (const variable of [...bridgeSettings, ...Object.keys(otherNames)]) {
      const place = placeOf(variable);
      if (key === place || (!assigned.has(place) && matchesGlob(place, key))) {
        left.set(otherNames[variable] ?? variable, setting);
      }
    }
  }
  return left;
}

/** Below /proc/sys. The first separator tells which of the two it is. */
function placeOf(name: string): string {
  return /^[^./]*\./.test(name) ? name.replaceAll(/[./]/g, sign => (sign === '.' ? '/' : '.')) : name;
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

/** Those of the units that read these files which were switched off for good: a link to nowhere in place of the unit. */
async function maskedUnits(host: HostReader): Promise<readonly string[]> {
  const units = ['systemd-sysctl.service', 'systemd-modules-load.service'];
  const links = await Promise.all(units.map(unit => host.stat(`/etc/systemd/system/${unit}`)));
  return units.filter((_, index) => links[index]?.linkTarget === '/dev/null');
}

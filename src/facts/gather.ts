import type { HostReader } from '../core/types.ts';
import { candidateAddresses } from './candidates.ts';
import type { Architecture, Facts } from './facts.ts';
import { readInstalledAgents } from './installed.ts';
import { readCgroups, readKernel } from './kernel.ts';
import { identifyLinode, type LinodeOptions, untilVlanIsUp } from './linode.ts';
import { parseOsRelease } from './os-release.ts';

const bytesPerMiB = 2 ** 20;
const kibPerMiB = 2 ** 10;

const architectures: Readonly<Record<string, Architecture>> = { x86_64: 'amd64', aarch64: 'arm64' };

/**
 * Finds out what the host is, by reading alone: works without root (what only root may read is then taken as absent) and on
 * a root file system that is mounted read-only. Files are read instead of programs run wherever they tell the same. Only a Linode is asked
 * for over the network.
 */
export async function gatherFacts(host: HostReader, options: LinodeOptions): Promise<Facts> {
  const machine = host.machine();
  const [os, hostname, kernel, cgroups, memory, cpuCount, space, systemd, selinux, firewall, installed, linode] =
    await Promise.all([
      readOsRelease(host),
      host.readText('/proc/sys/kernel/hostname'),
      readKernel(host),
      readCgroups(host),
      host.readText('/proc/meminfo'),
      readCpuCount(host),
      host.space('/'),
      // What sd_booted(3) looks at.
      host.stat('/run/systemd/system'),
      readSelinux(host),
      readFirewall(host),
      readInstalledAgents(host),
      identifyLinode(host, options),
    ]);
  await untilVlanIsUp(host, linode?.metadata, options);
  const addresses = host.addresses();
  return Object.freeze({
    os,
    architecture: architectures[machine],
    machine,
    hostname: hostname?.trim() ?? '',
    kernel,
    cgroups,
    memoryMiB: readMeminfo(memory ?? '', 'MemTotal'),
    swapMiB: readMeminfo(memory ?? '', 'SwapTotal'),
    cpuCount,
    disk: {
      sizeMiB: Math.floor((space?.sizeBytes ?? 0) / bytesPerMiB),
      availableMiB: Math.floor((space?.availableBytes ?? 0) / bytesPerMiB),
    },
    init: systemd === undefined ? 'other' : 'systemd',
    selinux,
    firewall,
    addresses,
    candidates: candidateAddresses(addresses, linode?.metadata),
    installed,
    linode: linode?.facts,
  });
}

async function readOsRelease(host: HostReader): Promise<Facts['os']> {
  return parseOsRelease((await host.readText('/etc/os-release')) ?? (await host.readText('/usr/lib/os-release')));
}

/** Counts a list such as `0-3,8`. */
async function readCpuCount(host: HostReader): Promise<number> {
  const online = (await host.readText('/sys/devices/system/cpu/online')) ?? '';
  return online
    .trim()
    .split(',')
    .filter(Boolean)
    .map(range => range.split('-').map(Number))
    .reduce((count, [first = 0, last = first]) => count + last - first + 1, 0);
}

function readMeminfo(text: string, key: string): number {
  return Math.floor(Number(new RegExp(`^${key}:\\s*(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / kibPerMiB);
}

async function readSelinux(host: HostReader): Promise<Facts['selinux']> {
  const enforce = (await host.readText('/sys/fs/selinux/enforce'))?.trim();
  return enforce === '1' ? 'enforcing' : enforce === '0' ? 'permissive' : 'disabled';
}

async function readFirewall(host: HostReader): Promise<Facts['firewall']> {
  const [ufw, program, firewalld] = await Promise.all([
    host.readText('/etc/ufw/ufw.conf'),
    host.stat('/usr/sbin/ufw'),
    host.stat('/usr/sbin/firewalld'),
  ]);
  // A package that was removed, and not purged, leaves its settings.
  if (program !== undefined && /^\s*ENABLED=["']?yes/im.test(ufw ?? '')) return 'ufw';
  if (firewalld === undefined) return 'none';
  const { exitCode } = await host.query(['systemctl', 'is-active', 'firewalld']);
  return exitCode === 0 ? 'firewalld' : 'none';
}

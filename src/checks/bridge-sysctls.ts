import type { HostReader } from '../core/types.ts';
import { fail, type HealthCheck, onClients, pass } from './health-check.ts';

/**
 * What Nomad's bridge networking asks of the kernel, each to be 1.
 * Source: https://developer.hashicorp.com/nomad/docs/networking/cni
 */
export const bridgeSettings: readonly string[] = [
  'net.bridge.bridge-nf-call-arptables',
  'net.bridge.bridge-nf-call-ip6tables',
  'net.bridge.bridge-nf-call-iptables',
  'net.ipv4.ip_forward',
];

export const bridgeSysctls: HealthCheck = {
  id: 'bridge-sysctls',
  title: 'Bridge traffic is filtered and forwarded',
  scope: 'node',
  needs: ['kernel-bridge'],
  appliesTo: onClients,
  async run(host) {
    const values = await Promise.all(bridgeSettings.map(async key => ({ key, value: await readSetting(host, key) })));
    // A kernel without IPv6 or arptables has no such settings, and nothing to set.
    const wrong = values.filter(({ value }) => value !== undefined && value !== '1');
    if (wrong.length === 0) return pass(`${values.filter(({ value }) => value !== undefined).length} settings are 1`);
    return fail(
      wrong.map(({ key, value }) => `${key} = ${value}`).join(', '),
      `sysctl -w ${wrong.map(({ key }) => `${key}=1`).join(' ')}; then find what set it: grep -rs ${wrong[0]?.key} /etc/sysctl.d /etc/ufw /usr/lib/sysctl.d`,
    );
  },
};

async function readSetting(host: HostReader, key: string): Promise<string | undefined> {
  return (await host.readText(`/proc/sys/${key.replaceAll('.', '/')}`))?.trim();
}

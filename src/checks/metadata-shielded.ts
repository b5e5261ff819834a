import { isSecure } from '../target.ts';
import { fail, type HealthCheck, pass } from './health-check.ts';

const unit = 'nomad-bootstrap-metadata-shield';
const families = [
  { program: 'iptables', address: '169.254.169.254' },
  { program: 'ip6tables', address: 'fd00:a9fe:a9fe::1' },
] as const;

export const metadataShielded: HealthCheck = {
  id: 'metadata-shielded',
  title: "Jobs cannot ask Linode's metadata service",
  scope: 'node',
  appliesTo: target => isSecure(target) && target.config.node.runsClient,
  async run(host) {
    const hasIpv6 = (await host.stat('/proc/net/if_inet6')) !== undefined;
    for (const { program, address } of families) {
      if (program === 'ip6tables' && !hasIpv6) continue;
      const { exitCode, stdout, stderr } = await host.query([program, '-w', '-t', 'raw', '-S']);
      if (exitCode !== 0)
        return fail(
          `${program}: ${stderr.trim().split('\n')[0] ?? ''}`,
          `see whether ${program} works here: ${program} -t raw -S`,
        );
      const rules = stdout.split('\n').filter(rule => rule.includes(address) && rule.endsWith('-j DROP'));
      const missing = ['OUTPUT', 'PREROUTING'].filter(chain => !rules.some(rule => rule.startsWith(`-A ${chain} `)));
      if (missing.length > 0) {
        return fail(
          `${address} can be asked: no rule in ${missing.join(' and ')}`,
          `systemctl restart ${unit}; if it goes away again, something flushes the raw table of ${program}`,
        );
      }
    }
    return pass('root alone, and only from this host');
  },
};

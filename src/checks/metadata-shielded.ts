import { inCidr } from '../facts/addresses.ts';
import { isSecure } from '../target.ts';
import { fail, type HealthCheck, pass } from './health-check.ts';

const unit = 'nomad-bootstrap-metadata-shield';
const families = [
  { program: 'iptables', address: '169.254.169.254' },
  { program: 'ip6tables', address: 'fd00:a9fe:a9fe::1' },
] as const;

/** From this host for everybody but root, and for whatever comes by a bridge or a route. */
const dropping = { OUTPUT: /! --uid-owner 0 -j DROP$/, PREROUTING: /^\S+ \S+ -d \S+ -j DROP$/ };

export const metadataShielded: HealthCheck = {
  id: 'metadata-shielded',
  title: "Root alone can ask Linode's metadata service",
  scope: 'node',
  appliesTo: isSecure,
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
      const rules = stdout.split('\n').filter(rule => speaksOf(rule, address));
      // The first that speaks of the address decides.
      const deciding = (chain: string) => rules.find(rule => rule.startsWith(`-A ${chain} `)) ?? '';
      const missing = Object.entries(dropping).flatMap(([chain, rule]) => (rule.test(deciding(chain)) ? [] : [chain]));
      if (missing.length > 0) {
        return fail(
          `others than root can ask ${address}: no rule stops them in ${missing.join(' and ')}`,
          `systemctl restart ${unit}; if it goes away again, something flushes the raw table of ${program}`,
        );
      }
    }
    return pass('root alone, and only from this host');
  },
};

/** Whether a rule is for the address, by itself or with others: of a network that holds it. One for all addresses, such as for tracking, is none. */
function speaksOf(rule: string, address: string): boolean {
  const [, destination] = / -d (\S+)/.exec(rule) ?? [];
  return destination !== undefined && (destination.startsWith(address) || inCidr(address, destination));
}

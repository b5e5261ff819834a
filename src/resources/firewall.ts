/** The firewalls of the distributions: rules of ours beside the operator's, and neither is ever switched on or off. */
import type { CommandOutput, HostReader, Resource, Undo } from '../core/types.ts';
import { readUnit } from '../core/unit.ts';

/** One rule: who may reach these ports of this address. */
export interface FirewallRule {
  readonly protocol: 'tcp' | 'udp';
  readonly first: number;
  readonly last: number;
  /** CIDR. */
  readonly from: string;
  /** The node's own address. */
  readonly to: string;
}

/** A rule as it stands in the journal. */
export interface OpenedRule {
  readonly manager: 'ufw' | 'firewalld';
  /** Of firewalld. */
  readonly zone?: string;
  readonly rule: FirewallRule;
}

const ufwRules = '/etc/ufw/user.rules';

/** In a ufw that is on: the rules, added where they are missing. Undo: kind `firewall`. */
export function openInUfw(rules: readonly FirewallRule[]): Resource {
  return {
    id: 'firewall:ufw',
    async plan(host) {
      // Its settings stay behind when it is removed.
      if ((await host.stat('/usr/sbin/ufw')) === undefined) return undefined;
      const missing = (await Promise.all(rules.map(async rule => ((await isInUfw(host, rule)) ? [] : [rule])))).flat();
      if (missing.length === 0) return undefined;
      return {
        summary: 'open the ports of the cluster in ufw',
        diff: missing.map(rule => `+ ${ufwWords(rule).join(' ')}\n`).join(''),
        undo: { kind: 'firewall', opened: missing.map((rule): OpenedRule => ({ manager: 'ufw', rule })) },
        async apply(target) {
          for (const rule of missing) {
            await target.run(['ufw', ...ufwWords(rule), 'comment', 'nomad-bootstrap'], { timeoutMs: 60_000 });
          }
        },
      };
    },
  };
}

/** In a firewalld that runs: the same as rich rules of the zone of the cluster's interface, now and at every boot. */
export function openInFirewalld(networkInterface: string, rules: readonly FirewallRule[]): Resource {
  return {
    id: 'firewall:firewalld',
    async plan(host) {
      const zone = await zoneOf(host, networkInterface);
      // It takes everything already.
      if (zone === 'trusted') return undefined;
      const missing = (
        await Promise.all(rules.map(async rule => ((await isInFirewalld(host, zone, rule)) ? [] : [rule])))
      ).flat();
      if (missing.length === 0) return undefined;
      return {
        summary: `open the ports of the cluster in firewalld's zone ${zone}`,
        diff: missing.map(rule => `+ ${richRule(rule)}\n`).join(''),
        undo: { kind: 'firewall', opened: missing.map((rule): OpenedRule => ({ manager: 'firewalld', zone, rule })) },
        async apply(target) {
          for (const rule of missing) {
            // Twice instead of a reload, which would take the rules of Docker and Nomad away.
            for (const duration of durations) {
              await target.run(['firewall-cmd', ...duration, `--zone=${zone}`, `--add-rich-rule=${richRule(rule)}`]);
            }
          }
        },
      };
    },
  };
}

const durations = [['--permanent'], []] as const;

/** A rule of ours, gone; nothing where the operator has taken it away, or the firewall itself. */
export function ruleGone({ manager, zone = '', rule }: OpenedRule, undo: Undo): Resource {
  const ports = `${rule.first}-${rule.last}-${rule.protocol}`;
  return {
    id: `firewall:${manager}-${ports}`,
    async plan(host) {
      const isThere =
        manager === 'ufw'
          ? isInUfw(host, rule)
          : isRunning(host).then(running => running && isInFirewalld(host, zone, rule, 'either'));
      if (!(await isThere)) return undefined;
      return {
        summary: `close the ports ${ports} in ${manager}`,
        undo,
        async apply(target) {
          if (manager === 'ufw') {
            await target.run(['ufw', 'delete', ...ufwWords(rule)], { timeoutMs: 60_000 });
            return;
          }
          for (const duration of durations) {
            await target.run(['firewall-cmd', ...duration, `--zone=${zone}`, `--remove-rich-rule=${richRule(rule)}`]);
          }
        },
      };
    },
  };
}

async function isRunning(host: HostReader): Promise<boolean> {
  return (await readUnit(host, 'firewalld')).activeState === 'active';
}

/** ufw keeps each rule in its own words in a comment of this file. Source: backend_iptables.py, ufw 0.36. */
async function isInUfw(host: HostReader, { protocol, first, last, from, to }: FirewallRule): Promise<boolean> {
  const ports = first === last ? `${first}` : `${first}:${last}`;
  const tuple = `### tuple ### allow ${protocol} ${ports} ${to} any ${from} in`;
  const lines = ((await host.readText(ufwRules)) ?? '').split('\n');
  return lines.some(line => line === tuple || line.startsWith(`${tuple} `));
}

function ufwWords({ protocol, first, last, from, to }: FirewallRule): readonly string[] {
  const ports = first === last ? `${first}` : `${first}:${last}`;
  return ['allow', 'proto', protocol, 'from', from, 'to', to, 'port', ports];
}

async function zoneOf(host: HostReader, networkInterface: string): Promise<string> {
  const own = await host.query(['firewall-cmd', `--get-zone-of-interface=${networkInterface}`]);
  if (own.exitCode === 0 && own.stdout.trim() !== '') return own.stdout.trim();
  return (await host.query(['firewall-cmd', '--get-default-zone'])).stdout.trim();
}

async function isInFirewalld(
  host: HostReader,
  zone: string,
  rule: FirewallRule,
  where: 'both' | 'either' = 'both',
): Promise<boolean> {
  const found: CommandOutput[] = [];
  for (const duration of durations) {
    found.push(
      await host.query(['firewall-cmd', ...duration, `--zone=${zone}`, `--query-rich-rule=${richRule(rule)}`]),
    );
  }
  const there = ({ exitCode }: CommandOutput) => exitCode === 0;
  return where === 'both' ? found.every(there) : found.some(there);
}

function richRule({ protocol, first, last, from, to }: FirewallRule): string {
  const ports = first === last ? `${first}` : `${first}-${last}`;
  return `rule family="ipv4" source address="${from}" destination address="${to}" port port="${ports}" protocol="${protocol}" accept`;
}

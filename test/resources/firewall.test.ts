import { describe, expect, it } from 'vitest';
import { type FirewallRule, openInFirewalld, openInUfw, ruleGone } from '../../src/resources/firewall.ts';
import { undone } from '../../src/resources/undo.ts';
import { type FixtureDescription, type FixtureHost, fixtureHost } from '../support/fixture-host.ts';

const gossip: FirewallRule = { protocol: 'udp', first: 8301, last: 8301, from: '10.0.0.0/24', to: '10.0.0.11' };
const rpc: FirewallRule = { protocol: 'tcp', first: 4647, last: 4648, from: '10.0.0.0/24', to: '10.0.0.11' };
const commandsOf = (host: FixtureHost) => host.log.flatMap(made => (made.kind === 'run' ? [made.argv.join(' ')] : []));

describe('ufw', () => {
  /** As ufw 0.36 writes them. */
  const ofGossip = '### tuple ### allow udp 8301 10.0.0.11 any 10.0.0.0/24 in comment=6e6f6d61642d626f6f747374726170\n';
  const ofRpc = '### tuple ### allow tcp 4647:4648 10.0.0.11 any 10.0.0.0/24 in\n';
  const allow = {
    'ufw allow proto tcp from 10.0.0.0/24 to 10.0.0.11 port 4647:4648 comment nomad-bootstrap': {},
    'ufw allow proto udp from 10.0.0.0/24 to 10.0.0.11 port 8301 comment nomad-bootstrap': {},
  };

  async function made(files: FixtureDescription['files']) {
    const host = fixtureHost({ files: { '/usr/sbin/ufw': '', ...files }, commands: allow });
    const change = await openInUfw([rpc, gossip]).plan(host, new Set());
    await change?.apply(host);
    return { commands: commandsOf(host), undo: change?.undo };
  }

  it('is left alone where it has every rule already', async () => {
    const rules = `${ofRpc}-A ufw-user-input ...\n${ofGossip}`;
    expect(await made({ '/etc/ufw/user.rules': rules })).toEqual({ commands: [], undo: undefined });
  });

  it('is left alone where it was removed and only its settings are left', async () => {
    expect(await openInUfw([rpc]).plan(fixtureHost(), new Set())).toBeUndefined();
  });

  it('gets the rules that it lacks, and only those are written down', async () => {
    expect((await made({})).commands).toEqual(Object.keys(allow));
    const { commands, undo } = await made({ '/etc/ufw/user.rules': ofRpc });
    expect(commands).toEqual([Object.keys(allow)[1]]);
    expect(undo).toEqual({ kind: 'firewall', opened: [{ manager: 'ufw', rule: gossip }] });
  });

  it('loses a rule of ours, also while it is off, and nothing where it was taken away', async () => {
    const gone = 'ufw delete allow proto udp from 10.0.0.0/24 to 10.0.0.11 port 8301';
    const host = fixtureHost({ files: { '/etc/ufw/user.rules': ofGossip }, commands: { [gone]: {} } });
    const resource = ruleGone({ manager: 'ufw', rule: gossip }, undone);
    await (await resource.plan(host, new Set()))?.apply(host);
    expect(commandsOf(host)).toEqual([gone]);
    expect(await resource.plan(fixtureHost(), new Set())).toBeUndefined();
  });
});

describe('firewalld', () => {
  const show =
    'systemctl show --property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts firewalld.service';
  const active = { [show]: { stdout: 'LoadState=loaded\nActiveState=active\n' } };
  const rule =
    'rule family="ipv4" source address="10.0.0.0/24" destination address="10.0.0.11" port port="8301" protocol="udp" accept';
  const inZone = { 'firewall-cmd --get-zone-of-interface=eth1': { stdout: 'internal\n' } };
  const asked = (permanent: number, now: number) => ({
    [`firewall-cmd --permanent --zone=internal --query-rich-rule=${rule}`]: { exitCode: permanent },
    [`firewall-cmd --zone=internal --query-rich-rule=${rule}`]: { exitCode: now },
  });
  const add = {
    [`firewall-cmd --permanent --zone=internal --add-rich-rule=${rule}`]: {},
    [`firewall-cmd --zone=internal --add-rich-rule=${rule}`]: {},
  };

  async function made(commands: FixtureDescription['commands']) {
    const host = fixtureHost({ commands: commands ?? {} });
    const change = await openInFirewalld('eth1', [gossip]).plan(host, new Set());
    await change?.apply(host);
    return { commands: commandsOf(host), undo: change?.undo };
  }

  it.each<[string, FixtureDescription['commands']]>([
    ['has the rule', { ...inZone, ...asked(0, 0) }],
    ['trusts the network', { 'firewall-cmd --get-zone-of-interface=eth1': { stdout: 'trusted\n' } }],
  ])('is left alone where it %s', async (_what, commands) => {
    expect(await made(commands)).toEqual({ commands: [], undo: undefined });
  });

  it('gets the rule in the zone of the interface, for now and for every boot, without a reload', async () => {
    for (const state of [asked(1, 1), asked(0, 1), asked(1, 0)]) {
      const { commands, undo } = await made({ ...inZone, ...state, ...add });
      expect(commands).toEqual(Object.keys(add));
      expect(undo).toEqual({ kind: 'firewall', opened: [{ manager: 'firewalld', zone: 'internal', rule: gossip }] });
    }
  });

  it('gets it in the default zone where the interface is in none', async () => {
    const none = { exitCode: 2, stdout: 'no zone\n' };
    const commands = Object.fromEntries(
      Object.entries({ ...asked(1, 1), ...add }).map(([words, answer]) => [
        words.replace('internal', 'public'),
        answer,
      ]),
    );
    const zone = {
      'firewall-cmd --get-zone-of-interface=eth1': none,
      'firewall-cmd --get-default-zone': { stdout: 'public\n' },
    };
    expect((await made({ ...zone, ...commands })).commands.length).toBe(2);
  });

  it('loses it again', async () => {
    const remove = {
      [`firewall-cmd --permanent --zone=internal --remove-rich-rule=${rule}`]: {},
      [`firewall-cmd --zone=internal --remove-rich-rule=${rule}`]: {},
    };
    const host = fixtureHost({ commands: { ...active, ...asked(0, 1), ...remove } });
    await (
      await ruleGone({ manager: 'firewalld', zone: 'internal', rule: gossip }, undone).plan(host, new Set())
    )?.apply(host);
    expect(commandsOf(host)).toEqual(Object.keys(remove));
  });
});

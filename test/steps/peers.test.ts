import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { consulConfig } from '../../src/steps/consul.ts';
import { nomadConfig } from '../../src/steps/nomad.ts';
import { peers } from '../../src/steps/peers.ts';
import { isNode, type NodeTarget } from '../../src/target.ts';
import { targetOn } from '../support/target.ts';

const mayNest = spawnSync('unshare', ['--user', '--map-root-user', '--mount', '--net', 'true']).status === 0;
if (!mayNest) process.stderr.write('skipped: the script that finds nodes: this user may not make namespaces\n');

const found = { join: [{ address: 'nomad-bootstrap-peers' }] };

async function nodeWith(described: Parameters<typeof targetOn>[1]): Promise<NodeTarget> {
  const target = await targetOn('debian-12', described);
  if (!isNode(target)) throw new Error('not a node');
  return target;
}

describe('--join vlan', () => {
  it('lets a unit look for the others, and no other way of joining does', async () => {
    const target = await nodeWith({ node: found });

    expect(peers.appliesTo?.(target)).toBe(true);
    expect(peers.appliesTo?.(await nodeWith({}))).toBe(false);
    expect(peers.resources(target).map(({ id }) => id)).toEqual([
      'directory:/usr/local/lib/nomad-bootstrap',
      'file:/usr/local/lib/nomad-bootstrap/peers',
      'file:/etc/systemd/system/nomad-bootstrap-peers.service',
      'service:nomad-bootstrap-peers',
    ]);
  });

  it('has Consul and Nomad servers join by the name, and Nomad clients ask Consul', async () => {
    const server = await nodeWith({ node: found });
    const client = await nodeWith({ node: { ...found, role: 'client', runsServer: false, runsClient: true } });

    for (const config of [consulConfig(server), nomadConfig(server), consulConfig(client)]) {
      expect(config).toMatch(/retry_join = \[\s*"nomad-bootstrap-peers",\s*\]/);
    }
    expect(nomadConfig(client)).not.toContain('retry_join');
  });
});

/** Runs commands where this machine's network is one subnet, on which these places take connections. */
function inSubnet(listening: readonly string[], commands: string) {
  const listen = `for (const [address, port] of ${JSON.stringify(listening.map(place => place.split(':')))})
    require('node:net').createServer().listen(port, address)`;
  const inside = `set -e
mount -t tmpfs tmpfs /etc
printf '127.0.0.1 localhost\\n10.9.0.9 named-nomad-bootstrap-peers' >/etc/hosts
chmod 640 /etc/hosts
ip link set lo up
ip address add 10.9.0.1/24 dev lo
"$0" -e "$1" &
listener=$!
sleep 0.3
${commands}
kill $listener`;
  return spawnSync('unshare', [
    ...['--user', '--map-root-user', '--mount', '--net', 'bash', '-c', inside, process.execPath, listen],
  ]);
}

const untilFound = `timeout 15 bash systemd/nomad-bootstrap-peers.sh 10.9.0.1/24 &
finder=$!
for attempt in $(seq 60); do if grep -q ' nomad-bootstrap-peers' /etc/hosts; then break; fi; sleep 0.2; done
kill $finder
`;

describe.skipIf(!mayNest)('the script that finds nodes', () => {
  it('keeps the others that answer for Consul, servers first, under the name, and what else was there', () => {
    const places = [
      '10.9.0.1:8301',
      '10.9.0.40:8301',
      '10.9.0.200:8301',
      '10.9.0.200:4648',
      '10.9.0.77:4648',
      '10.9.0.254:8301',
    ];
    const { stdout } = inSubnet(places, `${untilFound} cat /etc/hosts; stat -c %a /etc/hosts; ls /etc`);

    expect(stdout.toString()).toBe(`nomad-bootstrap-peers: 10.9.0.200 10.9.0.40 10.9.0.254
127.0.0.1 localhost
10.9.0.9 named-nomad-bootstrap-peers
10.9.0.200 nomad-bootstrap-peers
10.9.0.40 nomad-bootstrap-peers
10.9.0.254 nomad-bootstrap-peers
640
hosts
`);
  });

  it('takes its lines away when it is told to forget them, and writes nothing where there are none', () => {
    const { stdout } = inSubnet(
      ['10.9.0.3:8301'],
      `${untilFound} bash systemd/nomad-bootstrap-peers.sh --forget; cat /etc/hosts
before=$(stat -c %i /etc/hosts); bash systemd/nomad-bootstrap-peers.sh --forget; [ "$before" = "$(stat -c %i /etc/hosts)" ] && echo same`,
    );

    expect(stdout.toString().split('\n').slice(1)).toEqual([
      'nomad-bootstrap-peers: ',
      '127.0.0.1 localhost',
      '10.9.0.9 named-nomad-bootstrap-peers',
      'same',
      '',
    ]);
  });
});

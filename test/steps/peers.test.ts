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

describe('--join linode:tag=...', () => {
  const search = { tag: 'nomad', addressType: 'private_v4' } as const;
  const searching = { join: [{ search }] };

  it('has Consul search, and lets Nomad ask Consul: by a program on servers, by itself on clients', async () => {
    const server = await nodeWith({ node: searching });
    const client = await nodeWith({ node: { ...searching, role: 'client', runsServer: false, runsClient: true } });

    for (const config of [consulConfig(server), consulConfig(client)])
      expect(config).toMatch(
        /retry_join = \[\s*"provider=linode tag_name=nomad address_type=private_v4",\s*\]\nretry_interval = "15s"/,
      );
    expect(nomadConfig(server)).toMatch(
      /retry_join = \[\s*"exec=\/usr\/local\/lib\/nomad-bootstrap\/consul-servers 10.20.0.11",\s*\]/,
    );
    expect(nomadConfig(client)).not.toContain('retry_join');
    expect(peers.resources(server).map(({ id }) => id)).toEqual([
      'directory:/usr/local/lib/nomad-bootstrap',
      'file:/usr/local/lib/nomad-bootstrap/consul-servers',
    ]);
    expect(peers.appliesTo?.(client)).toBe(false);
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

/** Looked for as long as it takes: on a busy machine a subnet takes many seconds. */
const untilFound = `timeout 100 bash systemd/nomad-bootstrap-peers.sh 10.9.0.1/24 &
finder=$!
for attempt in $(seq 450); do if grep -q ' nomad-bootstrap-peers' /etc/hosts; then break; fi; sleep 0.2; done
kill $finder
`;

describe.skipIf(!mayNest)('the script that finds nodes', { timeout: 120_000 }, () => {
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

/** What the program for Nomad says when this machine's Consul says that its servers are these. */
function askConsul(answer: string) {
  const serve = `require('node:http').createServer((_, response) => response.end(${JSON.stringify(answer)})).listen(8500, '127.0.0.1')`;
  const inside = `ip link set lo up
"$0" -e "$1" &
server=$!
sleep 0.5
bash systemd/nomad-bootstrap-consul-servers.sh 10.9.0.1
status=$?
kill $server
exit $status`;
  const options = { encoding: 'utf8' } as const;
  const unshare = ['--user', '--map-root-user', '--mount', '--net', 'bash', '-c', inside, process.execPath, serve];
  const { status, stdout, stderr } = spawnSync('unshare', unshare, options);
  return { status, stdout, stderr };
}

describe.skipIf(!mayNest)("the program that tells Nomad of Consul's servers", () => {
  it('names the others, one a line', () => {
    expect(askConsul('["10.9.0.1:8300","10.9.0.2:8300","10.9.0.13:8300"]')).toEqual({
      status: 0,
      stdout: '10.9.0.2\n10.9.0.13\n',
      stderr: '',
    });
  });

  it.each(['["10.9.0.1:8300"]', '[]', '"No cluster leader"'])('fails while Consul knows no other: %s', answer => {
    expect(askConsul(answer)).toEqual({ status: 1, stdout: '', stderr: 'Consul knows no other server yet\n' });
  });
});

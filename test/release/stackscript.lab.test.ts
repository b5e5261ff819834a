import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientTokenOf, credentialsOf } from '../../src/token/credentials.ts';
import { createServerToken, parseToken } from '../../src/token/format.ts';
import { type Lab, type LabNode, openLab, waitFor, whyNoLab, whyNoRealAgents } from '../lab/lab.ts';
import { firstBootStatus, giveStackScript } from './first-boot.ts';
import { makeRelease } from './release.ts';

const reason = whyNoLab() ?? whyNoRealAgents();
if (reason !== undefined) process.stderr.write(`skipped: test/release/stackscript.lab.test.ts: ${reason}\n`);

const servers = ['server1', 'server2', 'server3'];
const clients = ['client1', 'client2', 'client3'];
/** Seconds within which the nodes begin, each at a random moment. */
const spread = Number(process.env['FIRST_BOOT_SPREAD'] ?? 0);

describe.skipIf(reason !== undefined)('six Linodes with a StackScript that names no address, on a VLAN', () => {
  let lab: Lab;
  let nodes: LabNode[];
  const startedAt = performance.now();
  const serverToken = createServerToken(new Date());
  let tokens: Awaited<ReturnType<typeof readTokens>>;

  const readTokens = async () => {
    const parsed = parseToken(serverToken);
    const credentials = await credentialsOf(parsed);
    if (parsed.kind !== 'server' || credentials.kind !== 'server') throw new Error('it is a server token');
    return { client: (await clientTokenOf(parsed)).reveal(), credentials };
  };

  beforeAll(async () => {
    tokens = await readTokens();
    lab = await openLab();
    const folder = lab.mirror.releaseFolder;
    makeRelease(folder, 'https://release.lab', readFileSync('dist/nomad-bootstrap'), ['nomad-bootstrap-linux-amd64']);
    nodes = [];
    for (const name of [...servers, ...clients]) {
      const node = await lab.unbootedNode({ name, linode: { tags: name === 'client3' ? ['nomad-client'] : [] } });
      giveStackScript(
        node,
        path.join(folder, 'stackscript.sh'),
        {
          ROLE: name === 'client3' ? 'auto' : servers.includes(name) ? 'server' : 'client',
          EXPECT: '3',
          JOIN: 'vlan',
          NETWORK: 'vlan',
          CLUSTER_TOKEN_PASSWORD: servers.includes(name) ? serverToken.reveal() : tokens.client,
          EXTRA: ['--docker', 'none', '--wait', '300', ...lab.mirror.offer.flags].join(' '),
        },
        Math.round(Math.random() * spread),
      );
      nodes.push(node);
    }
    // One of them gets its VLAN half a minute late.
    const late = nodes[1] as LabNode;
    rmSync(path.join(late.root, 'etc/systemd/network/06-eth1.network'));
    await Promise.all(nodes.map(node => node.boot()));
    const giveAddress = `ip link set eth1 up; ip address add ${late.vlanAddress}/24 dev eth1`;
    setTimeout(() => void late.exec(['sh', '-c', giveAddress]), 30_000);
  });
  afterAll(() => lab?.close());

  it('end in a healthy cluster without a hand touching them', async () => {
    const statuses = await Promise.all(nodes.map(node => firstBootStatus(node)));
    const logs = await Promise.all(nodes.map(node => node.readFile('/var/log/stackscript.log')));
    process.stderr.write(`six first boots took ${Math.round((performance.now() - startedAt) / 1000)} s\n`);
    expect(statuses, logs.join('\n\n')).toEqual(nodes.map(() => 0));

    for (const node of nodes) {
      const verified = await node.exec(['nomad-bootstrap', 'verify', '--wait', '60'], { check: false });
      expect(verified.exitCode, verified.stdout).toBe(0);
    }
    const first = nodes[0] as LabNode;
    const { nomadManagement, consulManagement } = tokens.credentials;
    const header = `X-Nomad-Token: ${nomadManagement.reveal()}\nX-Consul-Token: ${consulManagement.reveal()}\n`;
    const count = async (url: string) => {
      const { stdout } = await first.exec(['curl', '-sSf', '-H', '@-', url], { stdin: header });
      return (JSON.parse(stdout) as readonly unknown[]).length;
    };
    expect(await count('http://127.0.0.1:4646/v1/status/peers')).toBe(3);
    expect(await count('http://127.0.0.1:4646/v1/nodes')).toBe(3);
    expect(await count('http://127.0.0.1:8500/v1/agent/members')).toBe(6);
    // Of the console, and of what is kept of it, everybody may take a picture.
    for (const secret of [serverToken.reveal(), tokens.client]) expect(logs.join('\n')).not.toContain(secret);
  });

  it('know the others by name, servers first, also after a reboot', async () => {
    const node = nodes[4] as LabNode;
    await node.reboot();
    const lines = await waitFor('the others to be found again', async () => {
      const { stdout } = await node.exec(['grep', 'nomad-bootstrap-peers', '/etc/hosts'], { check: false });
      const found = stdout
        .trim()
        .split('\n')
        .map(line => line.split(' ')[0]);
      return found.length === 5 ? found : undefined;
    });
    const addresses = nodes.map(({ vlanAddress }) => vlanAddress);
    expect(lines.slice(0, 3).sort()).toEqual(addresses.slice(0, 3));
    expect([...lines].sort()).toEqual(addresses.filter(address => address !== node.vlanAddress).sort());
  });
});

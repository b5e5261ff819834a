import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, type LabNode, openLab, whyNoLab } from '../lab/lab.ts';
import { firstBootStatus, giveStackScript } from './first-boot.ts';
import { makeRelease } from './release.ts';

const reason = whyNoLab();
if (reason !== undefined) process.stderr.write(`skipped: test/release/install.lab.test.ts: ${reason}\n`);

describe.skipIf(reason !== undefined)('one line on a fresh Linode', () => {
  let lab: Lab;
  let script: string;
  let stackScript: string;

  beforeAll(async () => {
    lab = await openLab();
    const folder = lab.mirror.releaseFolder;
    makeRelease(folder, 'https://release.lab', readFileSync('dist/nomad-bootstrap'), ['nomad-bootstrap-linux-amd64']);
    script = 'curl -fsSL https://release.lab/install.sh | sh -s -- "$@"';
    stackScript = path.join(folder, 'stackscript.sh');
  });
  afterAll(() => lab?.close());

  const downloads = async () =>
    (await lab.mirror.requests()).filter(({ host }) => host === 'release.lab').map(request => request.path);
  const log = (node: LabNode) => node.readFile('/var/log/stackscript.log');

  it('makes a healthy server, and run again downloads no executable and changes nothing', async () => {
    const node = await lab.node({ name: 'server1', linode: {} });
    const line = ['sh', '-c', script, 'sh', 'server', '--insecure', ...lab.mirror.offer.flags];

    const first = await node.exec(line, { check: false });
    expect(first.exitCode, first.stderr).toBe(0);
    expect(await downloads()).toEqual(['/install.sh', '/nomad-bootstrap-linux-amd64.gz']);

    await lab.mirror.forgetRequests();
    const second = await node.exec(line, { check: false });
    expect(second.exitCode, second.stderr).toBe(0);
    expect(await downloads()).toEqual(['/install.sh']);
    expect(second.stderr + second.stdout).toMatch(/no changes|0 changes|nothing/i);
    expect((await node.exec(['nomad-bootstrap', 'verify'], { check: false })).exitCode).toBe(0);
  });

  it('makes a healthy server by itself, as a StackScript at its first boot', async () => {
    const node = await lab.unbootedNode({ name: 'server2', linode: {} });
    giveStackScript(node, stackScript, {
      ROLE: 'server',
      EXPECT: '',
      JOIN: '',
      NETWORK: 'vlan',
      INSECURE: 'yes',
      DATACENTER: '',
      NODE_NAME: 'first',
      NOMAD_VERSION: '',
      CONSUL_VERSION: '',
      EXTRA: lab.mirror.offer.flags.join(' '),
    });
    await node.boot();

    expect(await firstBootStatus(node), await log(node)).toBe(0);
    expect((await node.exec(['nomad-bootstrap', 'verify'])).stdout).toContain('first');
    expect(await log(node)).toMatch(/nomad-bootstrap ended with 0\n$/);
    expect(await node.readFile('/dev/ttyS0')).toBe(await log(node));
    expect((await node.exec(['stat', '-c', '%a %U', '/var/log/stackscript.log'])).stdout).toBe('600 root\n');
  });

  it('says in the log what is wrong with a field, and is finished by the line that the log begins with', async () => {
    const node = await lab.unbootedNode({ name: 'server3', linode: {}, vlan: false });
    giveStackScript(node, stackScript, {
      ROLE: 'server',
      NETWORK: 'vlan',
      INSECURE: 'yes',
      EXTRA: lab.mirror.offer.flags.join(' '),
    });
    await node.boot();

    expect(await firstBootStatus(node)).toBe(3);
    expect(await log(node)).toContain('--network vlan fits no address of this machine');
    const [line = ''] = (await log(node)).split('\n');
    expect(line).toMatch(/^NOMAD_BOOTSTRAP_NETWORK=vlan NOMAD_BOOTSTRAP_INSECURE=yes nomad-bootstrap server /);
    // A VLAN is attached, by hand here.
    await node.exec(['ip', 'address', 'add', '10.77.0.99/24', 'dev', 'eth0']);
    const again = await node.exec(['sh', '-c', `${line.replace('NETWORK=vlan', 'NETWORK=10.77.0.0/24')}`], {
      check: false,
    });
    expect(again.exitCode, again.stderr).toBe(0);
  });
});

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, type LabNode, type LinodeInstance, openLab, whyNoLab } from '../lab/lab.ts';
import { firstBootStatus, giveStackScript } from './first-boot.ts';
import { makeRelease } from './release.ts';

/** What the metadata service says of some other Linode. */
const foreign: LinodeInstance = {
  id: 0,
  label: 'somebody',
  region: 'eu-central',
  type: 'g6-standard-2',
  tags: [],
  userData: '',
  interfaces: [],
  ipv4: { public: ['198.51.100.7/32'], private: [], shared: [] },
};
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
  afterEach(() => lab?.mirror.repairEverything());
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

  it('bootstraps with a bundle where no upstream can be reached, and all that was made can be taken away again', async () => {
    const flags = lab.mirror.offer.flags;
    const twin = await lab.node({ name: 'twin' });
    const script = 'curl -fsSL https://release.lab/bundle.sh | sh -s -- /root/bundle "$@"';
    const made = await twin.exec(['sh', '-c', script, 'sh', ...flags], { check: false });
    expect(made.exitCode, made.stderr).toBe(0);
    expect(made.stderr).toMatch(
      /\/root\/bundle is for debian 12: sudo sh \/root\/bundle server \.\.\. \(sha256 [0-9a-f]{64}\)\n$/,
    );

    const node = await lab.node({ name: 'offline', linode: {} });
    const other = await lab.node({ name: 'other', system: 'debian13' });
    const bundle = path.join(twin.root, 'root/bundle');
    await Promise.all([node, other].map(target => target.install(bundle, '/root/bundle')));
    await lab.mirror.forgetRequests();
    await lab.mirror.break({ kind: 'reset' });
    const line = ['sh', '/root/bundle', 'server', '--with-client', '--insecure', ...flags];

    const refused = await other.exec(line, { check: false });
    expect([refused.exitCode, refused.stderr]).toEqual([
      3,
      'nomad-bootstrap: this bundle is for debian 12 amd64, and this machine is debian 13 amd64\nnomad-bootstrap: fix: make one on a machine of this system (bundle.sh)\n',
    ]);
    await node.exec(['sh', '-c', 'head -c -1 /root/bundle >/root/cut']);
    const cut = await node.exec(['sh', '/root/cut', ...line.slice(2)], { check: false });
    expect([cut.exitCode, cut.stderr]).toEqual([1, expect.stringContaining('/root/cut is damaged or cut off')]);

    const first = await node.exec(line, { check: false });
    expect(first.exitCode, first.stderr + first.stdout).toBe(0);
    // What the distribution's own tool tries of its own sources is no part of ours.
    const asked = (await lab.mirror.requests()).filter(
      ({ host }) => !['archive.lab', '169.254.169.254'].includes(host),
    );
    expect(asked).toEqual([]);
    const verified = await node.exec(['nomad-bootstrap', 'verify', '--wait', '60'], { check: false });
    expect(verified.exitCode, verified.stdout).toBe(0);
    const again = await node.exec(['nomad-bootstrap', 'server'], { check: false });
    expect([again.exitCode, again.stdout + again.stderr]).toEqual([0, expect.stringMatching(/no changes|0 changes/i)]);

    await node.exec(['nomad-bootstrap', 'uninstall', '--purge-data']);
    const left = await node.exec(['sh', '-c', 'dpkg-query -W nomad consul docker-ce 2>/dev/null | cut -f 1']);
    expect(left.stdout.trim()).toBe('');
  });

  it('says in the log what is wrong with a field, and is finished by the line that the log begins with', async () => {
    const node = await lab.unbootedNode({ name: 'server3', linode: {}, vlan: false });
    giveStackScript(node, stackScript, {
      ROLE: 'server',
      NETWORK: 'vlan',
      INSECURE: 'yes',
      EXTRA: lab.mirror.offer.flags.join(' '),
    });
    // A metadata service that is not there, one that never answers, and one that speaks of another Linode.
    const nameless = await Promise.all(
      ['absent', 'silent', 'lying'].map(name => lab.unbootedNode({ name, linode: {} })),
    );
    for (const other of nameless) {
      giveStackScript(other, stackScript, { ROLE: 'server', NETWORK: '10.77.0.0/24', INSECURE: 'yes' });
      const address = other.publicAddress ?? '';
      if (other.name !== 'lying') await lab.mirror.setMetadata(address, { kind: other.name as 'absent' | 'silent' });
      else await lab.mirror.setMetadata(address, { kind: 'linode', instance: { ...foreign, id: 4711 } });
    }
    await Promise.all([node, ...nameless].map(each => each.boot()));

    const statuses = await Promise.all([node, ...nameless].map(each => firstBootStatus(each)));
    expect(statuses).toEqual([3, 3, 3, 3]);
    for (const other of nameless)
      expect(await other.readFile('/dev/ttyS0'), other.name).toContain(
        "this is a Linode, but neither its metadata service nor cloud-init's cache says which",
      );
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

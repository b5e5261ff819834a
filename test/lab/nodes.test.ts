import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareTrees, type Lab, type LabNode, openLab, systems, whyNoLab } from './lab.ts';

const reason = whyNoLab();

describe.skipIf(reason !== undefined)(`a lab node${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let lab: Lab;
  let first: LabNode;
  let second: LabNode;

  beforeAll(async () => {
    lab = await openLab();
    [first, second] = await Promise.all([lab.node({ name: 'first' }), lab.node({ name: 'second' })]);
  });
  afterAll(() => lab?.close());

  it.each(systems)('boots %s to running, with no failed unit', async system => {
    const node = await lab.unbootedNode({ system });
    expect(await node.boot()).toBe('running');
    expect((await node.exec(['systemctl', '--failed', '--plain', '--no-legend'])).stdout).toBe('');
    await node.kill();
  });

  it.each(systems)('has nothing on %s that a bootstrap has to bring', async system => {
    const node = await lab.node({ system });
    const absent = ['node', 'unzip', 'jq', 'iptables', 'docker', 'nomad', 'consul'];
    const foreign = system === 'rocky9' ? ['apt-get', 'dpkg'] : ['gpg', 'python3', 'dnf', 'rpm'];
    const { stdout } = await node.exec(['which', ...absent, ...foreign], { check: false });
    expect(stdout).toBe('');
    await node.kill();
  });

  it('has a public address, a VLAN address and its own name', async () => {
    const { stdout } = await first.exec(['ip', '-br', '-4', 'address']);
    expect(stdout).toMatch(new RegExp(`eth0\\S* +UP +${first.publicAddress}/24`));
    expect(stdout).toMatch(new RegExp(`eth1\\S* +UP +${first.vlanAddress}/24`));
    expect((await first.exec(['hostname'])).stdout.trim()).toBe('first');
  });

  it('reaches its neighbour until its cable is pulled, and again when it is back', async () => {
    const ask = async () => {
      // Nobody listens on port 9: a refusal is the neighbour's answer.
      const { stderr } = await first.exec(['curl', '-sS', '-m', '1', `http://${second.vlanAddress}:9/`], {
        check: false,
      });
      return stderr;
    };
    const answers = /Connection refused|Couldn't connect|Could not connect/;
    expect(await ask()).toMatch(answers);
    await second.cutOff('eth1');
    expect(await ask()).not.toMatch(answers);
    await second.reconnect('eth1');
    await expect.poll(ask, { timeout: 10_000 }).toMatch(answers);
  });

  it('answers nothing while it is paused', async () => {
    await second.pause();
    await expect(second.exec(['true'], { timeoutMs: 500 })).rejects.toThrow(/still running/);
    await second.resume();
    expect((await second.exec(['true'])).exitCode).toBe(0);
  });

  it('has network settings of its own', async () => {
    await first.exec(['sysctl', '-w', 'net.ipv4.ip_forward=1']);
    expect((await second.exec(['sysctl', '-n', 'net.ipv4.ip_forward'])).stdout.trim()).toBe('0');
  });

  it('shows a command a read-only root without becoming read-only', async () => {
    const touch = ['touch', '/etc/touched'];
    const sealed = await first.exec(touch, { readOnlyRoot: true, check: false });
    expect(sealed.stderr).toMatch(/Read-only file system/);
    expect((await first.exec(touch)).exitCode).toBe(0);
  });

  it('tells its file trees apart by content, mode and presence', async () => {
    await first.writeFile('/etc/kept', 'same');
    await first.writeFile('/etc/edited', 'before');
    await first.writeFile('/etc/removed', 'gone soon');
    const before = await first.snapshotTree();
    expect(compareTrees(before, await first.snapshotTree())).toEqual(new Map());
    await first.exec(['sh', '-c', 'echo after >/etc/edited; rm /etc/removed; touch /etc/added; chmod 600 /etc/kept']);
    expect(compareTrees(before, await first.snapshotTree())).toEqual(
      new Map([
        ['/etc/added', 'added'],
        ['/etc/edited', 'changed'],
        ['/etc/kept', 'changed'],
        ['/etc/removed', 'removed'],
      ]),
    );
  });

  it('keeps its disk over a reboot and over a power cut, and loses its memory', async () => {
    await second.exec(['sh', '-c', 'echo disk >/etc/memo; echo memory >/run/memo']);
    expect(await second.reboot()).toBe('running');
    expect(await second.readFile('/etc/memo')).toBe('disk\n');
    expect((await second.exec(['test', '-e', '/run/memo'], { check: false })).exitCode).toBe(1);
    await second.kill();
    expect(second.isRunning()).toBe(false);
    expect(await second.boot()).toBe('running');
    expect(await second.readFile('/etc/memo')).toBe('disk\n');
  });

  it('is a Linode to its hardware and to the metadata service when it is asked to be one', async () => {
    const node = await lab.node({ vlan: true, linode: { region: 'eu-central', tags: ['nomad-server'] } });
    expect(await node.readFile('/sys/class/dmi/id/sys_vendor')).toBe('Akamai\n');
    const script = `
      token=$(curl -sSf -X PUT -H 'Metadata-Token-Expiry-Seconds: 60' http://169.254.169.254/v1/token)
      curl -sSf -H "Metadata-Token: $token" -H 'Accept: application/json' http://169.254.169.254/v1/$1`;
    const ask = async (what: string) => JSON.parse((await node.exec(['sh', '-ec', script, 'sh', what])).stdout);
    expect(await ask('instance')).toMatchObject({ label: node.name, region: 'eu-central', tags: ['nomad-server'] });
    expect((await ask('network')).interfaces[1]).toMatchObject({
      purpose: 'vlan',
      ipam_address: `${node.vlanAddress}/24`,
    });
    const url = 'http://169.254.169.254/v1/instance';
    const { exitCode } = await first.exec(['curl', '-sS', '-m', '2', url], { check: false });
    expect([7, 56]).toContain(exitCode); // reset: while curl connects, or while it waits
    await node.kill();
  });

  it('has a disk that can be filled up when it is given a small one', async () => {
    const node = await lab.node({ diskMiB: 64 });
    const { stderr } = await node.exec(['dd', 'if=/dev/zero', 'of=/filler', 'bs=1M', 'count=100'], { check: false });
    expect(stderr).toMatch(/No space left on device/);
    await node.kill();
  });
});

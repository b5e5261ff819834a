import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Fault, type Lab, type LabNode, openLab, whyNoLab } from './lab.ts';

const reason = whyNoLab();
const archive = '/containernetworking/plugins/releases/download';

describe.skipIf(reason !== undefined)(`the lab's mirror${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let lab: Lab;
  let debian: LabNode;

  beforeAll(async () => {
    lab = await openLab();
    debian = await lab.node();
  });
  afterEach(() => lab.mirror.repairEverything());
  afterAll(() => lab?.close());

  const curl = (...argv: string[]) => debian.exec(['curl', '-sS', '-m', '5', ...argv], { check: false });
  const useRepository = async (node: LabNode) => {
    const source = 'deb [signed-by=/etc/lab.asc] https://apt.releases.hashicorp.com bookworm main';
    await node.writeFile('/etc/apt/sources.list.d/hashicorp.list', `${source}\n`);
    await node.exec(['curl', '-sSf', '-o', '/etc/lab.asc', 'https://apt.releases.hashicorp.com/gpg']);
    return node.exec(['apt-get', 'update', '-q'], { check: false });
  };

  it('is trusted by nodes under the names of the upstreams', async () => {
    const { stdout } = await curl('https://apt.releases.hashicorp.com/gpg');
    expect(stdout).toMatch(/^-----BEGIN PGP PUBLIC KEY BLOCK-----/);
    expect((await curl('https://download.docker.com/linux/debian/gpg')).stdout).toMatch(/PUBLIC KEY/);
    expect(
      (
        await curl(
          '-o',
          '/dev/null',
          '-w',
          '%{http_code}',
          'https://rpm.releases.hashicorp.com/RHEL/10/x86_64/stable/repodata/repomd.xml',
        )
      ).stdout,
    ).toBe('404');
  });

  it('serves the CNI archive as GitHub does, by a redirect, and with the digest that it states', async () => {
    const { version, sha256 } = lab.mirror.offer.cni;
    const url = `https://github.com${archive}/v${version}/cni-plugins-linux-amd64-v${version}.tgz`;
    expect((await curl('-o', '/dev/null', '-w', '%{http_code}', url)).stdout).toBe('302');
    await debian.exec(['curl', '-sSfL', '-o', '/tmp/cni.tgz', url]);
    expect((await debian.exec(['sha256sum', '/tmp/cni.tgz'])).stdout).toBe(`${sha256}  /tmp/cni.tgz\n`);
  });

  it('serves everything under one base, for --mirror', async () => {
    const { stdout } = await curl(
      '-w',
      '%{http_code}',
      '-o',
      '/dev/null',
      `https://mirror.lab/github.com${archive}/v1.9.1/cni-plugins-linux-amd64-v1.9.1.tgz.sha256`,
    );
    expect(stdout).toBe('200');
  });

  it('remembers every request until it is told to forget', async () => {
    await lab.mirror.forgetRequests();
    await curl('https://apt.releases.hashicorp.com/gpg?once');
    expect(await lab.mirror.requests()).toMatchObject([
      {
        client: debian.publicAddress,
        method: 'GET',
        scheme: 'https',
        host: 'apt.releases.hashicorp.com',
        path: '/gpg?once',
        status: 200,
      },
    ]);
    await lab.mirror.forgetRequests();
    expect(await lab.mirror.requests()).toEqual([]);
  });

  it('breaks as it is told to, and is whole again afterwards', async () => {
    const url = 'https://apt.releases.hashicorp.com/dists/bookworm/main/binary-amd64/Packages';
    const whole = await curl(url);
    const within = async (fault: Fault, ...argv: string[]) => {
      const repair = await lab.mirror.break({ host: 'apt.releases.hashicorp.com', path: '/dists', ...fault });
      const started = performance.now();
      const answer = await curl(...argv, url);
      await repair();
      return { ...answer, elapsedMs: performance.now() - started };
    };
    expect((await within({ kind: 'status', status: 503, retryAfterSeconds: 7 }, '-i')).stdout).toMatch(
      /503[\s\S]*retry-after: 7/i,
    );
    expect((await within({ kind: 'stall' }, '-m', '1')).exitCode).toBe(28); // timed out
    expect(await within({ kind: 'stall', afterBytes: 10 }, '-m', '1')).toMatchObject({
      exitCode: 28,
      stdout: whole.stdout.slice(0, 10),
    });
    expect(await within({ kind: 'truncate', afterBytes: 10 })).toMatchObject({
      exitCode: 18,
      stdout: whole.stdout.slice(0, 10),
    });
    expect((await within({ kind: 'redirect-loop' }, '-L')).exitCode).toBe(47); // too many redirects
    expect((await within({ kind: 'reset' })).exitCode).toBe(56);
    expect((await within({ kind: 'delay', milliseconds: 400 })).elapsedMs).toBeGreaterThan(400);
    const rate = whole.stdout.length * 2;
    expect((await within({ kind: 'rate', bytesPerSecond: rate })).elapsedMs).toBeGreaterThan(450);
    const corrupt = await within({ kind: 'corrupt' });
    expect(corrupt.exitCode).toBe(0);
    expect(createHash('sha256').update(corrupt.stdout).digest('hex')).not.toBe(
      createHash('sha256').update(whole.stdout).digest('hex'),
    );
    expect((await curl(url)).stdout).toBe(whole.stdout);
  });

  it('breaks only as often as it is told to, and only there', async () => {
    await lab.mirror.break({ kind: 'status', status: 503, host: 'apt.releases.hashicorp.com', times: 2 });
    const status = async (host: string) =>
      (await curl('-o', '/dev/null', '-w', '%{http_code}', `https://${host}/gpg`)).stdout;
    expect(await status('rpm.releases.hashicorp.com')).toBe('200');
    expect([await status('apt.releases.hashicorp.com'), await status('apt.releases.hashicorp.com')]).toEqual([
      '503',
      '503',
    ]);
    expect(await status('apt.releases.hashicorp.com')).toBe('200');
  });

  it('signs its repositories: apt accepts a rotated key that is served, and refuses one that signed nothing', async () => {
    expect((await useRepository(debian)).exitCode).toBe(0);
    const signer = async () => (await debian.exec(['apt-get', 'update', '-q'], { check: false })).stderr;
    const repair = await lab.mirror.break({ kind: 'rotated-key', host: 'apt.releases.hashicorp.com' });
    expect(await signer()).toMatch(/NO_PUBKEY/);
    expect((await useRepository(debian)).exitCode).toBe(0);
    await repair();
    await lab.mirror.break({ kind: 'wrong-key', host: 'apt.releases.hashicorp.com' });
    expect((await useRepository(debian)).stderr).toMatch(/NO_PUBKEY/);
  });

  it('offers agents in several versions, laid out like the real packages', async () => {
    await useRepository(debian);
    const { nomad, consul } = lab.mirror.offer;
    const { stdout } = await debian.exec(['apt-cache', 'madison', 'nomad']);
    expect([...stdout.matchAll(/(\S+)-1/g)].map(match => match[1])).toEqual([
      nomad.nextMinor,
      nomad.real,
      nomad.olderPatch,
    ]);
    const install = ['apt-get', 'install', '-q', '-y', '--no-install-recommends'];
    await debian.exec([...install, `nomad=${nomad.real}-1`, `consul=${consul.real}-1`], {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
    });
    expect(await debian.readFile('/etc/nomad.d/nomad.hcl')).toMatch(/bootstrap_expect = 1/);
    for (const agent of ['nomad', 'consul']) {
      expect((await debian.exec(['systemctl', 'is-enabled', agent], { check: false })).stdout).toBe('disabled\n');
      expect((await debian.exec(['systemctl', 'is-active', agent], { check: false })).stdout).toBe('inactive\n');
      expect((await debian.exec(['stat', '-c', '%U:%G', `/etc/${agent}.d/${agent}.hcl`])).stdout).toBe(
        `${agent}:${agent}\n`,
      );
    }
    await debian.exec(['apt-get', 'purge', '-q', '-y', 'nomad', 'consul'], {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
    });
    expect((await debian.exec(['id', 'nomad'], { check: false })).exitCode).toBe(1);
  });

  it('has rpms that dnf takes with their key, and refuses with another one', async () => {
    const node = await lab.node({ system: 'rocky9' });
    const repository = (key: string) =>
      `[hashicorp]\nname=h\nbaseurl=https://rpm.releases.hashicorp.com/RHEL/9/x86_64/stable\ngpgcheck=1\ngpgkey=${key}\n`;
    const install = () =>
      node.exec(['dnf', '-y', 'install', `consul-${lab.mirror.offer.consul.real}-1`], { check: false });
    await node.writeFile('/etc/yum.repos.d/hashicorp.repo', repository('https://download.docker.com/linux/centos/gpg'));
    expect((await install()).exitCode).toBe(1);
    await node.writeFile('/etc/yum.repos.d/hashicorp.repo', repository('https://rpm.releases.hashicorp.com/gpg'));
    expect((await install()).exitCode).toBe(0);
    expect((await node.exec(['consul', 'version'])).stdout).toContain(`Consul v${lab.mirror.offer.consul.real}`);
    expect((await node.exec(['id', '-un', 'consul'])).stdout).toBe('consul\n');
  });
});

import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { platformFor } from '../../src/platforms/index.ts';
import type { Resolution } from '../../src/resolution/resolution.ts';
import { resolve } from '../../src/resolution/resolve.ts';
import { type FixtureAnswer, type FixtureDescription, fixtureHost } from '../support/fixture-host.ts';
import { clientNode, targetOn } from '../support/target.ts';

const query = (names: string) => `dpkg-query -W -f=\${Package}\\t\${db:Status-Status}\\t\${Version}\\n ${names}`;
const agentsQuery = query('nomad consul');
const enginesQuery = query('docker-ce docker.io moby-engine');

const hashicorp = 'https://apt.releases.hashicorp.com';
const dockerDebian = 'https://download.docker.com/linux/debian';

interface Situation {
  readonly os?: string;
  readonly packages?: Partial<Config['packages']>;
  readonly client?: boolean;
  readonly image?: boolean;
  /** What is installed, by package. */
  readonly installed?: Readonly<Record<string, string>>;
  readonly recorded?: Resolution;
  readonly recordedMirror?: string;
  readonly brought?: readonly string[];
  readonly files?: FixtureDescription['files'];
  readonly requests?: Readonly<Record<string, FixtureAnswer>>;
}

/** Whom a client asks which versions its servers run: its own agents, then the servers to join. Nobody is there. */
const noServers: Readonly<Record<string, FixtureAnswer>> = Object.fromEntries(
  ['127.0.0.1', '10.20.0.12'].flatMap(address =>
    [4646, 8500].map(port => [`GET http://${address}:${port}/v1/agent/members`, 'unreachable']),
  ),
);

/** A server on Debian 12 whose upstreams are only what the situation says. */
async function resolveIn(situation: Situation) {
  const { facts, config } = await targetOn(situation.os ?? 'debian-12', {
    ...(situation.image ? { node: undefined } : { node: situation.client ? clientNode : {} }),
    packages: situation.packages ?? {},
  });
  const rows = Object.entries(situation.installed ?? {}).map(([name, version]) => `${name}\tinstalled\t${version}\n`);
  const host = fixtureHost({
    ...(situation.files === undefined ? {} : { files: situation.files }),
    commands: {
      [agentsQuery]: { stdout: rows.filter(row => /^(nomad|consul)\t/.test(row)).join(''), exitCode: 1 },
      [enginesQuery]: { stdout: rows.filter(row => !/^(nomad|consul)\t/.test(row)).join(''), exitCode: 1 },
    },
    requests: { ...(situation.client ? noServers : {}), ...situation.requests },
  });
  const resolution = await resolve(
    host,
    facts,
    config,
    platformFor(facts.os),
    situation.recorded && { resolution: situation.recorded, mirror: situation.recordedMirror },
    new Set(situation.brought),
  );
  return { resolution, host };
}

/** Answers of an APT repository with one suite that has these packages. */
function suite(base: string, name: string, component: string, packages: Readonly<Record<string, readonly string[]>>) {
  const stanzas = Object.entries(packages).flatMap(([name, versions]) =>
    versions.map(version => `Package: ${name}\nArchitecture: amd64\nVersion: ${version}\n`),
  );
  return {
    [`GET ${base}/dists/${name}/InRelease`]: { body: 'signed' },
    [`GET ${base}/dists/${name}/${component}/binary-amd64/Packages.gz`]: { body: gzipSync(stanzas.join('\n')) },
  };
}

function noSuite(base: string, name: string, component: string) {
  return {
    [`GET ${base}/dists/${name}/InRelease`]: { status: 404 },
    [`GET ${base}/dists/${name}/${component}/binary-amd64/Packages.gz`]: { status: 404 },
  };
}

const index = {
  nomad: ['1.9.2-1', '1.9.3-1', '2.0.4-1', '2.0.5-1', '2.1.0-1', '2.1.1~rc.1-1'],
  consul: ['1.21.4-1', '1.21.5-1', '2.0.1-1'],
};
const bookworm = suite(hashicorp, 'bookworm', 'main', index);

const recorded: Resolution = {
  hashicorp: { suite: 'bookworm', fallback: false },
  nomad: { version: '2.0.4', packageVersion: '2.0.4-1' },
  consul: { version: '1.21.4', packageVersion: '1.21.4-1' },
  docker: { source: 'none' },
  cni: { version: '1.9.1', url: 'https://example.net/cni.tgz', sha256: '0'.repeat(64) },
};

describe('the version of an agent', () => {
  test('is by default the newest patch release of the tested line', async () => {
    const { resolution } = await resolveIn({ requests: bookworm });
    expect(resolution.nomad).toEqual({ version: '2.0.5', packageVersion: '2.0.5-1' });
    expect(resolution.consul).toEqual({ version: '1.21.5', packageVersion: '1.21.5-1' });
  });

  test('is the newest stable release when the latest is asked for', async () => {
    const { resolution } = await resolveIn({ packages: { nomadVersion: 'latest' }, requests: bookworm });
    expect(resolution.nomad.version).toBe('2.1.0');
  });

  test('is exactly the one asked for', async () => {
    for (const nomadVersion of ['2.0.4', '2.0.4-1']) {
      const { resolution } = await resolveIn({ packages: { nomadVersion }, requests: bookworm });
      expect(resolution.nomad).toEqual({ version: '2.0.4', packageVersion: '2.0.4-1' });
    }
  });

  test('is never a withdrawn release, unless that one is asked for by its number', async () => {
    const requests = suite(hashicorp, 'bookworm', 'main', { ...index, nomad: ['1.9.1-1', '1.9.2-1'] });
    const latest = await resolveIn({ packages: { nomadVersion: 'latest' }, requests });
    expect(latest.resolution.nomad.version).toBe('1.9.1');
    const exact = await resolveIn({ packages: { nomadVersion: '1.9.2' }, requests });
    expect(exact.resolution.nomad.version).toBe('1.9.2');
  });

  test('that does not exist ends with those that do, nearest first', async () => {
    await expect(resolveIn({ packages: { nomadVersion: '2.0.9' }, requests: bookworm })).rejects.toMatchObject({
      code: 'version-not-found',
      message: `${hashicorp} bookworm does not have nomad 2.0.9`,
      hint: 'it has 2.0.5, 2.0.4, 2.1.0, 1.9.3: name one with --nomad-version',
    });
  });

  test('is not guessed when the tested line is not there', async () => {
    const requests = suite(hashicorp, 'bookworm', 'main', { ...index, nomad: ['2.1.0-1'] });
    await expect(resolveIn({ requests })).rejects.toMatchObject({
      code: 'version-not-found',
      hint: expect.stringContaining('2.1.0'),
    });
  });

  test('stays on a rerun with another mirror, which is asked whether it has the packages', async () => {
    const mirror = 'https://m';
    const installed = { nomad: '2.0.4-1', consul: '1.21.4-1' };
    const there = suite(`${mirror}/apt.releases.hashicorp.com`, 'bookworm', 'main', index);
    const moved = { installed, recorded, packages: { mirror } };

    const { resolution, host } = await resolveIn({ ...moved, requests: there });
    expect([resolution.nomad.version, resolution.hashicorp.suite]).toEqual(['2.0.4', 'bookworm']);
    expect(host.gets).not.toEqual([]);
    const gone = Object.fromEntries(Object.keys(there).map(key => [key, 'unreachable' as const]));
    await expect(resolveIn({ ...moved, requests: gone })).rejects.toMatchObject({ code: 'unreachable' });
    const { host: same } = await resolveIn({ ...moved, recordedMirror: mirror });
    expect(same.gets).toEqual([]);
    // And back to the upstreams themselves.
    const { host: back } = await resolveIn({ installed, recorded, recordedMirror: mirror, requests: bookworm });
    expect(back.gets).not.toEqual([]);
  });

  test('is the installed one on a rerun, and no upstream is asked', async () => {
    const installed = { nomad: '2.0.4-1', consul: '1.21.4-1' };
    const { resolution, host } = await resolveIn({ installed, recorded });
    expect(resolution).toMatchObject({ nomad: recorded.nomad, consul: recorded.consul });
    expect(host.gets).toEqual([]);
  });

  test('is the recorded one when its package is gone, and no upstream is asked', async () => {
    const { resolution, host } = await resolveIn({ installed: { consul: '1.21.4-1' }, recorded });
    expect(resolution.nomad).toEqual(recorded.nomad);
    expect(host.gets).toEqual([]);
  });

  test('is the installed one when somebody upgraded it past the recorded one', async () => {
    const { resolution } = await resolveIn({ installed: { nomad: '2.1.0-1', consul: '1.21.4-1' }, recorded });
    expect(resolution.nomad).toEqual({ version: '2.1.0', packageVersion: '2.1.0-1' });
  });

  test('is not taken back to an older release', async () => {
    const installed = { nomad: '2.1.0-1', consul: '1.21.4-1' };
    await expect(resolveIn({ installed, recorded, packages: { nomadVersion: '2.0.5' } })).rejects.toMatchObject({
      code: 'downgrade-refused',
      exitCode: 2,
    });
    const { resolution } = await resolveIn({
      installed: { nomad: '2.2.0-1', consul: '1.21.4-1' },
      packages: { nomadVersion: 'latest' },
      requests: bookworm,
    });
    expect(resolution.nomad.version).toBe('2.2.0');
  });

  test('that is asked for and installed needs no upstream', async () => {
    const installed = { nomad: '2.1.0-1', consul: '1.21.4-1' };
    const { host } = await resolveIn({ installed, recorded, packages: { nomadVersion: '2.1.0' } });
    expect(host.gets).toEqual([]);
  });

  test('is upgraded alone: the other agent stays as it is', async () => {
    const installed = { nomad: '2.0.4-1', consul: '1.21.4-1' };
    const packages = { nomadVersion: 'latest' };
    const { resolution } = await resolveIn({ installed, recorded, packages, requests: bookworm });
    expect(resolution).toMatchObject({ nomad: { version: '2.1.0' }, consul: { version: '1.21.4' } });
  });
});

describe("a client's version", () => {
  /** What the servers at this address say: their versions of Nomad; of Consul all have 1.21.4. */
  function serversAt(address: string, ...nomad: readonly string[]): Readonly<Record<string, FixtureAnswer>> {
    const Members = nomad.map(build => ({ Status: 'alive', Tags: { region: 'global', build } }));
    const consul = nomad.map(() => ({ Status: 1, Tags: { role: 'consul', build: '1.21.4:59b8b905' } }));
    return {
      [`GET http://${address}:4646/v1/agent/members`]: { body: JSON.stringify({ Members }) },
      [`GET http://${address}:8500/v1/agent/members`]: { body: JSON.stringify(consul) },
    };
  }
  const packages = { docker: 'none' } as const;

  test("is its servers' where it is not told another, and not the newest: nothing has to change on them", async () => {
    const requests = { ...bookworm, ...serversAt('10.20.0.12', '2.0.4', '2.0.5') };
    const { resolution } = await resolveIn({ client: true, packages, requests });
    expect(resolution).toMatchObject({ nomad: { version: '2.0.4' }, consul: { version: '1.21.4' } });
  });

  test("is the tested line's newest where the servers are not there yet, or have one that is not offered", async () => {
    const { resolution } = await resolveIn({ client: true, packages, requests: bookworm });
    expect(resolution.nomad.version).toBe('2.0.5');
    const requests = { ...bookworm, ...serversAt('10.20.0.12', '2.0.1') };
    expect((await resolveIn({ client: true, packages, requests })).resolution.nomad.version).toBe('2.0.5');
  });

  test.each(['2.1.0', 'latest'])('that is newer than a server is refused: %s', async nomadVersion => {
    const installed = { nomad: '2.0.4-1', consul: '1.21.4-1' };
    const requests = { ...bookworm, ...serversAt('127.0.0.1', '2.1.0', '2.0.4') };
    await expect(
      resolveIn({ client: true, installed, recorded, packages: { ...packages, nomadVersion }, requests }),
    ).rejects.toMatchObject({
      code: 'newer-than-servers',
      exitCode: 2,
      message: expect.stringContaining('nomad 2.1.0 was asked for, and a server of the cluster still runs 2.0.4'),
    });
  });

  test('is upgraded when all servers are', async () => {
    const installed = { nomad: '2.0.4-1', consul: '1.21.4-1' };
    const requests = { ...bookworm, ...serversAt('127.0.0.1', '2.1.0', '2.1.0') };
    const asked = { ...packages, nomadVersion: '2.1.0' };
    const { resolution } = await resolveIn({ client: true, installed, recorded, packages: asked, requests });
    expect(resolution.nomad.version).toBe('2.1.0');
  });

  test('is nobody asked about on a rerun, whatever its servers run by now', async () => {
    const installed = { nomad: '2.0.4-1', consul: '1.21.4-1' };
    const { host } = await resolveIn({ client: true, installed, recorded, packages });
    expect(host.gets).toEqual([]);
  });

  test.each<[string, FixtureAnswer]>([
    ['no JSON', { body: '<html>' }],
    ['something else', { body: '[null]' }],
    ['that it may not', { status: 403, body: 'Permission denied' }],
  ])('does not hang on a server that says %s', async (_, answer) => {
    const requests = {
      ...bookworm,
      'GET http://10.20.0.12:4646/v1/agent/members': answer,
      'GET http://10.20.0.12:8500/v1/agent/members': answer,
    };
    expect((await resolveIn({ client: true, packages, requests })).resolution.nomad.version).toBe('2.0.5');
  });
});

describe("HashiCorp's repository", () => {
  test('falls back to an older suite where the own one is not there yet', async () => {
    const { resolution } = await resolveIn({
      os: 'debian-13',
      requests: { ...noSuite(hashicorp, 'trixie', 'main'), ...bookworm },
    });
    expect(resolution.hashicorp).toEqual({ suite: 'bookworm', fallback: true });
  });

  test('is passed over where a suite has only one of the agents', async () => {
    const { resolution } = await resolveIn({
      os: 'debian-13',
      requests: { ...suite(hashicorp, 'trixie', 'main', { consul: ['1.21.5-1'] }), ...bookworm },
    });
    expect(resolution.hashicorp.suite).toBe('bookworm');
  });

  test('without any suite for the host is told with what was tried', async () => {
    const requests = { ...noSuite(hashicorp, 'trixie', 'main'), ...noSuite(hashicorp, 'bookworm', 'main') };
    await expect(resolveIn({ os: 'debian-13', requests })).rejects.toMatchObject({
      code: 'upstream-refused',
      message: `${hashicorp} has no packages for trixie or bookworm`,
    });
  });

  test('that this machine already names is not asked when both agents are there, recorded or not', async () => {
    const source =
      '# Written by nomad-bootstrap.\nTypes: deb\nURIs: https://apt.releases.hashicorp.com\nSuites: bookworm\n' +
      'Components: main\nArchitectures: amd64\nSigned-By: /usr/share/keyrings/hashicorp-archive-keyring.asc\n';
    const { resolution, host } = await resolveIn({
      os: 'debian-13',
      installed: { nomad: '2.0.4-1', consul: '1.21.4-1' },
      files: { '/etc/apt/sources.list.d/hashicorp.sources': source },
    });
    expect(resolution.hashicorp).toEqual({ suite: 'bookworm', fallback: true });
    expect(host.gets).toEqual([]);
  });

  test('is asked below the mirror', async () => {
    const base = 'https://mirror.example/apt.releases.hashicorp.com';
    const { host } = await resolveIn({
      packages: { mirror: 'https://mirror.example' },
      requests: suite(base, 'bookworm', 'main', index),
    });
    expect(host.gets.every(get => get.startsWith(`GET ${base}`))).toBe(true);
  });
});

describe('Docker', () => {
  const packages = ['docker-ce', 'docker-ce-cli', 'containerd.io', 'apparmor'].map(name => ({ name }));
  const dockers = suite(dockerDebian, 'bookworm', 'stable', { 'docker-ce': ['5:29.1.0-1~debian.12~bookworm'] });

  test("comes from its own repository where that has the host's suite", async () => {
    const { resolution } = await resolveIn({ client: true, requests: { ...bookworm, ...dockers } });
    expect(resolution.docker).toEqual({ source: 'docker', suite: 'bookworm', packages });
  });

  test("is the distribution's where Docker does not have the suite, or when that is asked for", async () => {
    const distro = { source: 'distro', packages: [{ name: 'docker.io' }, { name: 'apparmor' }] };
    const missing = noSuite(dockerDebian, 'bookworm', 'stable');
    const fallback = await resolveIn({ client: true, requests: { ...bookworm, ...missing } });
    expect(fallback.resolution.docker).toEqual(distro);
    const asked = await resolveIn({ client: true, packages: { docker: 'distro' }, requests: bookworm });
    expect(asked.resolution.docker).toEqual(distro);
  });

  test('that is already there is left as it is', async () => {
    const installed = { 'docker.io': '26.1.5+dfsg1-9' };
    const { resolution } = await resolveIn({ client: true, installed, requests: bookworm });
    expect(resolution.docker).toEqual({ source: 'present' });
  });

  test('is not taken for somebody else’s when an interrupted run brought it, and then nobody is asked for it', async () => {
    const known = { nomad: '2.0.5-1', consul: '1.21.4-1' };
    const source = {
      '/etc/apt/sources.list.d/docker.sources': {
        content: [
          '# Written by nomad-bootstrap.',
          'Types: deb',
          `URIs: ${dockerDebian}`,
          'Suites: bookworm',
          'Components: stable',
          'Architectures: amd64',
          'Signed-By: /etc/apt/keyrings/docker.asc',
          '',
        ].join('\n'),
      },
    };
    const own = await resolveIn({
      image: true,
      installed: { ...known, 'docker-ce': '5:29.1.0-1' },
      brought: ['docker-ce'],
      files: source,
      requests: bookworm,
    });
    expect(own.resolution.docker).toEqual({ source: 'docker', suite: 'bookworm', packages });
    const distro = await resolveIn({
      image: true,
      installed: { ...known, 'docker.io': '20.10.24' },
      brought: ['docker.io'],
      requests: bookworm,
    });
    expect(distro.resolution.docker).toMatchObject({ source: 'distro' });
  });

  test('stays where it was resolved from, also when it has been installed since', async () => {
    const docker = { source: 'docker', suite: 'bookworm', packages } as const;
    const installed = { nomad: '2.0.4-1', consul: '1.21.4-1', 'docker-ce': '5:29.1.0-1' };
    const { resolution, host } = await resolveIn({ client: true, installed, recorded: { ...recorded, docker } });
    expect(resolution.docker).toEqual(docker);
    expect(host.gets).toEqual([]);
  });

  test('is not for a server that runs no jobs, nor where it is refused, but for an image', async () => {
    const server = await resolveIn({ requests: bookworm });
    expect(server.resolution.docker).toEqual({ source: 'none' });
    const refused = await resolveIn({ client: true, packages: { docker: 'none' }, requests: bookworm });
    expect(refused.resolution.docker).toEqual({ source: 'none' });
    const image = await resolveIn({ image: true, requests: { ...bookworm, ...dockers } });
    expect(image.resolution.docker.source).toBe('docker');
  });

  test('comes to a server that is to run jobs from now on', async () => {
    const installed = { nomad: '2.0.4-1', consul: '1.21.4-1' };
    const { resolution } = await resolveIn({ client: true, installed, recorded, requests: dockers });
    expect(resolution.docker.source).toBe('docker');
  });

  test("that cannot be reached is not silently replaced by the distribution's", async () => {
    const unreachable = {
      [`GET ${dockerDebian}/dists/bookworm/InRelease`]: 'unreachable',
      [`GET ${dockerDebian}/dists/bookworm/stable/binary-amd64/Packages.gz`]: 'unreachable',
    } as const;
    await expect(resolveIn({ client: true, requests: { ...bookworm, ...unreachable } })).rejects.toMatchObject({
      code: 'unreachable',
    });
  });
});

describe('the CNI plugins', () => {
  test('are pinned by the digest that the program carries', async () => {
    const { resolution } = await resolveIn({ requests: bookworm });
    expect(resolution.cni).toEqual({
      version: '1.9.1',
      url: 'https://github.com/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-amd64-v1.9.1.tgz',
      sha256: 'b98f74a0f8522f0a83867178729c1aa70f2158f90c45a2ca8fa791db1c76b303',
    });
  });

  test('of another version need a digest', async () => {
    await expect(resolveIn({ packages: { cniVersion: 'v1.8.0' }, requests: bookworm })).rejects.toMatchObject({
      code: 'bad-setting',
      hint: expect.stringContaining('--cni-sha256'),
    });
    const cniSha256 = 'AB'.repeat(32);
    const { resolution } = await resolveIn({ packages: { cniVersion: 'v1.8.0', cniSha256 }, requests: bookworm });
    expect(resolution.cni).toMatchObject({ version: '1.8.0', sha256: 'ab'.repeat(32) });
  });
});

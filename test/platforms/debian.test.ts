import { generateKey } from 'openpgp';
import { describe, expect, test } from 'vitest';
import { parseOsRelease } from '../../src/facts/os-release.ts';
import { debian } from '../../src/platforms/debian.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { clientNode, targetOn } from '../support/target.ts';

const docker = { source: 'docker', suite: 'noble', packages: [{ name: 'docker-ce' }] } as const;

test.each([
  ['debian-12', ['bookworm'], ['bookworm']],
  ['debian-13', ['trixie', 'bookworm'], ['trixie']],
  ['ubuntu-22.04', ['jammy'], ['jammy']],
  ['ubuntu-24.04', ['noble', 'jammy'], ['noble']],
  ['ubuntu-26.04', ['resolute', 'noble', 'jammy'], ['resolute']],
  ['linuxmint-22', ['noble', 'jammy'], ['noble']],
])("%s looks for HashiCorp's suites %j and Docker's %j", async (name, hashicorp, dockers) => {
  const { facts, config } = await targetOn(name);
  expect(debian.hashicorp(facts, config).candidates).toEqual(hashicorp);
  expect(debian.docker(facts, config).candidates).toEqual(dockers);
});

test("an interim Ubuntu falls back to the long-term releases' suites", async () => {
  const { facts, config } = await targetOn('ubuntu-24.04');
  const os = parseOsRelease('ID=ubuntu\nVERSION_ID=25.10\nVERSION_CODENAME=questing\nUBUNTU_CODENAME=questing');
  expect(debian.hashicorp({ ...facts, os }, config).candidates).toEqual(['questing', 'noble', 'jammy']);
});

test("a derivative of Ubuntu gets Ubuntu's Docker", async () => {
  const { facts, config } = await targetOn('linuxmint-22');
  expect(debian.docker(facts, config).baseUrl).toBe('https://download.docker.com/linux/ubuntu');
});

test('Debian 13 gets the Docker client by its own name', async () => {
  const { os } = (await targetOn('debian-13')).facts;
  expect(debian.distributionDockerPackages(os)).toEqual(['docker.io', 'docker-cli', 'apparmor']);
});

test('the repositories are two keys and two source files, Docker without its own ones when it comes from elsewhere', async () => {
  const { facts, config, resolution } = await targetOn('ubuntu-24.04', { node: clientNode });
  const withDocker = debian.repositories(facts, config, { ...resolution, docker });
  expect(withDocker.map(({ id }) => id)).toEqual([
    'file:/usr/share/keyrings/hashicorp-archive-keyring.asc',
    'file:/etc/apt/sources.list.d/hashicorp.list',
    'file:/etc/apt/sources.list.d/archive_uri-https_apt_releases_hashicorp_com-bookworm.list',
    'file:/etc/apt/sources.list.d/hashicorp.sources',
    'directory:/etc/apt/keyrings',
    'file:/etc/apt/keyrings/docker.asc',
    'file:/etc/apt/sources.list.d/docker.list',
    'file:/etc/apt/sources.list.d/archive_uri-https_download_docker_com_linux_ubuntu-noble.list',
    'file:/etc/apt/sources.list.d/docker.sources',
  ]);
  const without = debian.repositories(facts, config, { ...resolution, docker: { source: 'present' } });
  expect(without.some(({ id }) => id.includes('docker'))).toBe(false);
});

test("a key is asked for below the upstream's address, and a fingerprint given by flag is accepted as people write it", async () => {
  const { publicKey } = await generateKey({ userIDs: { name: 'Mirror' }, format: 'object' });
  const fingerprint = publicKey.getFingerprint().toUpperCase();
  const spaced = (fingerprint.match(/.{4}/g) ?? []).join(' ').toLowerCase();
  const { facts, config, resolution } = await targetOn('debian-12', {
    packages: { hashicorpKeyFingerprints: [spaced], mirror: 'https://mirror.example' },
  });
  const host = fixtureHost({
    commands: {
      [`dpkg-query -W -f=\${Package}\\t\${db:Status-Status}\\t\${Version}\\n nomad consul`]: { exitCode: 1 },
    },
    requests: { 'GET https://mirror.example/apt.releases.hashicorp.com/gpg': { body: publicKey.armor() } },
  });
  const keyring = '/usr/share/keyrings/hashicorp-archive-keyring.asc';
  const key = debian.repositories(facts, config, resolution).find(({ id }) => id === `file:${keyring}`);

  await (await key?.plan(host, new Set()))?.apply(host);

  expect(await host.readText(keyring)).toBe(publicKey.armor());
});

test('an upstream without its key is told by the address of the key', async () => {
  const { facts, config, resolution } = await targetOn('debian-12');
  const url = 'https://apt.releases.hashicorp.com/gpg';
  const key = debian.repositories(facts, config, resolution)[0];
  const host = fixtureHost({ requests: { [`GET ${url}`]: { status: 404 } } });
  await expect(key?.plan(host, new Set())).rejects.toMatchObject({
    code: 'upstream-refused',
    message: `${url} answered 404`,
  });
});

describe('the source file of a manual installation', () => {
  const path = '/etc/apt/sources.list.d/hashicorp.list';

  async function planned(line: string): Promise<string | undefined> {
    const { facts, config, resolution } = await targetOn('debian-12');
    const rival = debian.repositories(facts, config, resolution).find(({ id }) => id === `file:${path}`);
    return (await rival?.plan(fixtureHost({ files: { [path]: line } }), new Set()))?.summary;
  }

  test.each([
    'deb https://apt.releases.hashicorp.com bookworm main',
    'deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://apt.releases.hashicorp.com/ bookworm main test',
  ])('is removed when it names the same suite: %s', async line => {
    expect(await planned(`# by hand\n${line}\n`)).toContain(`remove ${path}`);
  });

  test.each([
    '# deb https://apt.releases.hashicorp.com bookworm main',
    'deb https://apt.releases.hashicorp.com trixie main',
    'deb https://mirror.example/hashicorp bookworm main',
  ])('is left alone when it does not: %s', async line => {
    expect(await planned(`${line}\n`)).toBeUndefined();
  });
});

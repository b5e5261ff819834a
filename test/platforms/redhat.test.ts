import { expect, test } from 'vitest';
import { redhat } from '../../src/platforms/redhat.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { clientNode, targetOn } from '../support/target.ts';

test.each([
  ['rocky-9', ['RHEL/9'], ['centos/9', 'rhel/9']],
  ['almalinux-10', ['RHEL/10', 'RHEL/9'], ['centos/10', 'rhel/10']],
  ['rhel-10', ['RHEL/10', 'RHEL/9'], ['rhel/10', 'centos/10']],
  ['centos-stream-9', ['RHEL/9'], ['centos/9', 'rhel/9']],
  ['fedora-44', ['fedora/44', 'fedora/43', 'fedora/42'], ['fedora/44', 'fedora/43']],
])('%s looks for HashiCorp in %j and for Docker in %j', async (name, hashicorp, dockers) => {
  const { facts, config } = await targetOn(name);
  expect(redhat.hashicorp(facts, config).candidates).toEqual(hashicorp);
  expect(redhat.docker(facts, config).candidates).toEqual(dockers);
});

test('the source files name version and architecture literally, and hold the agents', async () => {
  const { facts, config, resolution } = await targetOn('rocky-9', { node: clientNode });
  const [source, docker] = ['/etc/yum.repos.d/hashicorp.repo', '/etc/yum.repos.d/docker-ce.repo'];
  const host = fixtureHost();
  const resources = redhat.repositories(facts, config, {
    ...resolution,
    hashicorp: { suite: 'RHEL/9', fallback: false },
    docker: { source: 'docker', suite: 'centos/9', packages: [{ name: 'docker-ce' }] },
  });
  for (const { id, plan } of resources.filter(({ id }) => id.endsWith('.repo'))) {
    expect(id).toBe(id.includes('docker') ? `file:${docker}` : `file:${source}`);
    await (await plan(host, new Set()))?.apply(host);
  }
  expect(host.contents()).toEqual({
    [source]: `# Written by nomad-bootstrap.
[hashicorp]
name=HashiCorp Stable
baseurl=https://rpm.releases.hashicorp.com/RHEL/9/x86_64/stable
enabled=1
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-hashicorp
# Kept at their version: nomad-bootstrap alone upgrades them.
excludepkgs=nomad,consul
`,
    [docker]: `# Written by nomad-bootstrap.
[docker-ce-stable]
name=Docker CE Stable
baseurl=https://download.docker.com/linux/centos/9/x86_64/stable
enabled=1
gpgcheck=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-docker-ce
`,
  });
  expect(await redhat.packages.held(host, ['nomad', 'consul'])).toEqual(new Set(['nomad', 'consul']));
});

test('an index is read where repomd.xml says, and a path that is not there is undefined', async () => {
  const { facts, config } = await targetOn('rocky-10');
  const base = 'https://rpm.releases.hashicorp.com/RHEL';
  const host = fixtureHost({
    requests: {
      [`GET ${base}/10/x86_64/stable/repodata/repomd.xml`]: { status: 404 },
      [`GET ${base}/9/x86_64/stable/repodata/repomd.xml`]: {
        body: '<repomd><data type="primary"><location href="repodata/p.xml"/></data></repomd>',
      },
      [`GET ${base}/9/x86_64/stable/repodata/p.xml`]: {
        body: '<package type="rpm"><name>nomad</name><arch>x86_64</arch><version epoch="0" ver="2.0.5" rel="1"/></package>',
      },
    },
  });
  const probe = redhat.hashicorp(facts, config);
  expect(await probe.packages(host, 'RHEL/10', ['nomad'])).toBeUndefined();
  expect(await probe.packages(host, 'RHEL/9', ['nomad'])).toEqual([{ name: 'nomad', packageVersion: '2.0.5-1' }]);
});

test('Enterprise Linux 10 gets the modules of its kernel that Docker needs, other systems and Linode kernels do not', async () => {
  const { facts } = await targetOn('rocky-10');
  const kernel = { ...facts.kernel, release: '6.12.0-55.9.1.el10_0.x86_64', hasModules: true, linodeKernel: false };
  expect(redhat.networkingPackages({ ...facts, kernel })).toEqual([
    'iptables-nft',
    'kernel-modules-extra-6.12.0-55.9.1.el10_0',
  ]);
  for (const [release, packages] of [
    ['6.12.0-55.el10.x86_64+rt', ['kernel-rt-modules-extra-6.12.0-55.el10']],
    ['6.12.0-55.9.1.el10_0.x86_64+64k', ['kernel-64k-modules-extra-6.12.0-55.9.1.el10_0']],
    ['6.12.0-101.33.4.3.el10uek.x86_64', []],
    ['6.15.2-1.el10.elrepo.x86_64', []],
  ] as const) {
    const flavoured = { ...facts, kernel: { ...kernel, release } };
    expect(redhat.networkingPackages(flavoured)).toEqual(['iptables-nft', ...packages]);
  }
  const linode = { ...kernel, linodeKernel: true };
  expect(redhat.networkingPackages({ ...facts, kernel: linode })).toEqual(['iptables-nft']);
  const { facts: rocky9 } = await targetOn('rocky-9');
  expect(redhat.networkingPackages({ ...rocky9, kernel })).toEqual(['iptables-nft']);
});

test('Enterprise Linux has no Docker of its own, Fedora has', async () => {
  expect(redhat.distributionDockerPackages((await targetOn('rocky-9')).facts.os)).toEqual([]);
  expect(redhat.distributionDockerPackages((await targetOn('fedora-44')).facts.os)).toEqual(['moby-engine']);
});

import type { Config } from '../config/config.ts';
import type { Resource } from '../core/types.ts';
import type { Facts, OsRelease } from '../facts/facts.ts';
import type { Resolution } from '../resolution/resolution.ts';
import { upstream } from '../resolution/upstream.ts';
import { directory } from '../resources/directory.ts';
import { file } from '../resources/file.ts';
import { signingKey } from '../resources/signing-key.ts';
import { dnf } from './dnf.ts';
import { type DnfRepository, dnfProbe, dnfSource } from './dnf-repository.ts';
import type { Platform } from './platform.ts';
import { dockerKey, hashicorpKey } from './repository-key.ts';

const enterpriseMajors = [9, 10];
const oldestFedora = 43;

const hashicorpSource = '/etc/yum.repos.d/hashicorp.repo';
const agents = ['nomad', 'consul'];
const packages = dnf({ id: 'hashicorp', sourceFile: hashicorpSource });

/** Enterprise Linux (RHEL, Rocky, Alma, CentOS Stream, Oracle) and Fedora. */
export const redhat: Platform = {
  id: 'redhat',
  supports: os => [os.id, ...os.idLike].some(id => ['fedora', 'rhel', 'centos'].includes(id)),
  unsupportedReason(os) {
    if (os.id === 'fedora') return major(os) >= oldestFedora ? undefined : `${os.prettyName} is not supported`;
    return isEnterprise(os) && enterpriseMajors.includes(major(os)) ? undefined : `${os.prettyName} is not supported`;
  },
  packages,
  hashicorp: (facts, config) => dnfProbe(hashicorpRepository(facts, config), hashicorpPaths(facts.os)),
  docker: (facts, config) => dnfProbe(dockerRepository(facts, config), dockerPaths(facts.os)),
  dockerPackages: ['docker-ce', 'docker-ce-cli', 'containerd.io'],
  distributionDockerPackages: os => (os.id === 'fedora' ? ['moby-engine'] : []),
  iptablesPackage: 'iptables-nft',
  networkingPackages: facts => ['iptables-nft', ...kernelModules(facts)],
  repositories: (facts, config, resolution) => [
    directory('/etc/pki/rpm-gpg', { mode: 0o755, owner: 'root:root' }),
    ...hashicorpResources(facts, config, resolution),
    ...dockerResources(facts, config, resolution),
  ],
};

function hashicorpResources(facts: Facts, config: Config, resolution: Resolution): readonly Resource[] {
  const repository = hashicorpRepository(facts, config);
  return [
    signingKey(
      hashicorpKey({
        manager: packages,
        config: config.packages,
        resolution,
        path: repository.key,
        location: 'rpm.releases.hashicorp.com/gpg',
      }),
    ),
    sourceResource(repository, resolution.hashicorp.suite),
  ];
}

function dockerResources(facts: Facts, config: Config, resolution: Resolution): readonly Resource[] {
  if (resolution.docker.source !== 'docker') return [];
  const repository = dockerRepository(facts, config);
  const { suite } = resolution.docker;
  return [
    signingKey(
      dockerKey(
        {
          manager: packages,
          config: config.packages,
          resolution,
          path: repository.key,
          location: `download.docker.com/linux/${suite.split('/')[0]}/gpg`,
        },
        resolution.docker.packages,
      ),
    ),
    sourceResource(repository, suite),
  ];
}

function sourceResource(repository: DnfRepository, path: string): Resource {
  return file(repository.sourceFile, dnfSource(repository, path), { mode: 0o644, owner: 'root:root' });
}

function hashicorpRepository(facts: Facts, config: Config): DnfRepository {
  return {
    id: 'hashicorp',
    name: 'HashiCorp Stable',
    baseUrl: upstream(config.packages, 'rpm.releases.hashicorp.com'),
    arch: archOf(facts),
    sourceFile: hashicorpSource,
    key: '/etc/pki/rpm-gpg/RPM-GPG-KEY-hashicorp',
    excluded: agents,
  };
}

function dockerRepository(facts: Facts, config: Config): DnfRepository {
  return {
    id: 'docker-ce-stable',
    name: 'Docker CE Stable',
    baseUrl: upstream(config.packages, 'download.docker.com/linux'),
    arch: archOf(facts),
    sourceFile: '/etc/yum.repos.d/docker-ce.repo',
    key: '/etc/pki/rpm-gpg/RPM-GPG-KEY-docker-ce',
    excluded: [],
  };
}

/**
 * The agents are static Go programs, so an older release's packages run as well where HashiCorp has none for a new one
 * yet: Enterprise Linux 10 took months, new Fedoras take weeks.
 */
function hashicorpPaths(os: OsRelease): readonly string[] {
  const version = major(os);
  if (os.id === 'fedora') return [version, version - 1, version - 2].map(older => `fedora/${older}`);
  return enterpriseMajors
    .filter(older => older <= version)
    .reverse()
    .map(older => `RHEL/${older}`);
}

/** Docker has RHEL's own packages under `rhel`; its rebuilds use those of CentOS. */
function dockerPaths(os: OsRelease): readonly string[] {
  const version = major(os);
  if (os.id === 'fedora') return [`fedora/${version}`, `fedora/${version - 1}`];
  return os.id === 'rhel' ? [`rhel/${version}`, `centos/${version}`] : [`centos/${version}`, `rhel/${version}`];
}

/**
 * Docker needs the module xt_addrtype, which Enterprise Linux 10 ships apart from the kernel, by the kernel's release and
 * flavour (`6.12.0-55.el10.x86_64+rt`). A kernel without a module tree has it built in or not at all, and one of somebody else's
 * (`el10uek`, `el10.elrepo`) has packages of its own.
 */
function kernelModules({ os, kernel, machine }: Facts): readonly string[] {
  if (os.id === 'fedora' || major(os) < 10 || !kernel.hasModules || kernel.linodeKernel) return [];
  const [, version, flavour] =
    new RegExp(`^(.+\\.el\\d+(?:_\\d+)*)\\.${machine}(?:\\+(.+))?$`).exec(kernel.release) ?? [];
  if (version === undefined) return [];
  return [`kernel-${flavour === undefined ? '' : `${flavour}-`}modules-extra-${version}`];
}

function isEnterprise(os: OsRelease): boolean {
  return ['rhel', 'rocky', 'almalinux', 'centos', 'ol'].includes(os.id) || os.idLike.includes('rhel');
}

/** `9` of `9.4`; not a number where there is no version. */
function major(os: OsRelease): number {
  return Number.parseInt(os.versionId, 10);
}

function archOf(facts: Facts): string {
  return facts.architecture === 'arm64' ? 'aarch64' : 'x86_64';
}

import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { madeOnce, recipeDigest } from '../cache.ts';
import { runCommand } from '../commands.ts';
import { signingKeys } from '../keys.ts';
import { indexAptRepository } from './apt-repository.ts';
import { buildDebs, type PackageSpec } from './build-deb.ts';
import { buildRpm, indexRpmRepository, signRpms } from './build-rpm.ts';
import { downloadPackages } from './distribution.ts';

/** Debian releases that download.docker.com has in the lab, with the tail of their packages' versions. */
const debianReleases = [
  { suite: 'bookworm', revision: '1~debian.12~bookworm' },
  { suite: 'trixie', revision: '1~debian.13~trixie' },
] as const;

/** Folders with rpms. They hold the same packages here. */
const rpmFolders = ['centos/9', 'centos/10', 'rhel/9', 'rhel/10', 'fedora/43'] as const;

/** The pieces of Docker's repository, cut from Debian's packages as Docker cuts its own. */
const pieces = {
  'docker-ce': ['usr/bin/dockerd', 'usr/bin/docker-proxy', 'usr/bin/docker-init'],
  'docker-ce-cli': ['usr/bin/docker'],
  'containerd.io': ['usr/bin/containerd', 'usr/bin/containerd-shim-runc-v2', 'usr/bin/ctr', 'usr/bin/runc'],
} as const;

/** Whence each program is taken: runc is the older release's, since it has to run on both. */
const sources: Readonly<Record<string, readonly string[]>> = {
  trixie: ['docker.io', 'docker-cli', 'containerd', 'tini'],
  bookworm: ['runc'],
};

/** The root of download.docker.com: docker-ce, docker-ce-cli and containerd.io of Debian's builds, as deb and as rpm. */
export async function dockerSite(): Promise<string> {
  const keys = await signingKeys();
  const recipe = [readFileSync(import.meta.filename, 'utf8'), keys.fingerprints.docker];
  return madeOnce('repositories', `docker-${recipeDigest('1', ...recipe)}`, async staging => {
    const programs = path.join(staging, 'programs');
    const versions = await collectPrograms(programs);
    const contents = layOut(programs, staging);
    const debian = path.join(staging, 'linux/debian');
    const debs = path.join(staging, 'debs');
    mkdirSync(debs);
    for (const name of Object.keys(pieces)) {
      const specs = debianReleases.flatMap(({ revision }) => debSpecs(versions, revision));
      await buildDebs(
        specs.filter(spec => spec.name === name),
        contents(name),
        debs,
      );
    }
    for (const { suite, revision } of debianReleases) {
      const pool = path.join(debian, 'dists', suite, 'pool/stable/amd64');
      mkdirSync(pool, { recursive: true });
      for (const file of readdirSync(debs).filter(name => name.includes(revision))) {
        renameSync(path.join(debs, file), path.join(pool, file));
      }
      const repository = { origin: 'Docker', suites: [suite], component: 'stable', pool: path.relative(debian, pool) };
      await indexAptRepository(debian, repository, keys, 'docker');
    }
    cpSync(keys.publicKey('docker'), path.join(debian, 'gpg'));
    const rpms = path.join(staging, 'rpms');
    mkdirSync(rpms);
    const built: string[] = [];
    for (const spec of rpmSpecs(versions)) built.push(await buildRpm(spec, contents(spec.name), rpms));
    await signRpms(built, keys, 'docker');
    await indexRpmRepository(rpms);
    for (const folder of rpmFolders) {
      const stable = path.join(staging, 'linux', folder, 'x86_64/stable');
      mkdirSync(path.dirname(stable), { recursive: true });
      symlinkSync(path.relative(path.dirname(stable), rpms), stable);
      cpSync(keys.publicKey('docker'), path.join(staging, 'linux', folder, '../gpg'));
    }
    await runCommand([
      'rm',
      '-rf',
      programs,
      ...Object.keys(pieces).map(name => path.join(staging, `content-${name}`)),
    ]);
  });
}

interface Versions {
  readonly engine: string;
  readonly containerd: string;
}

async function collectPrograms(into: string): Promise<Versions> {
  const found: string[] = [];
  for (const [suite, names] of Object.entries(sources)) {
    const folder = path.join(into, suite);
    mkdirSync(folder, { recursive: true });
    for (const file of await downloadPackages(suite, names, folder)) {
      found.push(file);
      await runCommand(['dpkg-deb', '-x', path.join(folder, file), into]);
    }
  }
  // docker.io_26.1.5+dfsg1-9_amd64.deb -> 26.1.5
  const upstreamVersion = (name: string) => {
    const version = found
      .map(file => new RegExp(`^${name}_(?:\\d+%3a)?(\\d+\\.\\d+\\.\\d+)`).exec(file)?.[1])
      .find(Boolean);
    if (version === undefined) throw new Error(`no version of ${name} among ${found.join(', ')}`);
    return version;
  };
  return { engine: upstreamVersion('docker\\.io'), containerd: upstreamVersion('containerd') };
}

/** Gives the content directory of each piece. Debian keeps some programs in sbin, and its init is tini. */
function layOut(programs: string, staging: string): (name: string) => string {
  const from: Readonly<Record<string, string>> = {
    'usr/bin/dockerd': 'usr/sbin/dockerd',
    'usr/bin/docker-proxy': 'usr/sbin/docker-proxy',
    'usr/bin/docker-init': 'usr/bin/tini-static',
    'usr/bin/runc': 'usr/sbin/runc',
  };
  const content = (name: string) => path.join(staging, `content-${name}`);
  for (const [name, files] of Object.entries(pieces)) {
    for (const file of files) {
      const target = path.join(content(name), file);
      mkdirSync(path.dirname(target), { recursive: true });
      copyFileSync(path.join(programs, from[file] ?? file), target);
      chmodSync(target, 0o755);
    }
  }
  const units = (name: string) => path.join(content(name), 'usr/lib/systemd/system');
  for (const name of ['docker-ce', 'containerd.io']) mkdirSync(units(name), { recursive: true });
  writeFileSync(path.join(units('docker-ce'), 'docker.service'), dockerUnit);
  writeFileSync(path.join(units('docker-ce'), 'docker.socket'), dockerSocket);
  writeFileSync(path.join(units('containerd.io'), 'containerd.service'), containerdUnit);
  mkdirSync(path.join(content('containerd.io'), 'etc/containerd'), { recursive: true });
  writeFileSync(path.join(content('containerd.io'), 'etc/containerd/config.toml'), 'disabled_plugins = ["cri"]\n');
  return content;
}

function commonSpecs(
  versions: Versions,
): Readonly<Record<keyof typeof pieces, Pick<PackageSpec, 'name' | 'version' | 'summary'>>> {
  const origin = "(the lab's cut of Debian's build)";
  return {
    'containerd.io': {
      name: 'containerd.io',
      version: versions.containerd,
      summary: `An industry-standard container runtime ${origin}`,
    },
    'docker-ce-cli': { name: 'docker-ce-cli', version: versions.engine, summary: `Docker CLI ${origin}` },
    'docker-ce': { name: 'docker-ce', version: versions.engine, summary: `Docker engine ${origin}` },
  };
}

function debSpecs(versions: Versions, revision: string): readonly PackageSpec[] {
  const common = commonSpecs(versions);
  return [
    {
      ...common['containerd.io'],
      revision,
      depends: ['libc6 (>= 2.34)', 'libseccomp2 (>= 2.5.0)'],
      provides: ['containerd', 'runc'],
      conflicts: ['containerd', 'runc'],
      configurationFiles: ['/etc/containerd/config.toml'],
      scripts: unitScripts(['containerd.service']),
    },
    {
      ...common['docker-ce-cli'],
      epoch: 5,
      revision,
      depends: ['libc6 (>= 2.34)'],
      conflicts: ['docker', 'docker.io'],
    },
    {
      ...common['docker-ce'],
      epoch: 5,
      revision,
      depends: ['containerd.io', 'docker-ce-cli', 'iptables', 'libc6 (>= 2.34)', 'libsystemd0'],
      recommends: ['apparmor', 'ca-certificates', 'git', 'pigz', 'procps', 'xz-utils'],
      conflicts: ['docker', 'docker.io'],
      scripts: unitScripts(['docker.socket', 'docker.service'], addDockerGroup),
    },
  ];
}

function rpmSpecs(versions: Versions): readonly PackageSpec[] {
  const common = commonSpecs(versions);
  const revision = '1.el9';
  return [
    {
      ...common['containerd.io'],
      revision,
      depends: ['container-selinux', 'libseccomp'],
      provides: ['containerd', 'runc'],
      conflicts: ['containerd', 'runc'],
      configurationFiles: ['/etc/containerd/config.toml'],
      scripts: presetScripts(['containerd.service']),
    },
    { ...common['docker-ce-cli'], epoch: 1, revision, conflicts: ['docker', 'podman-docker'] },
    {
      ...common['docker-ce'],
      epoch: 3,
      revision,
      depends: ['container-selinux', 'containerd.io', 'docker-ce-cli', 'iptables', 'systemd'],
      conflicts: ['docker'],
      scripts: { ...presetScripts(['docker.socket', 'docker.service']), preinst: `#!/bin/bash\n${addDockerGroup}` },
    },
  ];
}

const addDockerGroup = 'getent group docker >/dev/null || groupadd --system docker\n';

/** As debhelper writes them: enabled and started at once, unless policy-rc.d forbids it. */
function unitScripts(units: readonly string[], first = ''): NonNullable<PackageSpec['scripts']> {
  const enable = units.map(unit => `deb-systemd-helper enable '${unit}' >/dev/null || true`).join('\n  ');
  return {
    postinst: `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  ${first}  ${enable}
  if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
    deb-systemd-invoke start ${units.join(' ')} >/dev/null || true
  fi
fi
`,
    prerm: `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  deb-systemd-invoke stop ${units.join(' ')} >/dev/null || true
fi
`,
    postrm: `#!/bin/sh
set -e
if [ "$1" = purge ]; then
  deb-systemd-helper purge ${units.join(' ')} >/dev/null || true
fi
[ -d /run/systemd/system ] && systemctl --system daemon-reload >/dev/null || true
`,
  };
}

/** As rpm's systemd macros do it: what the distribution's preset says, and on Enterprise Linux that is: disabled. */
function presetScripts(units: readonly string[]): NonNullable<PackageSpec['scripts']> {
  return {
    postinst: `#!/bin/bash\n[ "$1" -eq 1 ] && systemctl --no-reload preset ${units.join(' ')} >/dev/null 2>&1\nsystemctl daemon-reload || :\n`,
    prerm: `#!/bin/bash\n[ "$1" -eq 0 ] && systemctl --no-reload disable --now ${units.join(' ')} >/dev/null 2>&1 || :\n`,
    postrm: '#!/bin/bash\nsystemctl daemon-reload || :\n',
  };
}

const dockerUnit = `[Unit]
Description=Docker Application Container Engine
Documentation=https://docs.docker.com
After=network-online.target nss-lookup.target docker.socket firewalld.service containerd.service time-set.target
Wants=network-online.target containerd.service
Requires=docker.socket
StartLimitBurst=3
StartLimitIntervalSec=60

[Service]
Type=notify
ExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
ExecReload=/bin/kill -s HUP $MAINPID
TimeoutStartSec=0
RestartSec=2
Restart=always
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
Delegate=yes
KillMode=process
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
`;

const dockerSocket = `[Unit]
Description=Docker Socket for the API

[Socket]
ListenStream=/run/docker.sock
SocketMode=0660
SocketUser=root
SocketGroup=docker

[Install]
WantedBy=sockets.target
`;

const containerdUnit = `[Unit]
Description=containerd container runtime
Documentation=https://containerd.io
After=network.target dbus.service

[Service]
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
`;

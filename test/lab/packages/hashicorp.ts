import { chmodSync, copyFileSync, cpSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { madeOnce, recipeDigest } from '../cache.ts';
import { runCommand } from '../commands.ts';
import { type SigningKeys, signingKeys } from '../keys.ts';
import { type Agent, agents } from './agents.ts';
import { indexAptRepository, resignAptRepository } from './apt-repository.ts';
import { buildDebs, type PackageSpec } from './build-deb.ts';
import { buildRpm, indexRpmRepository, signRpms } from './build-rpm.ts';

/** Suites that apt.releases.hashicorp.com has in the lab. Others are missing there, as new ones are in reality. */
export const hashicorpSuites: readonly string[] = ['bookworm', 'trixie', 'jammy', 'noble'];

/** Folders that rpm.releases.hashicorp.com has. RHEL/10 is missing, as it was for a long time in reality. */
export const hashicorpRpmFolders: readonly string[] = ['RHEL/9/x86_64/stable', 'fedora/43/x86_64/stable'];

/** The versions that the repositories offer of an agent: the real one, and repacks of it under other numbers. */
export interface OfferedVersions {
  readonly real: string;
  /** The patch release before: an upgrade within a minor line starts here. Its binary says `real`. */
  readonly olderPatch: string;
  /** The next minor line: must not be chosen by itself. Its binary says `real`. */
  readonly nextMinor: string;
}

/** The versions on offer for an agent of version `real`. */
export function offeredVersions(real: string): OfferedVersions {
  const [major = 0, minor = 0, patch = 0] = real.split('.').map(Number);
  const olderPatch = patch > 0 ? `${major}.${minor}.${patch - 1}` : `${major}.${minor - 1}.0`;
  return { real, olderPatch, nextMinor: `${major}.${minor + 1}.0` };
}

/**
 * The roots of apt.releases.hashicorp.com and rpm.releases.hashicorp.com, with `nomad` and `consul` laid out and scripted
 * like the real packages. Variants beside them serve as faults: `rotated-key` (signed with a new key, which is served)
 * and `wrong-key` (a key is served that signed nothing).
 */
export async function hashicorpSites(): Promise<string> {
  const { nomad, consul } = await agents();
  const keys = await signingKeys();
  const recipe = [readFileSync(import.meta.filename, 'utf8'), nomad.digest, consul.digest, keys.fingerprints.hashicorp];
  return madeOnce('repositories', `hashicorp-${recipeDigest('2', ...recipe)}`, async staging => {
    const apt = path.join(staging, 'apt.releases.hashicorp.com');
    const rpm = path.join(staging, 'rpm.releases.hashicorp.com');
    const pool = path.join(apt, 'pool/amd64/main');
    const rpms = path.join(staging, 'rpms');
    mkdirSync(pool, { recursive: true });
    mkdirSync(rpms, { recursive: true });
    const built: string[] = [];
    for (const [agent, layout] of [
      [nomad, layOutNomad],
      [consul, layOutConsul],
    ] as const) {
      const content = path.join(staging, `content-${agent.name}`);
      const specs = layout(agent, content);
      await buildDebs(specs, content, pool);
      for (const spec of specs) built.push(await buildRpm(rpmDialect(spec), content, rpms));
      await runCommand(['rm', '-rf', content]);
    }
    await signRpms(built, keys, 'hashicorp');
    for (const folder of hashicorpRpmFolders) {
      mkdirSync(path.join(rpm, folder), { recursive: true });
      for (const file of built) linkSync(file, path.join(rpm, folder, path.basename(file)));
      await indexRpmRepository(path.join(rpm, folder));
    }
    await runCommand(['rm', '-rf', rpms]);
    const repository = { origin: 'HashiCorp', suites: hashicorpSuites, component: 'main', pool: 'pool/amd64/main' };
    await indexAptRepository(apt, repository, keys, 'hashicorp');
    await serveKeys(staging, keys);
  });
}

async function serveKeys(root: string, keys: SigningKeys): Promise<void> {
  for (const host of ['apt.releases.hashicorp.com', 'rpm.releases.hashicorp.com']) {
    cpSync(keys.publicKey('hashicorp'), path.join(root, host, 'gpg'));
    const wrong = path.join(root, 'wrong-key', host);
    mkdirSync(wrong, { recursive: true });
    cpSync(keys.publicKey('hashicorp-rotated'), path.join(wrong, 'gpg'));
  }
  const apt = path.join(root, 'apt.releases.hashicorp.com');
  const rotated = path.join(root, 'rotated-key/apt.releases.hashicorp.com');
  mkdirSync(rotated, { recursive: true });
  await resignAptRepository(apt, hashicorpSuites, rotated, keys, 'hashicorp-rotated');
}

function specsFor(
  agent: Agent,
  common: Omit<PackageSpec, 'name' | 'version' | 'revision' | 'summary'>,
): readonly PackageSpec[] {
  const { real, olderPatch, nextMinor } = offeredVersions(agent.version);
  const kind = agent.standIn ? ' (a stand-in of the lab: it runs no jobs)' : '';
  return [real, olderPatch, nextMinor].map(version => ({
    name: agent.name,
    version,
    revision: '1',
    summary: `${agent.name}${kind}${version === real ? '' : ` - lab repack of ${real} under another number`}`,
    ...common,
  }));
}

function rpmDialect(spec: PackageSpec): PackageSpec {
  return { ...spec, depends: (spec.depends ?? []).map(name => (name === 'python3' ? '/usr/bin/python3' : name)) };
}

function put(content: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(content, name)), { recursive: true });
    writeFileSync(path.join(content, name), text);
  }
}

function putProgram(content: string, agent: Agent): void {
  const program = path.join(content, 'usr/bin', agent.name);
  mkdirSync(path.dirname(program), { recursive: true });
  copyFileSync(agent.file, program);
  chmodSync(program, 0o755);
}

const addUser = (user: string) => `#!/bin/bash
set -eu
id -u ${user} >/dev/null 2>&1 || useradd --system --user-group --shell /bin/false ${user}
`;

const reloadUnits = '[ -d /run/systemd/system ] && systemctl --system daemon-reload >/dev/null || true';

/** Nomad's package: a stock configuration that is a cluster of one, and a notify unit that nobody enables. */
function layOutNomad(agent: Agent, content: string): readonly PackageSpec[] {
  putProgram(content, agent);
  put(content, {
    'etc/nomad.d/nomad.env': '',
    'etc/nomad.d/nomad.hcl': `# The package's own configuration: a server and a client in one.
data_dir  = "/opt/nomad/data"
bind_addr = "0.0.0.0"

server {
  enabled          = true
  bootstrap_expect = 1
}

client {
  enabled = true
  servers = ["127.0.0.1"]
}
`,
    'usr/lib/systemd/system/nomad.service': `[Unit]
Description=Nomad
Documentation=https://developer.hashicorp.com/nomad/docs
Wants=network-online.target
After=network-online.target
#Wants=consul.service
#After=consul.service

[Service]
User=root
Group=root
Type=notify
EnvironmentFile=-/etc/nomad.d/nomad.env
ExecReload=/bin/kill -HUP $MAINPID
ExecStart=/usr/bin/nomad agent -config /etc/nomad.d
KillMode=process
KillSignal=SIGINT
LimitNOFILE=65536
LimitNPROC=infinity
Restart=on-failure
RestartSec=2
TasksMax=infinity
OOMScoreAdjust=-1000

[Install]
WantedBy=multi-user.target
`,
    'usr/share/doc/nomad/LICENSE.txt': 'See the release of the agent that is packaged here.\n',
  });
  return specsFor(agent, {
    depends: ['openssl', ...(agent.standIn ? ['python3'] : [])],
    recommends: ['dmidecode'],
    configurationFiles: ['/etc/nomad.d/nomad.env', '/etc/nomad.d/nomad.hcl'],
    scripts: {
      preinst: addUser('nomad'),
      postinst: `#!/bin/bash
mkdir -p /opt/nomad/data
chown nomad:nomad /opt/nomad/data
chown -R nomad:nomad /etc/nomad.d
${reloadUnits}
`,
      postrm: `#!/bin/bash
# rpm passes numbers, so that neither branch runs there: as in the real package.
if [ "$1" = purge ]; then
  userdel nomad
fi
if [ "$1" = upgrade ] && [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
  systemctl restart nomad >/dev/null || true
fi
exit 0
`,
    },
  });
}

/** Consul's package: a configuration with a data folder only, and a notify unit that waits for a join. */
function layOutConsul(agent: Agent, content: string): readonly PackageSpec[] {
  putProgram(content, agent);
  put(content, {
    'etc/consul.d/consul.env': '',
    'etc/consul.d/consul.hcl': `# The package's own configuration. All but the data folder is left to the administrator.
#datacenter = "my-dc-1"
data_dir = "/opt/consul"
#client_addr = "0.0.0.0"
#server = true
#bootstrap_expect=3
#encrypt = "..."
#retry_join = ["consul.domain.internal"]
`,
    'usr/lib/systemd/system/consul.service': `[Unit]
Description="HashiCorp Consul - A service mesh solution"
Documentation=https://developer.hashicorp.com/
Requires=network-online.target
After=network-online.target
ConditionFileNotEmpty=/etc/consul.d/consul.hcl

[Service]
Type=notify
EnvironmentFile=-/etc/consul.d/consul.env
User=consul
Group=consul
ExecStart=/usr/bin/consul agent -config-dir=/etc/consul.d/
ExecReload=/bin/kill --signal HUP $MAINPID
KillMode=process
KillSignal=SIGTERM
Restart=on-failure
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
`,
    'usr/share/doc/consul/LICENSE.txt': 'See the release of the agent that is packaged here.\n',
  });
  return specsFor(agent, {
    configurationFiles: ['/etc/consul.d/consul.env', '/etc/consul.d/consul.hcl'],
    scripts: {
      preinst: addUser('consul'),
      postinst: `#!/bin/bash
mkdir -p /opt/consul
chown -R consul:consul /opt/consul
chown -R consul:consul /etc/consul.d
${reloadUnits}
`,
      prerm: `#!/bin/bash
case "$1" in
  remove | 0)
    if [ -d /run/systemd/system ]; then
      systemctl --no-reload disable consul.service >/dev/null || :
      systemctl stop consul.service >/dev/null || :
    fi
    ;;
esac
exit 0
`,
      postrm: `#!/bin/bash
if [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || :
fi
case "$1" in
  purge | 0) userdel consul ;;
  upgrade | [1-9]*)
    if [ -d /run/systemd/system ]; then
      systemctl try-restart consul.service >/dev/null || :
    fi
    ;;
esac
exit 0
`,
    },
  });
}

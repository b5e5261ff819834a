import { bootstrap, type Run } from '../../cluster/bootstrap.ts';
import type { Fault } from '../lab.ts';
import {
  type BootstrapFault,
  refused,
  refusedUntouched,
  script,
  shell,
  survived,
  type World,
} from './bootstrap-fault.ts';

const apt = 'apt.releases.hashicorp.com';
const rpm = 'rpm.releases.hashicorp.com';
const cni = 'release-assets.githubusercontent.com';
const docker = 'download.docker.com';
const index = { host: apt, path: '/dists' } as const;
const pool = { host: apt, path: '/pool' } as const;
const packagesGz = { host: apt, path: '/dists/bookworm/main/binary-amd64/Packages' } as const;
const nomadRpm = '/RHEL/9/x86_64/stable/nomad-';
const redhat = { system: 'rocky9' } as const;

/** Breaks the mirror; repaired by the harness. */
function mirror(...faults: readonly Fault[]): BootstrapFault['inject'] {
  return async ({ lab }) => {
    for (const fault of faults) await lab.mirror.break(fault);
    return undefined;
  };
}

/** What strikes while upstreams are looked at needs no installation: the plan is made of the same answers. */
const planning = ['image', '--docker', 'none', '--dry-run'];
const withoutNames = "sed -i.lab '/203\\.0\\.113\\.1/d' /etc/hosts";
const withNames = 'cp /etc/hosts.lab /etc/hosts && rm /etc/hosts.lab';
const proxy = 'http://203.0.113.1:3128';
const mirrorArgv = ['image', '--docker', 'none', '--mirror', 'https://mirror.lab'];

/** A Linode whose metadata service answers after so many milliseconds. */
function metadataLate(afterMs: number): BootstrapFault['inject'] {
  return async ({ lab, node }) => {
    const address = node.publicAddress ?? '';
    await lab.mirror.setMetadata(address, { kind: 'silent' });
    const instance = {
      ...{ id: node.linode?.id ?? 0, label: 'late', region: 'us-east', type: 'g6-standard-2', tags: [] },
      interfaces: [
        { label: '', purpose: 'public', ipam_address: '' },
        { label: 'cluster', purpose: 'vlan', ipam_address: `${node.vlanAddress}/24` },
      ] as const,
      ipv4: { public: [`${address}/32`], private: [], shared: [] },
    };
    setTimeout(() => void lab.mirror.setMetadata(address, { kind: 'linode', instance }), afterMs);
    return undefined;
  };
}

/** What becomes of an image, on the network that only the metadata service names. */
function serverOnVlan({ lab, node }: World): Promise<Run> {
  return bootstrap(node, ['server', '--insecure', '--network', 'vlan', '--docker', 'none', ...lab.mirror.offer.flags]);
}

/** What upstreams, and what lies between, do to a bootstrap. */
export const upstreamFaults: readonly BootstrapFault[] = [
  {
    id: 'index-missing',
    title: "HashiCorp's repository has no index for any release of the system (404)",
    on: 'shared',
    inject: mirror({ kind: 'status', status: 404, ...index }),
    expect: refusedUntouched('upstream-refused', /has no packages for bookworm/),
  },
  {
    id: 'index-busy',
    title: 'an index answers 503 twice, without Retry-After',
    on: 'shared',
    argv: planning,
    inject: mirror({ kind: 'status', status: 503, ...packagesGz, times: 2 }),
    expect: survived(/answered 503/),
  },
  {
    id: 'index-come-back-later',
    title: 'an index answers 503 and asks to come back in 3 s',
    on: 'shared',
    argv: planning,
    inject: mirror({ kind: 'status', status: 503, retryAfterSeconds: 3, ...packagesGz, times: 1 }),
    expect: survived(/answered 503/),
  },
  {
    id: 'index-rate-limited',
    title: 'an index answers 429 (too many requests)',
    on: 'shared',
    argv: planning,
    inject: mirror({ kind: 'status', status: 429, retryAfterSeconds: 1, ...packagesGz, times: 1 }),
    expect: survived(/answered 429/),
  },
  {
    id: 'index-down',
    title: 'an index answers 503 for good',
    on: 'shared',
    inject: mirror({ kind: 'status', status: 503, ...index }),
    expect: refusedUntouched('upstream-refused', /answered 503[\s\S]*--mirror/),
  },
  {
    id: 'index-forbidden',
    title: 'an index answers 401: a mirror that wants a password',
    on: 'shared',
    inject: mirror({ kind: 'status', status: 401, ...index }),
    expect: refusedUntouched('upstream-refused', /answered 401/),
  },
  {
    id: 'index-silent',
    title: 'an index is not answered at first: the connection stands still before the headers',
    on: 'shared',
    argv: planning,
    inject: mirror({ kind: 'stall', ...packagesGz, times: 1 }),
    expect: survived(/no answer within/),
  },
  {
    id: 'index-stalls',
    title: 'an index stands still in the middle of its body',
    on: 'shared',
    argv: planning,
    inject: mirror({ kind: 'stall', afterBytes: 100, ...packagesGz, times: 1 }),
    expect: survived(/no more of it within 30 s/),
  },
  {
    id: 'index-drips',
    title: 'an index comes at 100 bytes a second',
    on: 'shared',
    argv: planning,
    inject: mirror({ kind: 'rate', bytesPerSecond: 100, ...packagesGz }),
    expect: survived(),
  },
  {
    id: 'index-cut',
    title: 'an index is cut off at first',
    on: 'shared',
    argv: planning,
    inject: mirror({ kind: 'truncate', afterBytes: 100, ...packagesGz, times: 1 }),
    expect: survived(/could not be reached/),
  },
  {
    id: 'index-damaged',
    title: 'an index comes damaged at first',
    on: 'shared',
    argv: planning,
    inject: mirror({ kind: 'corrupt', ...packagesGz, times: 1 }),
    expect: survived(/cut off or damaged/),
  },
  {
    id: 'index-damaged-for-good',
    title: 'an index always comes damaged',
    on: 'shared',
    inject: mirror({ kind: 'corrupt', ...packagesGz }),
    expect: refusedUntouched('checksum-mismatch', /cut off or damaged/),
  },
  {
    id: 'captive-portal',
    title: 'a portal answers everything with a page of its own (200)',
    on: 'shared',
    inject: mirror({ kind: 'status', status: 200, ...index }),
    expect: refusedUntouched('checksum-mismatch', /cut off or damaged[\s\S]*proxy/),
  },
  {
    id: 'redirect-loop',
    title: 'an upstream redirects in a circle',
    on: 'shared',
    inject: mirror({ kind: 'redirect-loop', ...index }),
    expect: refusedUntouched('upstream-refused', /redirects more than 5 times/),
  },
  {
    id: 'connection-reset',
    title: 'connections are reset twice',
    on: 'shared',
    argv: planning,
    inject: mirror({ kind: 'reset', ...packagesGz, times: 2 }),
    expect: survived(/could not be reached/),
  },
  {
    id: 'connections-reset',
    title: 'all connections are reset',
    on: 'shared',
    inject: mirror({ kind: 'reset' }),
    expect: refusedUntouched('unreachable', /ECONNRESET[\s\S]*--mirror/),
  },
  {
    id: 'packets-dropped',
    title: 'all packets to the upstreams are lost on their way',
    on: 'shared',
    inject: script(
      'ip neighbour replace 203.0.113.1 lladdr 02:00:00:00:00:99 dev eth0 nud permanent',
      'ip neighbour delete 203.0.113.1 dev eth0',
    ),
    expect: refusedUntouched('unreachable', /no connection within 10 s[\s\S]*firewall/),
  },
  {
    id: 'codename-missing',
    title: "HashiCorp's repository has nothing for this release of the system yet",
    spec: { system: 'debian13' },
    inject: mirror({ kind: 'status', status: 404, host: apt, path: '/dists/trixie' }),
    expect: survived(/nothing for this release of the system yet; taking that of bookworm/),
  },
  {
    id: 'key-rotated',
    title: "HashiCorp's signing key was replaced",
    on: 'shared',
    inject: mirror({ kind: 'rotated-key' }),
    expect: refusedUntouched('key-not-accepted', /[0-9A-F]{40}[\s\S]*--hashicorp-key-fingerprint/),
  },
  {
    id: 'key-foreign',
    title: "the key is none of HashiCorp's (dnf)",
    on: 'shared',
    spec: redhat,
    inject: mirror({ kind: 'wrong-key' }),
    expect: refusedUntouched('key-not-accepted', /[0-9A-F]{40}[\s\S]*--hashicorp-key-fingerprint/),
  },
  {
    id: 'key-missing',
    title: 'the signing key is not there (404)',
    on: 'shared',
    inject: mirror({ kind: 'status', status: 404, host: apt, path: '/gpg' }),
    expect: refusedUntouched('upstream-refused', /\/gpg answered 404/),
  },
  {
    id: 'key-no-key',
    title: 'a page comes in the place of the signing key (200)',
    on: 'shared',
    inject: mirror({ kind: 'status', status: 200, host: apt, path: '/gpg' }),
    expect: refusedUntouched('key-not-accepted', /no OpenPGP key/),
  },
  {
    id: 'signature-foreign',
    title: 'the index is signed with another key than the one that is served',
    inject: mirror({ kind: 'rotated-key', ...index }),
    expect: refused('key-not-accepted', /apt does not accept the signature/),
  },
  {
    id: 'package-forbidden',
    title: 'the packages answer 403',
    inject: mirror({ kind: 'status', status: 403, ...pool }),
    expect: refused('packages-failed', /403/),
  },
  {
    id: 'package-missing',
    title: 'the index is ahead of the packages (404)',
    inject: mirror({ kind: 'status', status: 404, ...pool }),
    expect: refused('packages-failed', /404/),
  },
  {
    id: 'package-damaged',
    title: 'a package comes damaged at first',
    inject: mirror({ kind: 'corrupt', ...pool, times: 1 }),
    expect: survived(),
  },
  {
    id: 'package-damaged-for-good',
    title: 'packages always come damaged',
    inject: mirror({ kind: 'corrupt', ...pool }),
    expect: refused('packages-failed', /Hash Sum mismatch/),
  },
  {
    id: 'package-cut',
    title: 'a package is cut off at first',
    inject: mirror({ kind: 'truncate', afterBytes: 1_000_000, ...pool, times: 1 }),
    expect: survived(),
  },
  {
    id: 'package-stalls',
    title: 'a package stands still in the middle',
    inject: mirror({ kind: 'stall', afterBytes: 1_000_000, ...pool, times: 1 }),
    expect: survived(),
  },
  {
    id: 'package-drips',
    title: 'packages come at 4 MB a second',
    inject: mirror({ kind: 'rate', bytesPerSecond: 4_000_000, ...pool }),
    expect: survived(),
  },
  {
    id: 'cni-missing',
    title: 'the archive of the CNI plug-ins is not there (404)',
    inject: mirror({ kind: 'status', status: 404, host: cni }),
    expect: refused('upstream-refused', /answered 404/),
  },
  {
    id: 'cni-damaged',
    title: 'the archive of the CNI plug-ins comes damaged at first',
    inject: mirror({ kind: 'corrupt', host: cni, times: 1 }),
    expect: survived(/is not what it should be/),
  },
  {
    id: 'cni-damaged-for-good',
    title: 'the archive of the CNI plug-ins is another one than the one that is known',
    inject: mirror({ kind: 'corrupt', host: cni }),
    expect: refused('checksum-mismatch', /expected sha256[\s\S]*received sha256/),
  },
  {
    id: 'cni-cut',
    title: 'the archive of the CNI plug-ins is cut off at first',
    inject: mirror({ kind: 'truncate', afterBytes: 100_000, host: cni, times: 1 }),
    expect: survived(/could not be reached/),
  },
  {
    id: 'cni-stalls',
    title: 'the archive of the CNI plug-ins stands still in the middle',
    inject: mirror({ kind: 'stall', afterBytes: 100_000, host: cni, times: 1 }),
    expect: survived(/could not be reached/),
  },
  {
    id: 'cni-redirect-loop',
    title: 'the release page redirects the download in a circle',
    inject: mirror({ kind: 'redirect-loop', host: 'github.com' }),
    expect: refused('upstream-refused', /redirects more than 5 times/),
  },
  {
    id: 'docker-codename-missing',
    title: "Docker's repository has nothing for this release of the system",
    argv: ['image'],
    inject: mirror({ kind: 'status', status: 404, host: docker }),
    expect: survived(),
    after: async world => {
      await shell(world, 'dpkg -s docker.io | grep -q "ok installed"');
    },
  },
  {
    id: 'docker-down',
    title: "Docker's repository answers 503 for good",
    on: 'shared',
    argv: ['image'],
    inject: mirror({ kind: 'status', status: 503, host: docker }),
    expect: refusedUntouched('upstream-refused', /download\.docker\.com.* answered 503/),
  },
  {
    id: 'archive-down',
    title: "the distribution's own archive is down, and nothing is needed of it",
    argv: ['server', '--insecure'],
    inject: mirror({ kind: 'status', status: 503, host: 'archive.lab' }),
    expect: survived(),
  },
  {
    id: 'archive-down-and-needed',
    title: "the distribution's own archive is down, and Docker is to come from it",
    argv: ['image', '--docker', 'distro'],
    inject: mirror({ kind: 'status', status: 503, host: 'archive.lab' }),
    expect: refused('packages-failed', /503|docker\.io/),
  },
  {
    id: 'foreign-repository-missing',
    title: "somebody else's repository is gone (404)",
    inject: script(`echo 'deb https://${apt}/nothing stable main' >/etc/apt/sources.list.d/foreign.list`),
    expect: survived(),
  },
  {
    id: 'foreign-repository-unsigned',
    title: "somebody else's repository is signed with a key that nobody knows",
    inject: script(`echo 'deb https://${docker}/linux/debian bookworm stable' >/etc/apt/sources.list.d/foreign.list`),
    expect: survived(),
  },
  {
    id: 'foreign-source-malformed',
    title: "somebody else's source file cannot be read",
    inject: script(
      'echo "dep https://example.invalid stable" >/etc/apt/sources.list.d/foreign.list',
      'rm /etc/apt/sources.list.d/foreign.list',
    ),
    expect: refused('packages-failed', /foreign\.list/),
  },
  {
    id: 'repository-twice',
    title: "HashiCorp's repository is configured a second time, with another key",
    inject: script(
      `echo 'deb [signed-by=/usr/share/keyrings/old.gpg] https://${apt} bookworm main' >/etc/apt/sources.list.d/company.list`,
      'rm /etc/apt/sources.list.d/company.list',
    ),
    expect: refused('packages-failed', /configured twice[\s\S]*sources\.list\.d/),
  },
  {
    id: 'foreign-repository-dnf',
    title: "somebody else's repository is gone (dnf)",
    spec: redhat,
    inject: script(
      `printf '[foreign]\\nname=foreign\\nbaseurl=https://${rpm}/nothing\\nenabled=1\\ngpgcheck=0\\n' >/etc/yum.repos.d/foreign.repo`,
    ),
    expect: survived(),
  },
  {
    id: 'dnf-index-missing',
    title: "HashiCorp's dnf repository is not there (404)",
    on: 'shared',
    spec: redhat,
    inject: mirror({ kind: 'status', status: 404, host: rpm, path: '/RHEL' }),
    expect: refusedUntouched('upstream-refused', /has no packages for RHEL\/9/),
  },
  {
    id: 'dnf-metadata-cut',
    title: "dnf's metadata are cut off at first",
    on: 'shared',
    argv: planning,
    spec: redhat,
    inject: mirror({ kind: 'truncate', afterBytes: 200, host: rpm, path: '/RHEL/9/x86_64/stable/repodata', times: 2 }),
    expect: survived(/could not be reached/),
  },
  {
    id: 'rpm-cut',
    title: 'an rpm is cut off at first',
    spec: redhat,
    inject: mirror({ kind: 'truncate', afterBytes: 1_000_000, host: rpm, path: nomadRpm, times: 1 }),
    expect: survived(),
  },
  {
    id: 'rpm-damaged-for-good',
    title: 'rpms always come damaged',
    spec: redhat,
    inject: mirror({ kind: 'corrupt', host: rpm, path: nomadRpm }),
    expect: refused('packages-failed', /checksum|mirror/i),
  },
  {
    id: 'dns-late',
    title: 'the name service comes up half a minute late',
    inject: async world => {
      await shell(world, withoutNames);
      await shell(world, `(sleep 35; ${withNames}) >/dev/null 2>&1 &`);
      return undefined;
    },
    expect: survived(/EAI_AGAIN/),
  },
  {
    id: 'dns-absent',
    title: 'there is no name service',
    on: 'shared',
    inject: script(withoutNames, withNames),
    expect: refusedUntouched('unreachable', /EAI_AGAIN[\s\S]*DNS/),
  },
  {
    id: 'proxy-only',
    title: 'upstreams are reached through HTTPS_PROXY alone; the node can resolve no name',
    env: { HTTPS_PROXY: proxy, HTTP_PROXY: proxy, http_proxy: proxy, https_proxy: proxy },
    inject: script(withoutNames, withNames),
    expect: survived(),
    after: async ({ lab }) => {
      const tunnels = (await lab.mirror.requests()).filter(({ method }) => method === 'CONNECT');
      if (tunnels.length === 0) throw new Error('nothing went through the proxy');
    },
  },
  {
    id: 'proxy-dead',
    title: 'HTTPS_PROXY names a proxy that is not there',
    on: 'shared',
    env: { HTTPS_PROXY: 'http://203.0.113.1:3129' },
    inject: mirror(),
    expect: refusedUntouched('unreachable', /203\.0\.113\.1:3129/),
  },
  {
    id: 'proxy-password',
    title: 'the proxy wants a password (407)',
    on: 'shared',
    env: { HTTPS_PROXY: proxy },
    inject: mirror({ kind: 'status', status: 407, host: 'proxy' }),
    expect: refusedUntouched('unreachable', /407[\s\S]*HTTPS_PROXY/),
  },
  {
    id: 'proxy-malformed',
    title: 'HTTPS_PROXY is no address',
    on: 'shared',
    env: { HTTPS_PROXY: 'proxy.example:three' },
    inject: mirror(),
    expect: refused('bad-setting', /HTTPS_PROXY/),
  },
  {
    id: 'no-proxy',
    title: 'a dead proxy, and NO_PROXY for all upstreams',
    argv: mirrorArgv,
    env: { HTTPS_PROXY: 'http://203.0.113.1:3129', NO_PROXY: 'mirror.lab' },
    inject: mirror(),
    expect: survived(),
  },
  {
    id: 'authority-unknown',
    title: 'a proxy inspects TLS with an authority that the node does not trust',
    on: 'shared',
    inject: async world => {
      const bundle = '/etc/ssl/certs/ca-certificates.crt';
      await shell(world, `cp -a ${bundle} /run/lab-bundle && head -c 0 /dev/null >${bundle}`);
      return () => shell(world, `cp -a /run/lab-bundle ${bundle}`);
    },
    expect: refusedUntouched('unreachable', /certificate[\s\S]*trust store/),
  },
  {
    id: 'mirror-incomplete',
    title: 'the mirror of --mirror lacks a folder',
    on: 'shared',
    argv: mirrorArgv,
    inject: mirror({ kind: 'status', status: 404, host: apt }),
    expect: refusedUntouched('upstream-refused', /mirror\.lab.* has no packages/),
  },
  {
    id: 'metadata-late',
    title: "a Linode's metadata service answers 15 s late",
    spec: { linode: { label: 'late' } },
    argv: ['server', '--insecure'],
    inject: metadataLate(15_000),
    expect: survived(/metadata service does not answer yet/),
  },
  {
    id: 'metadata-late-on-image',
    title: 'the same 10 s late, on a machine that was made from an image',
    on: 'node',
    spec: { linode: { label: 'late' } },
    argv: ['image', '--docker', 'none'],
    inject: metadataLate(10_000),
    run: serverOnVlan,
    expect: survived(/metadata service does not answer yet/),
    heals: async world => {
      const { exitCode } = await serverOnVlan(world);
      if (exitCode !== 0) throw new Error(`a rerun ends with ${exitCode}`);
    },
  },
  {
    id: 'metadata-silent',
    title: "a Linode's metadata service never answers",
    spec: { linode: { label: 'silent' } },
    argv: ['server', '--insecure'],
    inject: async ({ lab, node }) => {
      await lab.mirror.setMetadata(node.publicAddress ?? '', { kind: 'silent' });
      return undefined;
    },
    expect: refused('identity-unknown', /--name and --datacenter/),
    heals: async ({ lab, node }) => {
      const line = ['server', '--insecure', '--name', 'told', '--datacenter', 'dc-us-east-1', '--network', 'eth1'];
      await node.exec(['nomad-bootstrap', ...line, ...lab.mirror.offer.flags], { timeoutMs: 300_000 });
    },
  },
  {
    id: 'ipv6-dead',
    title: 'an upstream has an IPv6 address that leads nowhere',
    inject: script(`sed -i '1i 2001:db8::1 ${apt} ${cni} github.com' /etc/hosts`),
    expect: survived(),
  },
  {
    id: 'version-missing',
    title: 'the repository does not have the version asked for',
    on: 'shared',
    argv: ['image', '--docker', 'none', '--nomad-version', '9.9.9'],
    inject: mirror(),
    expect: refusedUntouched('version-not-found', /it has \d/),
    heals: async () => {},
  },
];

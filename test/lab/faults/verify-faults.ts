import type { LabNode } from '../lab.ts';

/** The nodes of a healthy cluster of three servers and a client, by their part in it at that moment. */
export interface Cluster {
  /** debian12 */
  readonly server1: LabNode;
  /** rocky9 */
  readonly server2: LabNode;
  /** debian12 */
  readonly server3: LabNode;
  /** debian12 */
  readonly client: LabNode;
  readonly nomadLeader: LabNode;
  readonly consulLeader: LabNode;
  /** A server that leads neither. */
  readonly follower: LabNode;
  /** The third one. */
  readonly bystander: LabNode;
  /** debian12: the server of another cluster, one with a token. */
  readonly secureServer: LabNode;
  /** debian12: its client. */
  readonly secureClient: LabNode;
}

/** Something that goes wrong on a healthy cluster, and by what `verify` is to show it. */
export interface VerifyFault {
  readonly id: string;
  /** For the table: what was done. */
  readonly title: string;
  /** Where an operator would ask. */
  readonly ask: keyof Cluster;
  /** Every one of these checks is to fail there. */
  readonly expect: readonly string[];
  /** These may fail as well, as consequences. No other may. */
  readonly consequences?: readonly string[];
  /** How long it may take until it shows; gossip gives a dead server up after about 40 s. Default: 30. */
  readonly seenWithinSeconds?: number;
  inject(cluster: Cluster): Promise<void>;
  heal(cluster: Cluster): Promise<void>;
}

/** Of a server that has lost the leader. Consul was seen to hold back all answers for seconds then, /v1/agent/self too. */
const acrossTheCluster = [
  'consul-agent',
  'consul-leader',
  'consul-members',
  'consul-servers',
  'consul-autopilot',
  'nomad-leader',
  'nomad-members',
  'nomad-autopilot',
  'nomad-in-consul',
];

/** What fails is written here before it is run: the expected checks first, then what may follow from the fault. */
export const verifyFaults: readonly VerifyFault[] = [
  // The kernel and what systemd brings back.
  {
    id: 'bridge-sysctl-off',
    title: '`sysctl -w net.bridge.bridge-nf-call-iptables=0`',
    ask: 'client',
    expect: ['bridge-sysctls', 'config-drift'],
    inject: ({ client }) => sh(client, 'sysctl -qw net.bridge.bridge-nf-call-iptables=0'),
    heal: ({ client }) => sh(client, 'sysctl -qw net.bridge.bridge-nf-call-iptables=1'),
  },
  {
    id: 'forwarding-off',
    title: '`sysctl -w net.ipv4.ip_forward=0`',
    ask: 'client',
    expect: ['bridge-sysctls', 'config-drift'],
    inject: ({ client }) => sh(client, 'sysctl -qw net.ipv4.ip_forward=0'),
    heal: ({ client }) => sh(client, 'sysctl -qw net.ipv4.ip_forward=1'),
  },
  {
    id: 'bridge-filter-gone',
    title: 'br_netfilter has no settings in /proc, as when it is not loaded',
    ask: 'client',
    expect: ['kernel-bridge', 'config-drift'],
    inject: ({ client }) => sh(client, 'mount -t tmpfs tmpfs /proc/sys/net'),
    heal: ({ client }) => sh(client, 'umount /proc/sys/net'),
  },
  {
    id: 'sysctl-file-removed',
    title: '/etc/sysctl.d/90-nomad.conf removed',
    ask: 'client',
    expect: ['sysctls-persist', 'config-drift'],
    inject: ({ client }) => moveAway(client, '/etc/sysctl.d/90-nomad.conf'),
    heal: ({ client }) => moveBack(client, '/etc/sysctl.d/90-nomad.conf'),
  },
  {
    id: 'sysctl-overruled',
    title: 'a later file in /etc/sysctl.d sets ip_forward to 0 at the next boot',
    ask: 'client',
    expect: ['sysctls-persist'],
    inject: ({ client }) => client.writeFile('/etc/sysctl.d/99-hardening.conf', 'net.ipv4.ip_forward = 0\n'),
    heal: ({ client }) => sh(client, 'rm /etc/sysctl.d/99-hardening.conf'),
  },
  {
    id: 'sysctl-unit-masked',
    title: '`systemctl mask systemd-sysctl`',
    ask: 'client',
    expect: ['sysctls-persist'],
    inject: ({ client }) => sh(client, 'systemctl mask systemd-sysctl'),
    heal: ({ client }) => sh(client, 'systemctl unmask systemd-sysctl'),
  },
  {
    id: 'system-too-old',
    title: '/etc/os-release says Debian 10',
    ask: 'server3',
    expect: ['os-supported'],
    // Which packages there are follows from the release.
    consequences: ['config-drift'],
    inject: ({ server3 }) =>
      sh(
        server3,
        'sed "s/12/10/g; s/bookworm/buster/g" /etc/os-release >/run/os-release; mount --bind /run/os-release "$(readlink -f /etc/os-release)"',
      ),
    heal: ({ server3 }) => sh(server3, 'umount "$(readlink -f /etc/os-release)"'),
  },
  {
    id: 'disk-full',
    title: "the file system of Nomad's data has 8 MiB, all in use",
    ask: 'server3',
    expect: ['disk-space'],
    // The root of another file system has another owner.
    consequences: ['config-drift'],
    inject: ({ server3 }) =>
      sh(
        server3,
        'mount -t tmpfs -o size=8m tmpfs /opt/nomad/data; dd if=/dev/zero of=/opt/nomad/data/full bs=1M count=8 status=none',
      ),
    heal: ({ server3 }) => sh(server3, 'umount -l /opt/nomad/data'),
  },

  // Packages and units.
  {
    id: 'package-unheld',
    title: '`apt-mark unhold nomad`',
    ask: 'server1',
    expect: ['packages-held', 'config-drift'],
    inject: ({ server1 }) => sh(server1, 'apt-mark -qq unhold nomad'),
    heal: ({ server1 }) => sh(server1, 'apt-mark -qq hold nomad'),
  },
  {
    id: 'package-unheld-dnf',
    title: 'the line that holds the packages taken out of hashicorp.repo',
    ask: 'server2',
    expect: ['packages-held', 'config-drift'],
    inject: ({ server2 }) =>
      sh(
        server2,
        'cp -a /etc/yum.repos.d/hashicorp.repo /run/kept; sed -i /^exclude/d /etc/yum.repos.d/hashicorp.repo',
      ),
    heal: ({ server2 }) => sh(server2, 'cp -a /run/kept /etc/yum.repos.d/hashicorp.repo'),
  },
  {
    id: 'nomad-disabled',
    title: '`systemctl disable nomad`',
    ask: 'server3',
    expect: ['boot-enabled', 'config-drift'],
    inject: ({ server3 }) => sh(server3, 'systemctl --quiet disable nomad'),
    heal: ({ server3 }) => sh(server3, 'systemctl --quiet enable nomad'),
  },
  {
    id: 'consul-disabled',
    title: '`systemctl disable consul`, on Rocky Linux',
    ask: 'server2',
    expect: ['boot-enabled', 'config-drift'],
    inject: ({ server2 }) => sh(server2, 'systemctl --quiet disable consul'),
    heal: ({ server2 }) => sh(server2, 'systemctl --quiet enable consul'),
  },
  {
    id: 'docker-masked',
    title: '`systemctl mask docker`',
    ask: 'client',
    expect: ['boot-enabled', 'config-drift'],
    inject: ({ client }) => sh(client, 'systemctl --quiet mask docker'),
    heal: ({ client }) => sh(client, 'systemctl --quiet unmask docker'),
  },
  {
    id: 'package-replaced',
    title: 'nomad 2.1.0 installed by apt and not restarted',
    ask: 'server1',
    expect: ['versions-agree'],
    consequences: ['config-drift', 'packages-held', 'boot-enabled'],
    inject: ({ server1 }) => aptInstall(server1, 'nomad=2.1.0-1'),
    heal: async ({ server1 }) => {
      await aptInstall(server1, 'nomad=2.0.5-1');
      await sh(server1, 'apt-mark -qq hold nomad; systemctl --quiet enable nomad');
      await repair(server1);
    },
  },

  // Docker and CNI.
  {
    id: 'docker-stopped',
    title: '`systemctl stop docker.socket docker`',
    ask: 'client',
    expect: ['docker', 'config-drift'],
    inject: ({ client }) => sh(client, 'systemctl stop docker.socket docker'),
    heal: ({ client }) => sh(client, 'systemctl start docker'),
  },
  {
    id: 'docker-driver-lost',
    title: "Nomad looks for Docker's socket in another place",
    ask: 'client',
    expect: ['nomad-client-drivers'],
    inject: ({ client }) =>
      override(client, 'nomad', 'plugin "docker" {\n  config {\n    endpoint = "unix:///run/nowhere.sock"\n  }\n}\n'),
    heal: ({ client }) => withdraw(client, 'nomad'),
  },
  {
    id: 'cni-plugin-removed',
    title: '/opt/cni/bin/bridge removed',
    ask: 'client',
    expect: ['cni-plugins', 'config-drift'],
    inject: ({ client }) => moveAway(client, '/opt/cni/bin/bridge'),
    heal: ({ client }) => moveBack(client, '/opt/cni/bin/bridge'),
  },
  {
    id: 'cni-plugin-truncated',
    title: '/opt/cni/bin/portmap cut to 4 KiB',
    ask: 'client',
    expect: ['cni-plugins', 'config-drift'],
    inject: ({ client }) =>
      sh(client, 'cp -a /opt/cni/bin/portmap /run/kept; truncate --size=4096 /opt/cni/bin/portmap'),
    heal: ({ client }) => sh(client, 'cp -a /run/kept /opt/cni/bin/portmap'),
  },
  {
    id: 'cni-path-changed',
    title: 'Nomad started with an empty folder as its cni_path',
    ask: 'client',
    expect: ['nomad-client-bridge'],
    inject: async ({ client }) => {
      await sh(client, 'mkdir -p /opt/cni/none');
      await override(client, 'nomad', 'client {\n  cni_path = "/opt/cni/none"\n}\n');
    },
    heal: async ({ client }) => {
      await withdraw(client, 'nomad');
      await sh(client, 'rmdir /opt/cni/none');
    },
  },

  // Configuration.
  {
    id: 'nomad-configuration-edited',
    title: 'a line added to /etc/nomad.d/nomad.hcl',
    ask: 'server1',
    expect: ['config-drift'],
    inject: ({ server1 }) => edit(server1, '/etc/nomad.d/nomad.hcl', 'log_level = "DEBUG"'),
    heal: ({ server1 }) => unedit(server1, '/etc/nomad.d/nomad.hcl'),
  },
  {
    id: 'operators-slip',
    title: "a slip in an operator's own file in /etc/nomad.d",
    ask: 'client',
    expect: ['config-accepted'],
    inject: ({ client }) => sh(client, 'echo "telemetry {" > /etc/nomad.d/zz-local.hcl'),
    heal: ({ client }) => sh(client, 'rm /etc/nomad.d/zz-local.hcl'),
  },
  {
    id: 'consul-configuration-edited',
    title: 'a line added to /etc/consul.d/consul.hcl, on Rocky Linux',
    ask: 'server2',
    expect: ['config-drift'],
    inject: ({ server2 }) => edit(server2, '/etc/consul.d/consul.hcl', 'log_level = "DEBUG"'),
    heal: ({ server2 }) => unedit(server2, '/etc/consul.d/consul.hcl'),
  },
  {
    id: 'wrong-datacenter',
    title: "an operator's file puts the client's Nomad into another datacenter",
    ask: 'client',
    expect: ['nomad-agent'],
    inject: ({ client }) => override(client, 'nomad', 'datacenter = "elsewhere"\n'),
    heal: ({ client }) => withdraw(client, 'nomad'),
  },
  {
    id: 'docker-bridge-advertised',
    title: "an operator's file makes the client advertise docker0's address",
    ask: 'client',
    expect: ['nomad-advertise'],
    // Consul asks Nomad at the advertised address.
    consequences: ['nomad-in-consul'],
    inject: ({ client }) => override(client, 'nomad', 'advertise {\n  http = "172.17.0.1"\n}\n'),
    heal: ({ client }) => withdraw(client, 'nomad'),
  },
  {
    id: 'nomad-api-open',
    title: "Nomad's API listens on 0.0.0.0",
    ask: 'server3',
    expect: ['ports-exposed'],
    inject: ({ server3 }) => override(server3, 'nomad', 'addresses {\n  http = "0.0.0.0"\n}\n'),
    heal: ({ server3 }) => withdraw(server3, 'nomad'),
  },
  {
    id: 'consul-api-open',
    title: "Consul's API listens on the public address",
    ask: 'client',
    expect: ['ports-exposed'],
    inject: ({ client }) =>
      override(
        client,
        'consul',
        `addresses {\n  http = "127.0.0.1 ${client.vlanAddress} ${client.publicAddress}"\n}\n`,
      ),
    heal: ({ client }) => withdraw(client, 'consul'),
  },
  {
    id: 'docker-api-open',
    title: 'something listens on 0.0.0.0:2375',
    ask: 'client',
    expect: ['ports-exposed'],
    inject: ({ client }) =>
      sh(
        client,
        'systemd-run --quiet --unit=open-port systemd-socket-activate --listen=0.0.0.0:2375 /bin/cat; for try in 1 2 3 4 5 6 7 8 9; do grep -q :0947 /proc/net/tcp && break; sleep 0.2; done',
      ),
    heal: ({ client }) => sh(client, 'systemctl stop open-port'),
  },
  {
    id: 'consul-of-another-place',
    title: "Nomad's consul block leads nowhere",
    ask: 'client',
    expect: ['nomad-in-consul'],
    inject: ({ client }) => override(client, 'nomad', 'consul {\n  address = "127.0.0.1:8599"\n}\n'),
    heal: ({ client }) => withdraw(client, 'nomad'),
  },
  {
    id: 'nomad-expects-differ',
    title: 'one of the Nomad servers expects 5 servers',
    ask: 'bystander',
    expect: ['nomad-members'],
    // In a cluster that has formed the highest number counts: there are too few voters as well.
    consequences: ['nomad-autopilot'],
    inject: ({ follower }) => override(follower, 'nomad', 'server {\n  bootstrap_expect = 5\n}\n'),
    heal: ({ follower }) => withdraw(follower, 'nomad'),
  },
  {
    id: 'consul-expects-differ',
    title: 'one of the Consul servers expects 5 servers',
    ask: 'bystander',
    expect: ['consul-servers'],
    consequences: ['consul-autopilot'],
    inject: ({ follower }) => override(follower, 'consul', 'bootstrap_expect = 5\n'),
    heal: ({ follower }) => withdraw(follower, 'consul'),
  },

  // Agents that are not there.
  {
    id: 'client-drained',
    title: '`nomad node drain -self -enable`',
    ask: 'client',
    expect: ['nomad-client-ready'],
    inject: ({ client }) => sh(client, 'nomad node drain -self -enable -yes -deadline 1s -detach >/dev/null'),
    heal: ({ client }) => sh(client, 'nomad node eligibility -self -enable >/dev/null'),
  },
  {
    id: 'client-ineligible',
    title: '`nomad node eligibility -self -disable`',
    ask: 'client',
    expect: ['nomad-client-ready'],
    inject: ({ client }) => sh(client, 'nomad node eligibility -self -disable >/dev/null'),
    heal: ({ client }) => sh(client, 'nomad node eligibility -self -enable >/dev/null'),
  },
  {
    id: 'client-agent-stopped',
    title: '`systemctl stop nomad` on the client',
    ask: 'client',
    expect: ['nomad-agent', 'config-drift'],
    inject: ({ client }) => sh(client, 'systemctl stop nomad'),
    heal: ({ client }) => sh(client, 'systemctl start nomad'),
  },
  {
    id: 'consul-stopped',
    title: '`systemctl stop consul` on the client',
    ask: 'client',
    expect: ['consul-agent', 'config-drift'],
    inject: ({ client }) => sh(client, 'systemctl stop consul'),
    heal: ({ client }) => sh(client, 'systemctl start consul'),
  },
  {
    id: 'consul-paused',
    title: "Consul's process stopped (SIGSTOP) on the client",
    ask: 'client',
    expect: ['consul-agent'],
    inject: ({ client }) => sh(client, 'systemctl kill --signal=STOP consul'),
    heal: ({ client }) => sh(client, 'systemctl kill --signal=CONT consul'),
  },
  {
    id: 'nomad-paused',
    title: "Nomad's process stopped (SIGSTOP) on a server",
    ask: 'follower',
    expect: ['nomad-agent'],
    inject: ({ follower }) => sh(follower, 'systemctl kill --signal=STOP nomad'),
    heal: ({ follower }) => sh(follower, 'systemctl kill --signal=CONT nomad'),
  },
  {
    id: 'server-agent-stopped',
    title: '`systemctl stop nomad` on a server',
    ask: 'follower',
    expect: ['nomad-agent', 'config-drift'],
    inject: ({ follower }) => sh(follower, 'systemctl stop nomad'),
    heal: ({ follower }) => sh(follower, 'systemctl start nomad'),
  },
  {
    id: 'nomad-rpc-cut',
    title: 'TCP 4647 closed between one server and the others',
    ask: 'follower',
    expect: ['nomad-leader'],
    consequences: acrossTheCluster,
    inject: ({ follower }) => silence(follower, 4647),
    heal: ({ follower }) => unsilence(follower),
  },
  {
    id: 'consul-rpc-cut',
    title: 'TCP 8300 closed between one server and the others',
    ask: 'follower',
    expect: ['consul-leader'],
    consequences: acrossTheCluster,
    inject: ({ follower }) => silence(follower, 8300),
    heal: ({ follower }) => unsilence(follower),
  },
  {
    id: 'nomad-gossip-cut',
    title: 'TCP and UDP 4648 closed between one server and the others',
    ask: 'bystander',
    expect: ['nomad-members'],
    consequences: ['nomad-autopilot', 'nomad-in-consul'],
    seenWithinSeconds: 90,
    inject: ({ follower }) => silence(follower, 4648),
    heal: ({ follower }) => unsilence(follower),
  },
  {
    id: 'consul-gossip-cut',
    title: 'TCP and UDP 8301 closed between the client and the servers',
    ask: 'client',
    expect: ['consul-members', 'consul-servers'],
    consequences: ['consul-leader', 'versions-agree', 'nomad-in-consul'],
    seenWithinSeconds: 60,
    inject: ({ client }) => silence(client, 8301),
    heal: ({ client }) => unsilence(client),
  },
  {
    id: 'client-cut-off',
    title: "the client's cable to the VLAN pulled",
    ask: 'client',
    expect: ['cluster-address', 'consul-servers', 'nomad-leader'],
    consequences: [...acrossTheCluster, 'versions-agree', 'nomad-client-ready'],
    seenWithinSeconds: 60,
    inject: ({ client }) => client.cutOff('eth1'),
    heal: ({ client }) => client.reconnect('eth1'),
  },
  {
    id: 'server-cut-off',
    title: "a server's cable to the VLAN pulled",
    ask: 'follower',
    expect: ['cluster-address', 'consul-leader', 'nomad-leader'],
    consequences: [...acrossTheCluster, 'versions-agree'],
    seenWithinSeconds: 60,
    inject: ({ follower }) => follower.cutOff('eth1'),
    heal: ({ follower }) => follower.reconnect('eth1'),
  },
  {
    id: 'leader-killed',
    title: "the power of the Nomad leader's machine goes",
    ask: 'follower',
    expect: ['nomad-members', 'consul-servers'],
    consequences: acrossTheCluster,
    seenWithinSeconds: 120,
    inject: ({ nomadLeader }) => nomadLeader.kill(),
    heal: async ({ nomadLeader }) => {
      await nomadLeader.boot();
    },
  },
  {
    id: 'majority-lost',
    title: 'the power of two of the three servers goes',
    ask: 'follower',
    expect: ['nomad-leader', 'consul-leader'],
    consequences: acrossTheCluster,
    seenWithinSeconds: 60,
    inject: async ({ server1, server2, server3, follower }) => {
      for (const server of [server1, server2, server3]) if (server.name !== follower.name) await server.kill();
    },
    heal: async ({ server1, server2, server3 }) => {
      for (const server of [server1, server2, server3]) if (!server.isRunning()) await server.boot();
    },
  },

  // A cluster with a token.
  {
    id: 'key-readable',
    title: 'the key of a server with a token can be read by everyone',
    ask: 'secureServer',
    expect: ['secrets-permissions', 'certificates', 'config-drift'],
    inject: ({ secureServer }) => sh(secureServer, 'chmod 0644 /etc/nomad.d/tls/agent-key.pem'),
    heal: ({ secureServer }) => sh(secureServer, 'chmod 0640 /etc/nomad.d/tls/agent-key.pem'),
  },
  {
    id: 'certificate-replaced',
    title: "another certificate in the place of the client's",
    ask: 'secureClient',
    expect: ['certificates', 'config-drift'],
    inject: ({ secureClient }) =>
      sh(secureClient, 'cd /etc/nomad.d/tls; cp -a agent.pem /root/kept; cat ca.pem >agent.pem'),
    heal: ({ secureClient }) => sh(secureClient, 'cp -a /root/kept /etc/nomad.d/tls/agent.pem'),
  },
  {
    id: 'shield-flushed',
    title: '`iptables -t raw -F` on a client with a token',
    ask: 'secureClient',
    expect: ['metadata-shielded'],
    inject: ({ secureClient }) => sh(secureClient, 'iptables -w -t raw -F'),
    heal: ({ secureClient }) => sh(secureClient, 'systemctl restart nomad-bootstrap-metadata-shield'),
  },
  {
    id: 'anonymous-may-read',
    title: "a policy of Nomad's lets whoever has no token see the nodes",
    ask: 'secureServer',
    expect: ['acls'],
    inject: ({ secureServer }) =>
      sh(
        secureServer,
        `echo 'node { policy = "read" }' | ${asManager('nomad')} nomad acl policy apply anonymous - >/dev/null`,
      ),
    heal: ({ secureServer }) => sh(secureServer, `${asManager('nomad')} nomad acl policy delete anonymous >/dev/null`),
  },
  {
    id: 'auth-method-deleted',
    title: "Consul's auth method for jobs deleted",
    ask: 'secureServer',
    expect: ['workload-identity'],
    inject: ({ secureServer }) =>
      sh(secureServer, `${asManager('consul')} consul acl auth-method delete -name nomad-workloads >/dev/null`),
    heal: ({ secureServer }) => repair(secureServer),
  },
  {
    id: 'certificate-not-asked-for',
    title: "an operator's file lets Consul hear whoever has no certificate",
    ask: 'secureServer',
    expect: ['tls-roles'],
    consequences: acrossTheCluster,
    inject: ({ secureServer }) =>
      override(secureServer, 'consul', 'tls {\n  internal_rpc {\n    verify_incoming = false\n  }\n}\n'),
    heal: ({ secureServer }) => withdraw(secureServer, 'consul'),
  },
  {
    id: 'gossip-in-the-clear',
    title: "Consul's gossip key taken out of its configuration and its data",
    ask: 'secureServer',
    expect: ['gossip-encryption', 'config-drift'],
    consequences: acrossTheCluster,
    inject: ({ secureServer }) =>
      sh(
        secureServer,
        'cp -a /etc/consul.d/consul.hcl /root/kept; sed -i "/^encrypt/d" /etc/consul.d/consul.hcl; systemctl stop consul; rm /opt/consul/serf/local.keyring; systemctl start consul',
      ),
    heal: ({ secureServer }) => sh(secureServer, 'cp -a /root/kept /etc/consul.d/consul.hcl; systemctl restart consul'),
  },
];

/** The environment of a command that may do everything, for a shell on a server with a token. */
function asManager(product: 'nomad' | 'consul'): string {
  const variable = product === 'nomad' ? 'NOMAD_TOKEN' : 'CONSUL_HTTP_TOKEN';
  return `${variable}=$(nomad-bootstrap token show --kind ${product}-management)`;
}

async function sh(node: LabNode, script: string): Promise<void> {
  await node.exec(['sh', '-ec', script]);
}

function moveAway(node: LabNode, path: string): Promise<void> {
  return sh(node, `mv ${path} /root/kept`);
}

function moveBack(node: LabNode, path: string): Promise<void> {
  return sh(node, `mv /root/kept ${path}`);
}

function edit(node: LabNode, path: string, line: string): Promise<void> {
  return sh(node, `cp -a ${path} /root/kept; echo '${line}' >>${path}`);
}

function unedit(node: LabNode, path: string): Promise<void> {
  return sh(node, `cp -a /root/kept ${path}; rm /root/kept`);
}

/** A file of the operator's own, which wins over ours. */
async function override(node: LabNode, agent: 'nomad' | 'consul', content: string): Promise<void> {
  await node.writeFile(`/etc/${agent}.d/zz-fault.hcl`, content);
  await sh(node, `systemctl restart ${agent}`);
}

function withdraw(node: LabNode, agent: 'nomad' | 'consul'): Promise<void> {
  return sh(node, `rm /etc/${agent}.d/zz-fault.hcl; systemctl restart ${agent}`);
}

async function aptInstall(node: LabNode, what: string): Promise<void> {
  await node.exec(['apt-get', 'install', '-qq', '-y', '--allow-downgrades', '--allow-change-held-packages', what], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
  });
}

/** What the manual of `config-drift` says: run it again. */
async function repair(node: LabNode): Promise<void> {
  await node.exec(['nomad-bootstrap', node.name.startsWith('server') ? 'server' : 'client']);
}

/** Nothing leaves the node from or to this port, of both protocols: to the others it is as if nobody were there. */
function silence(node: LabNode, port: number): Promise<void> {
  const rules = ['tcp', 'udp'].flatMap(protocol =>
    ['sport', 'dport'].map(
      end => `ip rule add pref 50 iif lo ipproto ${protocol} ${end} ${port} to 10.77.0.0/24 prohibit`,
    ),
  );
  return sh(node, rules.join('; '));
}

function unsilence(node: LabNode): Promise<void> {
  return sh(node, 'while ip rule del pref 50 2>/dev/null; do :; done');
}

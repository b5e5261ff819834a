import type { Attack } from './attack.ts';
import { bytes } from './rpc.ts';
import { addressOf, bootstrapLoop, http, reach, rpc, say, type World } from './world.ts';

const closed = /refused|no answer|timed out|Failed to connect/i;
const unheard = /^(closed|connection|TLS|silence)/;
const answered = /^answered/;
const job =
  '{"Job":{"ID":"evil","Type":"batch","Datacenters":["*"],"TaskGroups":[{"Name":"g","Tasks":[{"Name":"t","Driver":"raw_exec","Config":{"command":"id"}}]}]}}';

/** A request to an API over the network, with the same to the careless cluster as its control. */
function overHttp(what: string, port: number, path: string, argv: readonly string[] = []): Attack {
  return {
    position: 'network',
    what,
    attempt: ({ intruder, server }) => http(intruder, `http://${addressOf(server)}:${port}${path}`, argv),
    refusal: closed,
    gain: /HTTP 200/,
    control: {
      how: 'a careless cluster',
      attempt: ({ intruder }) => http(intruder, `http://${addressOf(intruder)}:${port}${path}`, argv),
    },
  };
}

function toPort(what: string, port: number, careless = true): Attack {
  return {
    position: 'network',
    what,
    attempt: ({ intruder, server }) => reach(intruder, addressOf(server), port),
    refusal: /^not connected/,
    gain: /^connected/,
    ...(careless
      ? {
          control: {
            how: 'a careless cluster',
            attempt: ({ intruder }: World) => reach(intruder, addressOf(intruder), port),
          },
        }
      : {}),
  };
}

const nomad = { port: 4647, tls: bytes.nomad.tls };
const consul = { port: 8300, tls: bytes.consul.tls };
const ask = { method: 'Status.Leader', body: { Region: 'global', AllowStale: true, Datacenter: 'dc1' } };

/** Joins the gossip of one of the agents with a stranger's agent, and tells who is in it. */
export async function joinConsul(
  { intruder, server }: World,
  key: string | undefined,
  target = addressOf(server),
): Promise<string> {
  const address = addressOf(intruder);
  const ports = [
    '-serf-lan-port=9301',
    '-server-port=9300',
    '-http-port=9500',
    '-dns-port=-1',
    '-grpc-port=-1',
    '-grpc-tls-port=-1',
  ];
  const agent = ['consul', 'agent', '-node=stranger', `-bind=${address}`, '-data-dir=/var/tmp/stranger', ...ports];
  const joining = [
    `-retry-join=${target}:8301`,
    '-retry-interval=1s',
    ...(key === undefined ? [] : [`-encrypt=${key}`]),
  ];
  const script = `
    rm -rf /var/tmp/stranger; ${[...agent, ...joining].join(' ')} >/var/tmp/stranger.log 2>&1 & agent=$!
    for i in 1 2 3 4 5 6 7 8; do sleep 1; consul members -http-addr=127.0.0.1:9500 >/var/tmp/members 2>&1; grep -q server /var/tmp/members && break; done
    cat /var/tmp/members; kill $agent || tail -n 2 /var/tmp/stranger.log; wait $agent; true`;
  return say(intruder, ['bash', '-c', script]);
}

/** The same for Nomad's, of another region: so the control leaves the cluster's raft alone. */
export async function joinNomad({ intruder, server }: World, key: string | undefined, pair?: string): Promise<string> {
  const address = addressOf(intruder);
  const config = `region = "elsewhere"\nname = "stranger"\ndata_dir = "/var/tmp/stranger-nomad"\nbind_addr = "${address}"
advertise {\n http = "${address}"\n}\naddresses {\n http = "127.0.0.1"\n}\nports {\n http = 9646\n rpc = 9647\n serf = 9648\n}
server {\n enabled = true\n bootstrap_expect = 1\n ${key === undefined ? '' : `encrypt = "${key}"\n`}
 server_join {\n retry_join = ["${addressOf(server)}:4648"]\n retry_interval = "1s"\n }\n}
consul {\n auto_advertise = false\n server_auto_join = false\n}\n${pair ?? ''}`;
  await intruder.writeFile('/var/tmp/stranger.hcl', config);
  const script = `
    rm -rf /var/tmp/stranger-nomad; nomad agent -config=/var/tmp/stranger.hcl >/var/tmp/stranger.log 2>&1 & agent=$!
    for i in 1 2 3 4 5 6 7 8; do sleep 1; nomad server members -address=http://127.0.0.1:9646 >/var/tmp/members 2>&1; grep -q global /var/tmp/members && break; done
    cat /var/tmp/members; kill -INT $agent || tail -n 2 /var/tmp/stranger.log; wait $agent; true`;
  return say(intruder, ['bash', '-c', script]);
}

const alone = /stranger/;
const wrongKey = Buffer.alloc(32, 7).toString('base64');

export const fromTheNetwork: readonly Attack[] = [
  {
    position: 'network',
    what: "be first at Nomad's ACL bootstrap, by trying on every server and address from before they are there",
    attempt: async ({ race }) => race,
    refusal: /^never, \d+ tries$/,
    gain: /bootstrapped/,
    control: {
      how: 'a Nomad with an open API that nobody has taken over yet',
      attempt: async ({ intruder }) => {
        const loop = bootstrapLoop([addressOf(intruder)], 5646).replace('/run/race.end', '/run/control.end');
        return say(intruder, ['bash', '-c', `(sleep 3; touch /run/control.end) & (${loop})`]);
      },
    },
  },
  overHttp("list the jobs over Nomad's API", 4646, '/v1/jobs'),
  overHttp("register a job with raw_exec over Nomad's API", 4646, '/v1/jobs', ['-X', 'PUT', '-d', job]),
  overHttp("read the agent's configuration over Nomad's API", 4646, '/v1/agent/self'),
  overHttp("read all of the KV store over Consul's API", 8500, '/v1/kv/?keys', []),
  overHttp("write the KV store over Consul's API", 8500, '/v1/kv/evil', ['-X', 'PUT', '-d', 'x']),
  overHttp("register a service over Consul's API", 8500, '/v1/agent/service/register', [
    '-X',
    'PUT',
    '-d',
    '{"Name":"evil"}',
  ]),
  toPort("speak to Consul's gRPC", 8502),
  toPort("speak to Consul's gRPC with TLS", 8503),
  toPort("ask Consul's DNS", 8600),
  {
    position: 'network',
    what: "reach the APIs of a client's agents",
    attempt: async ({ intruder, client }) =>
      `${await reach(intruder, addressOf(client), 4646)}; ${await reach(intruder, addressOf(client), 8500)}`,
    refusal: /^not connected.*; not connected/,
    gain: /(^|; )connected/,
  },
  {
    position: 'network',
    what: 'reach any of the agents on the public address',
    attempt: async ({ intruder, server }) => {
      const ports = [4646, 4647, 4648, 8300, 8301, 8302, 8500, 8501, 8502, 8503, 8600];
      const found = await Promise.all(ports.map(port => reach(intruder, String(server.publicAddress), port)));
      return found.every(text => text.startsWith('not')) ? 'not connected, any of 11 ports' : found.join(', ');
    },
    refusal: /^not connected, any/,
    gain: /(^|, )connected/,
  },
  {
    position: 'network',
    what: "use Nomad's RPC without TLS",
    attempt: w => rpc(w, { address: addressOf(w.server), port: nomad.port, protocol: bytes.nomad.rpc, ...ask }),
    refusal: unheard,
    gain: answered,
    control: {
      how: 'a careless cluster',
      attempt: w => rpc(w, { address: addressOf(w.intruder), port: nomad.port, protocol: bytes.nomad.rpc, ...ask }),
    },
  },
  {
    position: 'network',
    what: "use Nomad's RPC by TLS without a certificate",
    attempt: w => rpc(w, { address: addressOf(w.server), ...nomad, protocol: bytes.nomad.rpc, ...ask }),
    refusal: unheard,
    gain: answered,
    control: {
      how: "a client's certificate",
      attempt: w =>
        rpc(w, { address: addressOf(w.server), ...nomad, protocol: bytes.nomad.rpc, ...ask, ...w.stolen.pair }),
    },
  },
  {
    position: 'network',
    what: "use Nomad's RPC with a server's certificate by an authority of one's own of the same name",
    attempt: w =>
      rpc(w, { address: addressOf(w.server), ...nomad, protocol: bytes.nomad.rpc, ...ask, ...w.forgedPair }),
    refusal: unheard,
    gain: answered,
    control: {
      how: "a server's certificate",
      attempt: w =>
        rpc(w, { address: addressOf(w.server), ...nomad, protocol: bytes.nomad.rpc, ...ask, ...w.serverPair }),
    },
  },
  {
    position: 'network',
    what: "take over Nomad's access control by RPC, with and without TLS",
    attempt: async w => {
      const call = {
        address: addressOf(w.server),
        port: nomad.port,
        protocol: bytes.nomad.rpc,
        method: 'ACL.Bootstrap',
        body: { Region: 'global' },
      };
      return `${await rpc(w, call)}; ${await rpc(w, { ...call, tls: nomad.tls })}`;
    },
    refusal: /^(closed|connection).*; (closed|TLS|connection)/,
    gain: answered,
  },
  {
    position: 'network',
    what: "speak Nomad's raft without TLS",
    attempt: w => rpc(w, { address: addressOf(w.server), port: nomad.port, protocol: bytes.nomad.raft }),
    refusal: unheard,
    gain: answered,
    control: {
      how: 'a careless cluster',
      attempt: w => rpc(w, { address: addressOf(w.intruder), port: nomad.port, protocol: bytes.nomad.raft }),
    },
  },
  {
    position: 'network',
    what: "speak Nomad's raft by TLS without a certificate",
    attempt: w => rpc(w, { address: addressOf(w.server), ...nomad, protocol: bytes.nomad.raft }),
    refusal: unheard,
    gain: answered,
    control: {
      how: "a server's certificate",
      attempt: w => rpc(w, { address: addressOf(w.server), ...nomad, protocol: bytes.nomad.raft, ...w.serverPair }),
    },
  },
  {
    position: 'network',
    what: "use Consul's RPC without TLS",
    attempt: w => rpc(w, { address: addressOf(w.server), port: consul.port, protocol: bytes.consul.rpc, ...ask }),
    refusal: unheard,
    gain: answered,
    control: {
      how: 'a careless cluster',
      attempt: w => rpc(w, { address: addressOf(w.intruder), port: consul.port, protocol: bytes.consul.rpc, ...ask }),
    },
  },
  {
    position: 'network',
    what: "use Consul's RPC by TLS without a certificate",
    attempt: w => rpc(w, { address: addressOf(w.server), ...consul, protocol: bytes.consul.rpc, ...ask }),
    refusal: unheard,
    gain: answered,
    control: {
      how: "a client's certificate",
      attempt: w =>
        rpc(w, { address: addressOf(w.server), ...consul, protocol: bytes.consul.rpc, ...ask, ...w.stolen.pair }),
    },
  },
  {
    position: 'network',
    what: "speak Consul's raft without TLS",
    attempt: w => rpc(w, { address: addressOf(w.server), port: consul.port, protocol: bytes.consul.raft }),
    refusal: unheard,
    gain: answered,
    control: {
      how: 'a careless cluster',
      attempt: w => rpc(w, { address: addressOf(w.intruder), port: consul.port, protocol: bytes.consul.raft }),
    },
  },
  {
    position: 'network',
    what: 'have Consul sign an agent certificate over the port that asks for none (AutoEncrypt)',
    attempt: w =>
      rpc(w, {
        address: addressOf(w.server),
        port: consul.port,
        tls: bytes.consul.insecureTls,
        method: 'AutoEncrypt.Sign',
        body: { Datacenter: 'dc1', CSR: 'x' },
      }),
    refusal: /AllowTLS must be enabled/,
    gain: answered,
  },
  {
    position: 'network',
    what: "have Consul hand out an agent's configuration, gossip key included (AutoConfig)",
    attempt: w =>
      rpc(w, {
        address: addressOf(w.server),
        port: consul.port,
        tls: bytes.consul.insecureTls,
        method: 'AutoConfig.InitialConfiguration',
        body: '\n\u0003dc1\u0012\bstranger"\u0001x',
      }),
    refusal: /auto.?config is disabled/i,
    gain: answered,
  },
  {
    position: 'network',
    what: "join Consul's gossip without a key",
    attempt: w => joinConsul(w, undefined),
    refusal: alone,
    gain: /server1/,
    control: { how: 'the gossip key', attempt: w => joinConsul(w, w.secrets.credentials.consulGossip.reveal()) },
  },
  {
    position: 'network',
    what: "join Consul's gossip with a wrong key",
    attempt: w => joinConsul(w, wrongKey),
    refusal: alone,
    gain: /server1/,
    control: { how: 'the gossip key', attempt: w => joinConsul(w, w.secrets.credentials.consulGossip.reveal()) },
  },
  {
    position: 'network',
    what: "join Nomad's gossip without a key",
    attempt: w => joinNomad(w, undefined),
    refusal: alone,
    gain: /server1\.global/,
    control: { how: 'the gossip key', attempt: w => joinNomad(w, w.secrets.credentials.nomadGossip.reveal()) },
  },
  {
    position: 'network',
    what: "join Nomad's gossip with a wrong key",
    attempt: w => joinNomad(w, wrongKey),
    refusal: alone,
    gain: /server1\.global/,
    control: { how: 'the gossip key', attempt: w => joinNomad(w, w.secrets.credentials.nomadGossip.reveal()) },
  },
];

import { randomUUID } from 'node:crypto';
import { filesWith } from '../../cluster/secrets.ts';
import type { Attack } from './attack.ts';
import { joinNomad } from './network.ts';
import { bytes } from './rpc.ts';
import { addressOf, http, type Pair, rpc, say, type World } from './world.ts';

const unheard = /^(closed|TLS|silence)/;
const denied = /403|Permission denied|not authorized|ACL not found|lacks permission/i;

/** A call over Nomad's RPC with a certificate and, where one is given, a token. */
function nomad(
  w: World,
  pair: Pair,
  method: string,
  body: Record<string, never> | object,
  token = '',
): Promise<string> {
  const call = { address: addressOf(w.server), port: 4647, tls: bytes.nomad.tls, protocol: bytes.nomad.rpc, method };
  return rpc(w, { ...call, ...pair, body: { Region: 'global', Namespace: 'default', AuthToken: token, ...body } });
}

/** What only servers may ask of each other. */
function serverOnly(
  what: string,
  method: string,
  body: object | ((w: World) => Promise<object>),
  gain: RegExp,
): Attack {
  const bodyOf = async (w: World) => (typeof body === 'function' ? body(w) : body);
  return {
    position: 'client',
    what,
    attempt: async w => nomad(w, w.stolen.pair, method, await bodyOf(w), w.stolen.nodeSecret),
    refusal: /invalid certificate|Permission denied/,
    gain,
    control: { how: "a server's certificate", attempt: async w => nomad(w, w.serverPair, method, await bodyOf(w)) },
  };
}

/** What an operator does, tried with the node's own secret. */
function asOperatorByRpc(what: string, method: string, body: object): Attack {
  return {
    position: 'client',
    what,
    attempt: w => nomad(w, w.stolen.pair, method, body, w.stolen.nodeSecret),
    refusal: denied,
    gain: /^answered/,
    control: {
      how: 'the management token',
      attempt: w => nomad(w, w.stolen.pair, method, body, w.secrets.credentials.nomadManagement.reveal()),
    },
  };
}

function asOperatorByCommand(what: string, argv: readonly string[], gain: RegExp): Attack {
  return {
    position: 'client',
    what,
    attempt: w => say(w.client, ['nomad', ...argv], { env: { NOMAD_TOKEN: w.stolen.nodeSecret } }),
    refusal: denied,
    gain,
    control: {
      how: 'the management token',
      attempt: w =>
        say(w.client, ['nomad', ...argv], { env: { NOMAD_TOKEN: w.secrets.credentials.nomadManagement.reveal() } }),
    },
  };
}

/** A request to Consul's API on the client itself, with each of the tokens that lie there. */
function withConsulTokens(what: string, path: string, argv: readonly string[] = [], gain = /HTTP 200/): Attack {
  const ask = (w: World, token: string) =>
    http(w.client, `http://127.0.0.1:8500${path}`, ['-H', `X-Consul-Token: ${token}`, ...argv]);
  return {
    position: 'client',
    what,
    attempt: async w => {
      const { credentials } = w.secrets;
      const stolen = [
        credentials.tokens.consul['client-agent'],
        credentials.tokens.consul['nomad-client'],
        credentials.tokens.consul.dns,
      ];
      const answers = await Promise.all(stolen.map(({ secretId }) => ask(w, secretId.reveal())));
      return answers.join(' / ').replaceAll('\n', ' ');
    },
    // Of a list only what may be seen is left, and that is nothing.
    refusal: /^(?:.*Permission denied.*HTTP (?:403|500)|\[\] HTTP 200)(?: \/ |$)/,
    gain,
    control: { how: 'the management token', attempt: w => ask(w, w.secrets.credentials.consulManagement.reveal()) },
  };
}

export const withAClient: readonly Attack[] = [
  {
    position: 'client',
    what: "speak Nomad's raft with the client's certificate",
    attempt: w =>
      rpc(w, {
        address: addressOf(w.server),
        port: 4647,
        tls: bytes.nomad.tls,
        protocol: bytes.nomad.raft,
        ...w.stolen.pair,
      }),
    refusal: unheard,
    gain: /^answered/,
    control: {
      how: "a server's certificate",
      attempt: w =>
        rpc(w, {
          address: addressOf(w.server),
          port: 4647,
          tls: bytes.nomad.tls,
          protocol: bytes.nomad.raft,
          ...w.serverPair,
        }),
    },
  },
  {
    position: 'client',
    what: "speak Consul's raft with the client's certificate",
    attempt: w =>
      rpc(w, {
        address: addressOf(w.server),
        port: 8300,
        tls: bytes.consul.tls,
        protocol: bytes.consul.raft,
        ...w.stolen.pair,
      }),
    refusal: unheard,
    gain: /^answered/,
    control: {
      how: "a server's certificate",
      attempt: w =>
        rpc(w, {
          address: addressOf(w.server),
          port: 8300,
          tls: bytes.consul.tls,
          protocol: bytes.consul.raft,
          ...w.serverPair,
        }),
    },
  },
  serverOnly(
    "fetch the key that signs all jobs' identities (Keyring.Get)",
    'Keyring.Get',
    async w => {
      const headers = ['-H', `X-Nomad-Token: ${w.secrets.credentials.nomadManagement.reveal()}`];
      const text = await http(w.server, 'http://127.0.0.1:4646/v1/operator/keyring/keys', headers);
      return { KeyID: /"KeyID":"([^"]+)"/.exec(text)?.[1] ?? '' };
    },
    /^answered.*KeyID/s,
  ),
  serverOnly(
    'take an evaluation out of the queue (Eval.Dequeue)',
    'Eval.Dequeue',
    { Schedulers: ['none'], SchedulerVersion: 1, Timeout: 1000 },
    /^answered/,
  ),
  serverOnly('submit a plan (Plan.Submit)', 'Plan.Submit', {}, /nil plan/),
  serverOnly('delete evaluations (Eval.Reap)', 'Eval.Reap', { Evals: [], Allocs: [] }, /^answered/),
  asOperatorByRpc('list the jobs by RPC (Job.List)', 'Job.List', {}),
  asOperatorByRpc('read the ACL tokens by RPC (ACL.ListTokens)', 'ACL.ListTokens', {}),
  asOperatorByRpc('read a variable by RPC (Variables.Read)', 'Variables.Read', { Path: 'attack' }),
  asOperatorByRpc("read the scheduler's settings by RPC", 'Operator.SchedulerGetConfiguration', {}),
  {
    position: 'client',
    what: "read the ACL tokens by RPC with Consul's tokens and the client's certificate",
    attempt: w =>
      nomad(
        w,
        w.stolen.pair,
        'ACL.ListTokens',
        {},
        w.secrets.credentials.tokens.consul['nomad-client'].secretId.reveal(),
      ),
    refusal: denied,
    gain: /^answered/,
    control: {
      how: 'the management token',
      attempt: w => nomad(w, w.stolen.pair, 'ACL.ListTokens', {}, w.secrets.credentials.nomadManagement.reveal()),
    },
  },
  {
    position: 'client',
    what: 'register another node under the identity of one that is there (Node.Register)',
    attempt: w => nomad(w, w.stolen.pair, 'Node.Register', { Node: nodeOf(w.stolen.nodeId, randomUUID()) }),
    refusal: /secret ID does not match|Permission denied/,
    gain: /^answered/,
    control: {
      how: 'an identity that nobody has',
      attempt: w => nomad(w, w.stolen.pair, 'Node.Register', { Node: nodeOf(randomUUID(), randomUUID()) }),
    },
  },
  asOperatorByCommand('register a job', ['job', 'run', '-detach', '/root/evil.nomad.hcl'], /exit 0/),
  asOperatorByCommand(
    "save a snapshot of Nomad's state",
    ['operator', 'snapshot', 'save', '/tmp/nomad.snap'],
    /exit 0/,
  ),
  asOperatorByCommand("list Nomad's signing keys", ['operator', 'root', 'keyring', 'list'], /exit 0/),
  asOperatorByCommand('make an ACL token', ['acl', 'token', 'create', '-type=client', '-policy=none'], /exit 0/),
  asOperatorByCommand('write a variable', ['var', 'put', '-force', 'evil', 'a=b'], /exit 0/),
  withConsulTokens('read the KV store', '/v1/kv/attack?raw'),
  withConsulTokens('list the KV store', '/v1/kv/?keys', [], /"attack"/),
  withConsulTokens('write the KV store', '/v1/kv/attack', ['-X', 'PUT', '-d', 'x']),
  withConsulTokens("read Consul's ACL tokens", '/v1/acl/tokens'),
  withConsulTokens('make a token of Consul', '/v1/acl/token', [
    '-X',
    'PUT',
    '-d',
    '{"Policies":[{"Name":"global-management"}]}',
  ]),
  withConsulTokens("save a snapshot of Consul's state", '/v1/snapshot'),
  withConsulTokens("read Consul's gossip keyring by its API", '/v1/operator/keyring'),
  withConsulTokens(
    'let services speak to each other (intentions)',
    '/v1/connect/intentions/exact?source=a&destination=b',
    ['-X', 'PUT', '-d', '{"Action":"allow"}'],
  ),
  withConsulTokens("change how Consul's authority signs", '/v1/connect/ca/configuration'),
  {
    position: 'client',
    what: "join Nomad's gossip with Consul's gossip key",
    attempt: w => joinNomad(w, w.secrets.credentials.consulGossip.reveal()),
    refusal: /stranger/,
    gain: /server1\.global/,
    control: { how: "Nomad's gossip key", attempt: w => joinNomad(w, w.secrets.credentials.nomadGossip.reveal()) },
  },
  {
    position: 'client',
    what: 'find any secret of the servers on the whole disk of the client',
    attempt: async ({ client, secrets }) => `${(await filesWith(client, secrets.ofServers)).length} files`,
    refusal: /^0 files$/,
    gain: /^[1-9]\d* files$/,
    control: {
      how: "a server's disk",
      attempt: async ({ server, secrets }) => `${(await filesWith(server, secrets.ofServers)).length} files`,
    },
  },
  {
    position: 'client',
    what: 'get a server secret out of the client token with the program itself (token show)',
    attempt: ({ client, secrets }) =>
      say(client, ['nomad-bootstrap', 'token', 'show', '--kind', 'nomad-management'], {
        env: { NOMAD_BOOTSTRAP_TOKEN: secrets.client },
      }),
    refusal: /does not hold/,
    gain: /exit 0/,
    control: {
      how: 'the server token',
      attempt: ({ client, secrets }) =>
        say(client, ['nomad-bootstrap', 'token', 'show', '--kind', 'nomad-management'], {
          env: { NOMAD_BOOTSTRAP_TOKEN: secrets.server },
        }),
    },
  },
];

function nodeOf(id: string, secret: string) {
  return {
    ID: id,
    SecretID: secret,
    Name: 'stranger',
    Datacenter: 'nowhere',
    NodePool: 'default',
    Status: 'ready',
    Attributes: { 'kernel.name': 'linux', 'cpu.arch': 'amd64', 'nomad.version': '2.0.5', 'driver.exec': '1' },
    Drivers: {},
  };
}

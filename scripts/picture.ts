// picture.ts: makes the pictures of real runs in docs/images/. It boots three servers and a client in the lab, runs
// dist/nomad-bootstrap on each, the last two in a terminal, and draws what that terminal shows at the end. Takes root,
// what the lab takes, and tmux.
import { mkdirSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { type LabNode, openLab } from '../test/lab/lab.ts';
import { terminalSvg } from './terminal-svg.ts';

const executable = 'dist/nomad-bootstrap';
const images = 'docs/images';
/** The same screens as text, for whoever writes about them. */
const screens = '.build/screens';
const columns = 116;
const rows = 80;
const commandSeconds = 300;

interface Recording {
  readonly name: string;
  readonly title: string;
  readonly commands: readonly string[];
}

mkdirSync(screens, { recursive: true });
const lab = await openLab();
try {
  const trust = lab.mirror.offer.flags;
  const servers = await Promise.all(['server1', 'server2', 'server3'].map(name => node(name)));
  const client = await node('client1');
  const join = servers.map(server => server.vlanAddress).join(',');
  const line = `nomad-bootstrap server --insecure --network vlan --expect 3 --join ${join}`;
  for (const server of servers.slice(0, 2)) await server.exec([...line.split(' '), ...trust]);

  await record(servers[2], {
    name: 'server',
    title: 'nomad-bootstrap makes the third server of a cluster; run again, it changes nothing',
    commands: [line, 'nomad-bootstrap server'],
  });
  await record(client, {
    name: 'client',
    title: 'nomad-bootstrap makes a client of a cluster; run again, it changes nothing',
    commands: [`nomad-bootstrap client --insecure --network vlan --join ${join}`, 'nomad-bootstrap client'],
  });

  async function node(name: string): Promise<LabNode> {
    const made = await lab.node({ name, linode: {} });
    await made.install(executable);
    return made;
  }

  /** What the lab's own keys need, as variables: the command line stays the one that a real node gets. */
  function variables(): readonly string[] {
    return trust.flatMap((flag, index) =>
      flag.startsWith('--')
        ? [`NOMAD_BOOTSTRAP_${flag.slice(2).toUpperCase().replaceAll('-', '_')}=${trust[index + 1]}`]
        : [],
    );
  }

  async function record(on: LabNode | undefined, { name, title, commands }: Recording): Promise<void> {
    if (on === undefined) throw new Error(`no node for ${name}`);
    const prompt = String.raw`PS1=\[\e[1;34m\]root@\h:~#\[\e[0m\] `;
    const environment = Object.entries(on.environment).map(([key, value]) => `${key}=${value}`);
    const shell = ['bash', '--noprofile', '--norc', '-i'];
    const tmux = (...argv: readonly string[]) => execa('tmux', ['-L', `lab-${lab.id}`, '-f', '/dev/null', ...argv]);
    await tmux(
      ...['new-session', '-d', '-s', name, '-x', String(columns), '-y', String(rows)],
      ...['env', '-i', ...environment, ...variables(), 'TERM=screen-256color', 'LANG=C.UTF-8', prompt],
      ...on.command(shell),
    );
    try {
      const prompts = async () =>
        ((await tmux('capture-pane', '-p', '-t', name)).stdout.match(/^root@.*:~#/gm) ?? []).length;
      await until(async () => (await prompts()) === 1, name);
      for (const [index, command] of commands.entries()) {
        await tmux('send-keys', '-t', name, command, 'Enter');
        await until(async () => (await prompts()) === index + 2, command);
      }
      const { stdout } = await tmux('capture-pane', '-p', '-e', '-t', name);
      const screen = stdout.trimEnd().split('\n').slice(0, -1).join('\n');
      writeFileSync(`${screens}/${name}.txt`, `${screen}\n`);
      writeFileSync(`${images}/${name}.svg`, terminalSvg(screen, title));
    } finally {
      await tmux('kill-session', '-t', name);
    }
  }
} finally {
  await lab.close();
}

async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  for (let waited = 0; waited < commandSeconds; waited += 0.2) {
    if (await holds()) return;
    await sleep(200);
  }
  throw new Error(`not done after ${commandSeconds} s: ${what}`);
}

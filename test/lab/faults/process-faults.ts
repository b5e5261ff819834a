import type { Event } from '../../../src/core/types.ts';
import { bootstrap, program } from '../../cluster/bootstrap.ts';
import { resume, signal, watchedRun } from '../kills.ts';
import { waitFor } from '../lab.ts';
import { type BootstrapFault, refused, script, shell, survived, type World } from './bootstrap-fault.ts';

const server = ['server', '--insecure', '--network', 'eth1'];
const log = '/var/log/nomad-bootstrap.log';
const nothing: BootstrapFault['inject'] = async () => undefined;

function starts(id: string): (event: Event) => boolean {
  return event => event.type === 'change-started' && event.id.startsWith(id);
}

/** Sends signals to the executable at the first event of a kind: each after so many milliseconds. */
function signalled(
  when: (event: Event) => boolean,
  signals: readonly (readonly [afterMs: number, name: NodeJS.Signals])[],
): NonNullable<BootstrapFault['run']> {
  return async ({ node }, argv) => {
    let sent = false;
    return watchedRun(node, argv, {
      onEvent(event, pidOf) {
        if (sent || !when(event)) return;
        sent = true;
        for (const [afterMs, name] of signals) {
          setTimeout(() => (name === 'SIGCONT' ? resume(pidOf()) : signal(pidOf(), name)), afterMs);
        }
      },
    });
  };
}

/** The executable within shell lines, with its log for what it told; `exit` is what it ended with. */
function within(lines: (command: string) => string): NonNullable<BootstrapFault['run']> {
  return async ({ node }, argv) => {
    const command = [program, ...argv].map(word => `'${word}'`).join(' ');
    const { exitCode, stderr } = await node.exec(['bash', '-c', lines(command)], { check: false, timeoutMs: 400_000 });
    const { stdout } = await node.exec(['sh', '-c', `cat ${log} 2>/dev/null || true`]);
    const ended = /^\S+ finished: converged/m.test(stdout);
    const events: Event[] = ended
      ? [{ type: 'finished', outcome: 'converged', changes: 0, message: '', durationMs: 0 }]
      : [];
    return { exitCode: ended || exitCode !== 0 ? exitCode : -1, stdout, stderr, events };
  };
}

/** That nothing that the run started is still at work. */
async function noChildLeft(world: World): Promise<void> {
  const { stdout } = await world.node.exec(['pgrep', '-l', '-x', 'apt-get|dpkg|apt'], { check: false });
  if (stdout !== '') throw new Error(`still at work: ${stdout}`);
}

/** What happens to the process of a bootstrap itself. */
export const processFaults: readonly BootstrapFault[] = [
  {
    id: 'ctrl-c',
    title: 'Ctrl-C while packages are installed: the change at hand is finished',
    inject: nothing,
    run: signalled(starts('packages:'), [[1500, 'SIGINT']]),
    expect: refused('interrupted', /change at hand was finished; run nomad-bootstrap image again/),
    after: noChildLeft,
  },
  {
    id: 'told-to-end',
    title: 'SIGTERM while packages are installed',
    inject: nothing,
    run: signalled(starts('packages:'), [[1500, 'SIGTERM']]),
    expect: refused('terminated', /change at hand was finished/),
    after: noChildLeft,
  },
  {
    id: 'ctrl-c-twice',
    title: 'Ctrl-C twice: the change at hand is ended as well',
    inject: nothing,
    run: signalled(starts('packages:'), [
      [1500, 'SIGINT'],
      [2000, 'SIGINT'],
    ]),
    expect: refused('interrupted', /a second time[\s\S]*run nomad-bootstrap image again/),
    after: noChildLeft,
  },
  {
    id: 'ctrl-c-while-locked',
    title: 'Ctrl-C while another process holds the lock of packages',
    inject: script(
      '(sleep 20 | dpkg --set-selections) >/dev/null 2>&1 & sleep 0.5',
      'pkill -x dpkg; pkill -x sleep; true',
    ),
    run: signalled(({ type }) => type === 'waiting', [[300, 'SIGINT']]),
    expect: refused('interrupted', /run nomad-bootstrap image again/),
  },
  {
    id: 'ctrl-c-while-waiting',
    title: 'Ctrl-C while the node waits for a server that is not there',
    argv: ['client', '--insecure', '--docker', 'none', '--network', 'eth1', '--join', '10.77.0.250'],
    inject: nothing,
    run: signalled(({ type }) => type === 'waiting', [[300, 'SIGINT']]),
    expect: refused('interrupted', /run nomad-bootstrap client again/),
    // There is no such server: the node itself is what it should be.
    heals: async world => {
      const { stdout } = await world.node.exec(['systemctl', 'is-active', 'nomad', 'consul']);
      if (stdout !== 'active\nactive\n') throw new Error(stdout);
    },
  },
  {
    id: 'hang-up',
    title: 'SIGHUP: the connection is lost',
    inject: nothing,
    run: signalled(starts('packages:'), [[1000, 'SIGHUP']]),
    expect: survived(),
  },
  {
    id: 'terminal-closed',
    title: 'the terminal is closed, and every write to it fails',
    inject: nothing,
    run: within(
      command => `script -qfc "${command}" /dev/null </dev/null >/dev/null 2>&1 & terminal=$!
for i in $(seq 600); do grep -qs 'change packages:apt: started' ${log} && break; sleep 0.1; done
kill -KILL $terminal
for i in $(seq 1200); do grep -qs ' finished: ' ${log} && exit 0; sleep 0.1; done; exit 99`,
    ),
    expect: survived(),
  },
  {
    id: 'pipe-closed',
    title: 'whoever reads the output goes away (EPIPE)',
    inject: nothing,
    run: within(command => `${command} --verbose 2>&1 | head -1 >/dev/null; exit \${PIPESTATUS[0]}`),
    expect: survived(),
  },
  {
    id: 'output-full',
    title: 'the output goes to a full disk',
    inject: nothing,
    run: within(command => `${command} >/dev/full 2>/dev/full`),
    expect: survived(),
  },
  {
    id: 'streams-closed',
    title: 'standard input and both outputs are closed',
    inject: nothing,
    run: within(command => `${command} <&- >&- 2>&-`),
    expect: survived(),
  },
  {
    id: 'second-run',
    title: 'a second run is started',
    inject: nothing,
    run: async (world, argv) => {
      const first = bootstrap(world.node, argv);
      await untilInstalling(world);
      const second = await bootstrap(world.node, argv);
      await first;
      return second;
    },
    expect: refused('locked', /nomad-bootstrap image \(process \d+, since .*Z\)[\s\S]*--wait-lock/),
  },
  {
    id: 'second-run-waits',
    title: 'a second run waits for the first with --wait-lock',
    inject: nothing,
    run: async (world, argv) => {
      const first = bootstrap(world.node, argv);
      await untilInstalling(world);
      const second = await bootstrap(world.node, [...argv, '--wait-lock', '300']);
      await first;
      return second;
    },
    expect: survived(/waiting for nomad-bootstrap image \(process \d+/),
  },
  {
    id: 'suspended',
    title: 'the process is stopped for 6 s (Ctrl-Z) and goes on',
    inject: nothing,
    run: signalled(starts('packages:'), [
      [500, 'SIGSTOP'],
      [6500, 'SIGCONT'],
    ]),
    expect: survived(),
  },
  {
    id: 'debugger',
    title: 'SIGUSR1, which opens a debugger in other programs that run on Node.js',
    inject: nothing,
    run: async ({ node }, argv) => {
      let listening = '';
      let looked: Promise<void> | undefined;
      const run = await watchedRun(node, argv, {
        onEvent(event, pidOf) {
          if (looked !== undefined || !starts('packages:')(event)) return;
          signal(pidOf(), 'SIGUSR1');
          looked = new Promise(resolve => setTimeout(resolve, 1000)).then(async () => {
            listening = (await node.exec(['ss', '-Hltnp', 'sport', '=', '9229'])).stdout;
          });
        },
      });
      await looked;
      if (listening !== '') throw new Error(`a debugger listens: ${listening}`);
      return run;
    },
    expect: survived(),
  },
  {
    id: 'package-manager-killed',
    title: 'the kernel kills dpkg and apt-get for want of memory',
    inject: nothing,
    run: async ({ node }, argv) => {
      const run = bootstrap(node, argv);
      await waitFor('dpkg', async () => {
        const busy =
          'pgrep -x dpkg >/dev/null && test -n "$(ls /var/lib/dpkg/updates)" && pkill -KILL -x "dpkg|apt-get"';
        return (await node.exec(['sh', '-c', busy], { check: false })).exitCode === 0 ? true : undefined;
      });
      return run;
    },
    expect: survived(),
  },
  {
    id: 'agent-killed',
    title: 'an agent is killed right after it was started',
    argv: server,
    inject: nothing,
    run: async ({ node }, argv) => {
      let killed: Promise<unknown> | undefined;
      const run = await watchedRun(node, argv, {
        onEvent(event) {
          if (event.type === 'change-applied' && event.id === 'agent:consul') {
            killed = node.exec(['systemctl', 'kill', '--signal', 'KILL', 'consul']);
          }
        },
      });
      await killed;
      return run;
    },
    expect: survived(),
  },
  {
    id: 'few-files',
    title: 'the process may open 64 files',
    inject: nothing,
    run: within(command => `ulimit -n 64; ${command}`),
    expect: survived(),
  },
  {
    id: 'umask',
    title: 'the umask is 077',
    argv: server,
    inject: nothing,
    run: within(command => `umask 077; ${command}`),
    expect: survived(),
    after: async world => {
      const { stdout } = await world.node.exec(['stat', '-c', '%a', '/etc/systemd/system/consul.service.d'], {
        check: false,
      });
      if (stdout !== '755\n') throw new Error(`modes: ${stdout}`);
    },
  },
  {
    id: 'folder-gone',
    title: 'the working folder has been deleted',
    inject: nothing,
    run: within(command => `mkdir /tmp/gone; cd /tmp/gone; rmdir /tmp/gone; ${command}`),
    expect: survived(),
  },
  {
    id: 'environment-empty',
    title: 'the environment is empty, PATH and HOME included, as in a unit or a hook',
    inject: nothing,
    run: within(command => `cd /; env -i /usr/local/bin/${command.replaceAll("'nomad-bootstrap'", 'nomad-bootstrap')}`),
    expect: survived(),
  },
  {
    id: 'locale',
    title: 'the locale is one that the machine does not have',
    inject: nothing,
    env: { LANG: 'tr_TR.UTF-8', LC_ALL: 'tr_TR.UTF-8', LANGUAGE: 'tr' },
    expect: survived(),
  },
  {
    id: 'proxy-of-agents',
    title: 'a proxy and NOMAD_ADDR, CONSUL_HTTP_ADDR of another cluster are in the environment of a server',
    argv: server,
    inject: nothing,
    env: {
      HTTP_PROXY: 'http://203.0.113.1:3128',
      HTTPS_PROXY: 'http://203.0.113.1:3128',
      NOMAD_ADDR: 'http://10.77.0.250:4646',
      CONSUL_HTTP_ADDR: '10.77.0.250:8500',
    },
    expect: survived(),
  },
];

async function untilInstalling(world: World): Promise<void> {
  await waitFor('the first run to install', async () => {
    const { exitCode } = await world.node.exec(['pgrep', '-x', 'apt-get'], { check: false });
    return exitCode === 0 ? true : undefined;
  });
  await shell(world, 'test -s /run/nomad-bootstrap.lock');
}

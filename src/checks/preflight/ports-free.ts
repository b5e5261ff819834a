import type { NodeConfig } from '../../config/config.ts';
import type { Check } from '../../core/types.ts';
import { isNode, type Target } from '../../target.ts';

interface Listener {
  readonly port: number;
  /** `name (pid 123)`; `another process` when ss cannot tell. */
  readonly process: string;
}

/** Nobody else listens on the TCP ports of an agent that is yet to be installed. */
export const portsFree: Check<Target> = {
  id: 'ports-free',
  title: "The agents' ports are free",
  appliesTo: isNode,
  async run(host, { facts, config }) {
    if (config.node === undefined) return { status: 'skip', detail: 'an image runs nothing' };
    const wanted = [
      ...(facts.installed.nomad === undefined ? nomadPorts(config.node) : []),
      ...(facts.installed.consul === undefined ? consulPorts(config.node) : []),
    ];
    if (wanted.length === 0) return { status: 'skip', detail: 'the agents are installed' };

    const { exitCode, stdout, stderr } = await host.query(['ss', '-Hltnp']);
    if (exitCode !== 0) return { status: 'skip', detail: `ss did not answer: ${stderr.trim() || `exit ${exitCode}`}` };
    const taken = parseListeners(stdout).filter(({ port }) => wanted.includes(port));
    if (taken.length === 0) return { status: 'pass', detail: wanted.join(', ') };
    return {
      status: 'fail',
      detail: [...new Set(taken.map(({ port, process }) => `port ${port} is used by ${process}`))].join(', '),
      hint: 'stop that process, or use another machine',
    };
  },
};

/** Source: https://developer.hashicorp.com/nomad/docs/install/production/requirements#ports-used */
function nomadPorts(node: NodeConfig): readonly number[] {
  return node.runsServer ? [4646, 4647, 4648] : [4646];
}

/** Source: https://developer.hashicorp.com/consul/docs/reference/architecture/ports */
function consulPorts(node: NodeConfig): readonly number[] {
  return node.runsServer ? [8300, 8301, 8500, 8502, 8503, 8600] : [8301, 8500, 8502, 8503, 8600];
}

/** Lines of `ss -Hltnp`: state, two queues, local address with port, peer, and `users:(("sshd",pid=1,fd=3))`. */
export function parseListeners(output: string): readonly Listener[] {
  return output
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .flatMap(([, , , local = '', , users = '']) => {
      const port = Number(/:(\d+)$/.exec(local)?.[1]);
      const [, name, pid] = /\(\("([^"]*)",pid=(\d+)/.exec(users) ?? [];
      return Number.isNaN(port)
        ? []
        : { port, process: name === undefined ? 'another process' : `${name} (pid ${pid})` };
    });
}

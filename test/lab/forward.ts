// forward.ts inside SOCKET PORT | outside SOCKET PORT: the two ends of a way from this machine's loopback to a node's. A unix
// socket joins them, since it is the same in every network namespace.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { labCgroup, makeCgroup } from './cgroups.ts';
import { runCommand, waitFor } from './commands.ts';
import { inNamespace, nodeNamespace } from './network.ts';
import { labDirectory } from './registry.ts';

/** Makes 127.0.0.1:`port` of this machine lead to the same on a node, until the node reboots or the lab is closed. */
export async function forwardPort(labId: string, node: string, port: number): Promise<void> {
  const cgroup = path.join(labCgroup(labId), 'forward');
  makeCgroup(cgroup);
  const socket = path.join(labDirectory(labId), `${port}.sock`);
  const start = (argv: readonly string[]) => {
    const join = 'echo $$ >"$0/cgroup.procs" && exec "$@"';
    const [program = '', ...rest] = argv;
    spawn('sh', ['-c', join, cgroup, program, ...rest], { detached: true, stdio: 'ignore' }).unref();
  };
  const self = [process.execPath, import.meta.filename];
  start(inNamespace(nodeNamespace(labId, node), [...self, 'inside', socket, String(port)]));
  start([...self, 'outside', socket, String(port)]);
  await waitFor(`port ${port} of the loopback`, async () => {
    const probe = ['bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${port}`];
    return existsSync(socket) && (await runCommand(probe, { check: false })).exitCode === 0 ? true : undefined;
  });
}

function join(from: Socket, to: Socket): void {
  from.pipe(to).pipe(from);
  for (const [one, other] of [
    [from, to],
    [to, from],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}

if (import.meta.main) {
  const [end, socket = '', port = ''] = process.argv.slice(2);
  const target = end === 'inside' ? { port: Number(port), host: '127.0.0.1' } : { path: socket };
  const server = createServer(client => join(client, connect(target)));
  if (end === 'inside') server.listen(socket);
  else server.listen(Number(port), '127.0.0.1');
}

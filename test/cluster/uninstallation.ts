import { expect } from 'vitest';
import { compareTrees, type ExecOptions, type Lab, type LabNode, type System, type Tree, waitFor } from '../lab/lab.ts';
import { bootstrap, ending, eventsNamed, failure, freshNode, inLab, madeTrue, planned, program } from './bootstrap.ts';
import { isLeftover } from './leftovers.ts';

/** The lab's rpm of iptables does not own this folder, as the real one does. */
const ofTheLab = '/usr/lib/x86_64-linux-gnu/xtables';

/** What is not as it was, but for what the list of leftovers has. */
export async function differences(
  node: LabNode,
  before: Tree,
  except: readonly string[] = [],
): Promise<readonly string[]> {
  const found = compareTrees(before, await node.snapshotTree());
  return [...found]
    .filter(([path]) => path !== ofTheLab && !isLeftover(path, node.system))
    .filter(([path]) => !except.some(folder => path === folder || path.startsWith(`${folder}/`)))
    .map(([path, what]) => `${what} ${path}`);
}

export async function settled(node: LabNode, argv: readonly string[], options: ExecOptions = {}): Promise<void> {
  const run = await bootstrap(node, argv, options);
  expect([run.exitCode, failure(run)]).toEqual([0, undefined]);
}

/** How a cluster's nodes are made, and how it is asked about itself: with a token, or without any. */
interface Access {
  readonly flags: readonly string[];
  readonly server: ExecOptions;
  readonly client: ExecOptions;
  readonly headers: readonly string[];
}

const open: Access = { flags: ['--insecure'], server: {}, client: {}, headers: [] };

async function withToken(node: LabNode): Promise<Access> {
  const say = async (argv: readonly string[], options?: ExecOptions) =>
    (await node.exec([program, 'token', ...argv], options)).stdout.trim();
  const given = (token: string): ExecOptions => ({ env: { NOMAD_BOOTSTRAP_TOKEN: token } });
  const server = given(await say(['create']));
  const secret = (kind: string) => say(['show', '--kind', kind], server);
  return {
    flags: [],
    server,
    client: given(await say(['client'], server)),
    headers: [
      ...['-H', `X-Nomad-Token: ${await secret('nomad-management')}`],
      ...['-H', `X-Consul-Token: ${await secret('consul-management')}`],
    ],
  };
}

export function insecure(lab: Lab): readonly string[] {
  return ['--insecure', '--network', 'eth1', ...lab.mirror.offer.flags];
}

/** An operator's file in a folder that a package will give to its user. */
const operators = '/etc/nomad.d/zz-local.hcl';

async function freshNodes(lab: Lab, system: System): Promise<readonly [LabNode, LabNode]> {
  const server = await freshNode(lab, { name: 'server', system });
  const client = await freshNode(lab, { name: 'client', system });
  await server.exec(['mkdir', '-m', '0750', '/etc/nomad.d']);
  await server.writeFile(operators, 'enable_debug = true\n', 0o640);
  return [server, client];
}

/**
 * Makes a server and a client with Docker and a job, on Debian 13 with a token and else without, and takes both away again:
 * with their data and without. Fails where anything is not as it was.
 */
export async function leavesBothAsTheyWere(system: System): Promise<void> {
  await inLab(async lab => {
    const [server, client] = await freshNodes(lab, system);
    const access = system === 'debian13' ? await withToken(server) : open;
    const flags = ['--network', 'eth1', ...access.flags, ...lab.mirror.offer.flags];
    const before = { server: await server.snapshotTree(), client: await client.snapshotTree() };
    await settled(server, ['server', '--expect', '1', ...flags], access.server);
    await settled(client, ['client', '--raw-exec', '--join', server.vlanAddress ?? '', ...flags], access.client);
    const ask = (url: string) => json(server, url, access.headers);
    await runJob(server, access.headers);

    const dryRun = await bootstrap(client, ['uninstall', '--purge-data', '--dry-run'], { readOnlyRoot: true });
    const removal = await bootstrap(client, ['uninstall', '--purge-data']);

    expect([removal.exitCode, failure(removal)]).toEqual([0, undefined]);
    expect(planned(dryRun)).toEqual(madeTrue(removal));
    expect(eventsNamed(removal, 'notice').map(({ message }) => message)).toEqual([]);
    expect(await differences(client, before.client)).toEqual([]);
    // The cluster knows: the job was moved away before the agent ended, and Consul lost the node at once.
    const [node] = await ask('http://127.0.0.1:4646/v1/nodes');
    expect(node).toMatchObject({ Name: 'client', LastDrain: { Status: 'complete' } });
    expect((await ask('http://127.0.0.1:8500/v1/catalog/nodes')).map(({ Node }) => Node)).toEqual(['server']);

    const again = await bootstrap(client, ['uninstall', '--purge-data']);
    expect([again.exitCode, ending(again)]).toMatchObject([0, { type: 'finished', changes: 0 }]);

    const keeping = await bootstrap(server, ['uninstall']);
    expect([keeping.exitCode, failure(keeping)]).toEqual([0, undefined]);
    expect(
      eventsNamed(keeping, 'notice')
        .map(({ message }) => message)
        .sort(),
    ).toEqual(['kept: the data in /opt/consul', 'kept: the data in /opt/nomad/data']);
    const data = ['/opt/nomad', '/opt/consul'];
    expect(await differences(server, before.server, data)).toEqual([]);
    const owners = await server.exec(['stat', '-c', '%a %U:%G', '/opt/nomad/data', '/opt/consul']);
    expect(owners.stdout).toBe('700 root:root\n700 root:root\n');

    // What was kept is taken up again.
    const id = await server.exec(['cat', '/opt/nomad/data/server/node-id']);
    await settled(server, ['server', '--expect', '1', ...flags], access.server);
    expect((await server.exec(['cat', '/opt/nomad/data/server/node-id'])).stdout).toBe(id.stdout);
  });
}

export async function json(
  node: LabNode,
  url: string,
  headers: readonly string[] = [],
): Promise<readonly Record<string, unknown>[]> {
  return JSON.parse((await node.exec(['curl', '-sS', '-m', '20', ...headers, url])).stdout);
}

/** A job of one task that never ends, running on the client. */
export async function runJob(server: LabNode, headers: readonly string[]): Promise<void> {
  const task = { Name: 'sleep', Driver: 'raw_exec', Config: { command: '/bin/sleep', args: ['3600'] } };
  const Job = {
    ID: 'lasting',
    Type: 'service',
    Datacenters: ['*'],
    TaskGroups: [{ Name: 'lasting', Tasks: [{ ...task, Resources: { CPU: 50, MemoryMB: 32 } }] }],
  };
  const url = 'http://127.0.0.1:4646/v1/jobs';
  await server.exec(['curl', '-sS', '-f', ...headers, '-X', 'PUT', url, '-d', JSON.stringify({ Job })]);
  await waitFor('the job to run', async () => {
    const [allocation] = await json(server, 'http://127.0.0.1:4646/v1/job/lasting/allocations', headers);
    return allocation?.['ClientStatus'] === 'running' ? true : undefined;
  });
}

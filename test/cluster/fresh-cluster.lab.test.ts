import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, type LabNode, openLab, waitFor, whyNoLab } from '../lab/lab.ts';
import {
  bootstrap,
  complaints,
  ending,
  failure,
  freshNode,
  madeTrue,
  planned,
  type Run,
  statusOf,
  type Traces,
  touched,
  traces,
  verify,
} from './bootstrap.ts';

const reason = whyNoLab();
if (reason !== undefined) process.stderr.write(`skipped: test/cluster/fresh-cluster.lab.test.ts: ${reason}\n`);

/** What a finished node may go on writing by itself, and why. */
const alive = [
  /^\/opt\/(nomad|consul)(\/|$)/, // the agents' own state: raft, keyrings, allocations
  /^\/var\/log(\/|$)/, // the log of every run is appended to
  /^\/var\/lib\/rpm\/rpmdb\.sqlite-(shm|wal)$/, // SQLite's register of readers: any `rpm -q` by root writes it
];

describe.skipIf(reason !== undefined)(
  'three servers, one of them with dnf, and two clients, made by one line each',
  () => {
    let lab: Lab;
    let servers: readonly LabNode[];
    let clients: readonly LabNode[];
    let nodes: readonly LabNode[];
    let fresh: readonly Traces[];
    let dryRuns: readonly Run[];
    let untouched: readonly (readonly string[])[];
    let runs: readonly Run[];

    const line = (node: LabNode): readonly string[] => [
      ...(servers.includes(node) ? ['server', '--expect', '3'] : ['client']),
      ...['--insecure', '--join', servers.map(({ vlanAddress }) => vlanAddress).join(',')],
      ...lab.mirror.offer.flags,
    ];
    const each = <T>(work: (node: LabNode) => Promise<T>): Promise<T[]> => Promise.all(nodes.map(work));
    const get = async (node: LabNode, url: string): Promise<unknown> =>
      JSON.parse((await node.exec(['curl', '-sS', '--fail', '--max-time', '10', url])).stdout);

    beforeAll(async () => {
      lab = await openLab();
      servers = [
        await freshNode(lab, { name: 'server1', system: 'rocky9' }),
        await freshNode(lab, { name: 'server2', system: 'debian13' }),
        await freshNode(lab, { name: 'server3', system: 'debian12' }),
      ];
      clients = [
        await freshNode(lab, { name: 'client1', system: 'debian12' }),
        await freshNode(lab, { name: 'client2', system: 'rocky9' }),
      ];
      nodes = [...servers, ...clients];

      fresh = await each(node => traces(node));
      dryRuns = await each(node => bootstrap(node, [...line(node), '--dry-run'], { readOnlyRoot: true }));
      const afterwards = await each(node => traces(node));
      untouched = afterwards.map((tree, index) => touched(fresh[index] ?? new Map(), tree));

      runs = await each(node => bootstrap(node, line(node)));
    });

    afterAll(() => lab?.close());

    it('lists on a dry run, on a root that is mounted read-only, every change that the run then makes, and no other', () => {
      expect(dryRuns.map(run => [run.exitCode, failure(run)])).toEqual(nodes.map(() => [0, undefined]));
      for (const [index, dryRun] of dryRuns.entries()) {
        const run = runs[index] as Run;
        expect(planned(dryRun).length).toBeGreaterThan(5);
        expect(planned(dryRun)).toEqual(madeTrue(run));
        expect(planned(dryRun)).toEqual(planned(run));
      }
    });

    it('touches nothing on a dry run', () => {
      expect(untouched).toEqual(nodes.map(() => []));
    });

    it('ends with 0 on each node, all started at once', () => {
      expect(runs.map(run => [run.exitCode, failure(run)])).toEqual(nodes.map(() => [0, undefined]));
    });

    it('is healthy as each node sees it', async () => {
      const reports = await each(node => verify(node, ['--wait', '60']));

      expect(reports.map(complaints)).toEqual(nodes.map(() => []));
      expect(reports.map(({ exitCode, report }) => [exitCode, report.ok])).toEqual(nodes.map(() => [0, true]));
      expect(reports.map(({ report }) => [report.node, report.role])).toEqual(
        nodes.map(node => [node.name, servers.includes(node) ? 'server' : 'client']),
      );
      for (const report of reports.slice(servers.length)) {
        const ids = ['docker', 'cni-plugins', 'nomad-client-ready', 'nomad-client-bridge'];
        expect(ids.map(id => [id, statusOf(report, id)])).toEqual(ids.map(id => [id, 'pass']));
      }
    });

    it('has one leader in Nomad and one in Consul, the same for everybody, on the private network', async () => {
      const nomad = await each(node => get(node, 'http://127.0.0.1:4646/v1/status/leader'));
      const consul = await each(node => get(node, 'http://127.0.0.1:8500/v1/status/leader'));

      const addresses = servers.map(({ vlanAddress }) => vlanAddress);
      expect(new Set(nomad).size).toBe(1);
      expect(new Set(consul).size).toBe(1);
      expect(addresses.map(address => `${address}:4647`)).toContain(nomad[0]);
      expect(addresses.map(address => `${address}:8300`)).toContain(consul[0]);
    });

    it('has clients that are ready, with Docker healthy and a bridge network', async () => {
      const [server] = servers as [LabNode];
      const listed = (await get(server, 'http://127.0.0.1:4646/v1/nodes')) as { ID: string; Name: string }[];

      expect(listed.map(({ Name }) => Name).sort()).toEqual(clients.map(({ name }) => name));
      for (const { ID } of listed) {
        const client = (await get(server, `http://127.0.0.1:4646/v1/node/${ID}`)) as ClientNode;
        expect([client.Status, client.SchedulingEligibility]).toEqual(['ready', 'eligible']);
        expect(client.Drivers['docker']).toMatchObject({ Detected: true, Healthy: true });
        expect(client.Attributes['plugins.cni.version.bridge']).toMatch(/^1\./);
        expect(client.NodeResources.Networks.map(({ Mode }) => Mode)).toContain('bridge');
      }
    });

    it('changes nothing when the same line is run again, or without the flags: neither the disk, nor a unit, nor upstream', async () => {
      const units = async (node: LabNode) => {
        // The last one runs only when somebody asks it, and then systemd makes folders for it.
        const names = ['nomad', 'consul', 'docker', 'systemd-timedated'];
        return (await node.exec(['systemctl', 'show', '-p', 'Id,ActiveState,InvocationID', ...names])).stdout;
      };
      const before = await each(async node => ({ units: await units(node), traces: await traces(node) }));
      await lab.mirror.forgetRequests();

      const reruns = await each(async node => [
        await bootstrap(node, line(node)),
        await bootstrap(node, [servers.includes(node) ? 'server' : 'client']),
      ]);

      for (const run of reruns.flat()) {
        expect(ending(run)).toMatchObject({ type: 'finished', outcome: 'converged', changes: 0 });
        expect(run.exitCode).toBe(0);
      }
      expect(await lab.mirror.requests()).toEqual([]);
      const after = await each(async node => ({ units: await units(node), traces: await traces(node) }));
      expect(after.map(node => node.units)).toEqual(before.map(node => node.units));
      for (const [index, node] of after.entries()) {
        expect(touched(before[index]?.traces ?? new Map(), node.traces, alive)).toEqual([]);
      }
    });

    it('runs a job in a container on a bridge network, whose port answers on the private network and not on the public one', async context => {
      context.skip(lab.mirror.offer.nomad.standIn, 'a stand-in for Nomad runs no jobs');
      const [server] = servers as [LabNode];
      const [client] = clients as [LabNode];
      await client.importImage('lab/busybox:1');
      await server.writeFile('/root/web.nomad.hcl', webJob(client.name));
      await server.exec(['nomad', 'job', 'run', '-detach', '/root/web.nomad.hcl']);

      const port = await waitFor('the job to run', () => portOf(server, 'web'), { timeoutMs: 120_000, everyMs: 500 });
      const fetchFrom = (address: string) =>
        server.exec(['curl', '-sS', '--max-time', '5', `http://${address}:${port.Value}/`], { check: false });
      const served = await waitFor(
        'the job to serve',
        async () => {
          const answer = await fetchFrom(port.HostIP);
          return answer.exitCode === 0 ? answer.stdout : undefined;
        },
        { timeoutMs: 30_000, everyMs: 500 },
      );

      expect(port.HostIP).toBe(client.vlanAddress);
      expect(served).toBe('served from a bridge\n');
      expect((await fetchFrom(client.publicAddress ?? '')).exitCode).not.toBe(0);
      const registered = await waitFor(
        'Consul to find the job healthy',
        async () => {
          const found = await get(client, 'http://127.0.0.1:8500/v1/health/service/web?passing');
          return (found as { Service: { Address: string; Port: number } }[])[0]?.Service;
        },
        { timeoutMs: 30_000, everyMs: 500 },
      );
      expect(registered).toMatchObject({ Address: client.vlanAddress, Port: port.Value });
    });

    it('notices a hand edit of a configuration, and the next run takes it back', async () => {
      const [client] = clients as [LabNode];
      const former = await client.readFile('/etc/nomad.d/nomad.hcl');
      await client.exec(['sh', '-c', 'echo "# by hand" >>/etc/nomad.d/nomad.hcl']);

      const drifted = await verify(client);
      expect(drifted.exitCode).toBe(1);
      expect(complaints(drifted)).toEqual([expect.stringMatching(/^config-drift: .*agent:nomad/)]);

      const run = await bootstrap(client, ['client']);
      expect(run.exitCode, JSON.stringify(ending(run))).toBe(0);
      expect(madeTrue(run)).toEqual(['agent:nomad']);
      expect(await client.readFile('/etc/nomad.d/nomad.hcl')).toBe(former);
      expect(complaints(await verify(client))).toEqual([]);
    });

    it('keeps the former configuration, and the agent running with it, when the agent refuses the new one', async () => {
      const client = clients[1] as LabNode;
      const configuration = async () => [
        await client.readFile('/etc/nomad.d/nomad.hcl'),
        (await client.exec(['systemctl', 'show', '-p', 'ActiveState,InvocationID', 'nomad'])).stdout,
      ];
      const former = await configuration();
      await client.writeFile('/etc/nomad.d/zz-local.hcl', 'client { no_such_setting = true }\n');

      const refused = await bootstrap(client, ['client', '--node-class', 'web']);

      expect(refused.exitCode).toBe(1);
      expect(failure(refused)).toMatchObject({
        code: 'config-refused',
        detail: expect.stringContaining('no_such_setting'),
        hint: expect.stringContaining('/etc/nomad.d'),
      });
      expect(await configuration()).toEqual(former);

      await client.writeFile('/etc/nomad.d/zz-local.hcl', 'client { max_kill_timeout = "45s" }\n');
      const accepted = await bootstrap(client, ['client', '--node-class', 'web']);
      expect(accepted.exitCode, JSON.stringify(ending(accepted))).toBe(0);
      expect(madeTrue(accepted)).toContain('agent:nomad');
      expect(await client.readFile('/etc/nomad.d/nomad.hcl')).toContain('"web"');
    });

    it('is never made another role, name or version of itself by a slip of the hand', async () => {
      const [server] = servers as [LabNode];
      const before = await traces(server);
      const slips = [
        ['client', '--insecure', '--join', '10.77.0.12'],
        ['dev'],
        ['server', '--name', 'other'],
        ['server', '--region', 'other'],
        ['server', '--datacenter', 'other'],
        ['server', '--network', 'eth0'],
      ];

      for (const slip of slips) {
        const run = await bootstrap(server, slip);
        expect([slip, run.exitCode]).toEqual([slip, 2]);
        expect(failure(run)?.hint).toMatch(/\w/);
      }
      expect(touched(before, await traces(server), alive)).toEqual([]);
      expect(complaints(await verify(server))).toEqual([]);
    });

    it('comes back healthy by itself after a node was rebooted', async () => {
      const rebooted = [servers[0], servers[2], clients[0]] as LabNode[];
      for (const node of rebooted) {
        await node.reboot();
        const report = await verify(node, ['--wait', '120']);
        expect([node.name, complaints(report), report.exitCode]).toEqual([node.name, [], 0]);
      }
      const reports = await each(node => verify(node, ['--wait', '60']));
      expect(reports.map(complaints)).toEqual(nodes.map(() => []));
    });
  },
);

/** What is read of `GET /v1/node/:id`. */
interface ClientNode {
  readonly Status: string;
  readonly SchedulingEligibility: string;
  readonly Attributes: Readonly<Record<string, string>>;
  readonly Drivers: Readonly<Record<string, { readonly Detected: boolean; readonly Healthy: boolean }>>;
  readonly NodeResources: { readonly Networks: readonly { readonly Mode: string }[] };
}

interface Port {
  readonly Value: number;
  readonly HostIP: string;
}

/** The port of a job's running allocation; undefined while there is none. */
async function portOf(server: LabNode, job: string): Promise<Port | undefined> {
  const { stdout } = await server.exec(['nomad', 'job', 'allocs', '-json', job]);
  const running = (JSON.parse(stdout) as { ID: string; ClientStatus: string }[]).find(
    ({ ClientStatus }) => ClientStatus === 'running',
  );
  if (running === undefined) return undefined;
  const allocation = JSON.parse((await server.exec(['nomad', 'alloc', 'status', '-json', running.ID])).stdout) as {
    AllocatedResources: { Shared: { Ports: Port[] } };
  };
  return allocation.AllocatedResources.Shared.Ports[0];
}

function webJob(node: string): string {
  return `
job "web" {
  constraint {
    attribute = "\${node.unique.name}"
    value     = "${node}"
  }
  group "web" {
    network {
      mode = "bridge"
      port "http" {
        to           = 8080
        host_network = "private"
      }
    }
    service {
      name     = "web"
      port     = "http"
      provider = "consul"
      check {
        type     = "http"
        path     = "/"
        interval = "2s"
        timeout  = "1s"
      }
    }
    task "httpd" {
      driver = "docker"
      config {
        image   = "lab/busybox:1"
        command = "sh"
        args    = ["-c", "mkdir -p /www; echo served from a bridge >/www/index.html; exec httpd -f -p 8080 -h /www"]
      }
      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
`;
}

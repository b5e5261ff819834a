import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { certificateOf } from '../../src/resources/server-certificate.ts';
import { makeLeaf } from '../../src/token/certificates.ts';
import type { ServerCredentials } from '../../src/token/credentials.ts';
import { runCommand } from '../lab/commands.ts';
import { type ExecOptions, type Lab, type LabNode, openLab, waitFor, whyNoLab, whyNoRealAgents } from '../lab/lab.ts';
import { inNamespace, nodeNamespace } from '../lab/network.ts';
import { type SeenProcess, watchProcesses } from '../lab/processes.ts';
import {
  bootstrap,
  complaints,
  ending,
  failure,
  freshNode,
  madeTrue,
  planned,
  program,
  type Run,
  statusOf,
  type Traces,
  touched,
  traces,
  verify,
} from './bootstrap.ts';
import { type ClusterSecrets, clusterSecrets, filesWith, leaksOf } from './secrets.ts';

const reason = whyNoLab();
if (reason !== undefined) process.stderr.write(`skipped: test/cluster/fresh-cluster.lab.test.ts: ${reason}\n`);
/** Then the cluster is made without a token, and what needs one, or a job, is skipped. */
const noToken = whyNoRealAgents();

/** What a finished node may go on writing by itself, and why. */
const alive = [
  /^\/opt\/(nomad|consul)(\/|$)/, // the agents' own state: raft, keyrings, allocations
  /^\/var\/log(\/|$)/, // the log of every run is appended to
  /^\/var\/lib\/rpm\/rpmdb\.sqlite-(shm|wal)$/, // SQLite's register of readers: any `rpm -q` by root writes it
];

/** What a careless operator's shell may have: none of it reaches what is run. */
const foreign = {
  NOMAD_ADDR: 'http://192.0.2.1:4646',
  NOMAD_TOKEN: 'of-another-cluster',
  CONSUL_HTTP_ADDR: 'http://192.0.2.1:8500',
  CONSUL_HTTP_TOKEN: 'of-another-cluster',
  VAULT_TOKEN: 'of-another-cluster',
};

/** Access control is the cluster's, and is made by whichever server comes first: no dry run can say which. */
const isOfNode = (id: string): boolean => !id.startsWith('acl:');

describe.skipIf(reason !== undefined)(
  `three servers, one of them with dnf, and two clients, made by one line each ${noToken === undefined ? 'from one token' : 'without a token'}`,
  () => {
    let lab: Lab;
    let servers: readonly LabNode[];
    let clients: readonly LabNode[];
    let nodes: readonly LabNode[];
    let fresh: readonly Traces[];
    let dryRuns: readonly Run[];
    let untouched: readonly (readonly string[])[];
    let runs: readonly Run[];
    let secrets: ClusterSecrets;
    let processes: readonly SeenProcess[];

    const tokenFile = '/root/cluster.token';
    const line = (node: LabNode): readonly string[] => [
      ...(servers.includes(node) ? ['server', '--expect', '3'] : ['client']),
      ...['--join', servers.map(({ vlanAddress }) => vlanAddress).join(',')],
      ...(noToken !== undefined ? ['--insecure'] : byVariable(node) ? [] : ['--token-file', tokenFile]),
      ...lab.mirror.offer.flags,
    ];
    /** The last of each kind has its token in a variable. */
    const byVariable = (node: LabNode): boolean =>
      noToken === undefined && (node === servers[2] || node === clients[1]);
    const tokenOf = (node: LabNode): string => (servers.includes(node) ? secrets.server : secrets.client);
    const given = (node: LabNode): ExecOptions =>
      byVariable(node) ? { env: { NOMAD_BOOTSTRAP_TOKEN: tokenOf(node), ...foreign } } : { env: foreign };
    const each = <T>(work: (node: LabNode) => Promise<T>): Promise<T[]> => Promise.all(nodes.map(work));
    /** Asks as an operator with both management tokens would. */
    const get = async (node: LabNode, url: string): Promise<unknown> => {
      const { nomadManagement, consulManagement } = secrets.credentials;
      const headers = [`X-Nomad-Token: ${nomadManagement.reveal()}`, `X-Consul-Token: ${consulManagement.reveal()}`];
      const command = ['curl', '-sS', '--fail', '--max-time', '10', '-H', '@-', url];
      return JSON.parse((await node.exec(command, { stdin: headers.join('\n') })).stdout);
    };
    const asOperator = (): ExecOptions => ({ env: { NOMAD_TOKEN: secrets.credentials.nomadManagement.reveal() } });

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
      const [first] = servers as [LabNode];
      const server = (await first.exec([program, 'token', 'create'])).stdout.trim();
      const ofServer = { env: { NOMAD_BOOTSTRAP_TOKEN: server } };
      secrets = await clusterSecrets(server, (await first.exec([program, 'token', 'client'], ofServer)).stdout.trim());
      for (const node of nodes) if (!byVariable(node)) await node.writeFile(tokenFile, `${tokenOf(node)}\n`, 0o600);

      // Each refuses whatever nobody has opened.
      await withFirewall(servers[2] as LabNode, 'firewalld', 'true');
      await withFirewall(clients[0] as LabNode, 'ufw', 'ufw --force enable');

      fresh = await each(node => traces(node));
      dryRuns = await each(node =>
        bootstrap(node, [...line(node), '--dry-run'], { ...given(node), readOnlyRoot: true }),
      );
      const afterwards = await each(node => traces(node));
      untouched = afterwards.map((tree, index) => touched(fresh[index] ?? new Map(), tree));

      const watch = watchProcesses(lab.id);
      runs = await each(node => bootstrap(node, line(node), given(node)));
      watch.stop();
      processes = watch.seen();
    });

    afterAll(() => lab?.close());

    it('lists on a dry run, on a root that is mounted read-only, every change that the run then makes, and no other', () => {
      expect(dryRuns.map(run => [run.exitCode, failure(run)])).toEqual(nodes.map(() => [0, undefined]));
      for (const [index, dryRun] of dryRuns.entries()) {
        const run = runs[index] as Run;
        expect(planned(dryRun).length).toBeGreaterThan(5);
        expect(planned(dryRun)).toEqual(madeTrue(run).filter(isOfNode));
        expect(planned(dryRun)).toEqual(planned(run).filter(isOfNode));
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
        await bootstrap(node, line(node), given(node)),
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
      context.skip(noToken !== undefined, noToken);
      const [server] = servers as [LabNode];
      const [client] = clients as [LabNode];
      await client.importImage('lab/busybox:1');
      await server.writeFile('/root/web.nomad.hcl', webJob(client.name));
      await server.exec(['nomad', 'job', 'run', '-detach', '/root/web.nomad.hcl'], asOperator());

      const port = await waitFor('the job to run', () => portOf(server, 'web', asOperator()), {
        timeoutMs: 120_000,
        everyMs: 500,
      });
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

    it("renews servers' certificates under load, one server at a time, and neither a leader nor an allocation goes", async context => {
      context.skip(noToken !== undefined, noToken);
      const [server] = servers as [LabNode];
      const state = async () => ({
        nomad: await get(server, 'http://127.0.0.1:4646/v1/status/leader'),
        consul: await get(server, 'http://127.0.0.1:8500/v1/status/leader'),
        allocations: ((await get(server, 'http://127.0.0.1:4646/v1/allocations?task_states=true')) as Allocation[])
          .filter(({ ClientStatus }) => ClientStatus === 'running')
          .map(({ ID, TaskStates }) => [ID, TaskStates['httpd']?.Restarts, TaskStates['httpd']?.StartedAt]),
      });
      const serial = async (node: LabNode) =>
        new X509Certificate(await node.readFile('/etc/nomad.d/tls/agent.pem')).serialNumber;
      for (const node of servers) await nearItsEnd(node, secrets.credentials);
      const old = await Promise.all(servers.map(serial));
      const before = await state();
      expect(before.allocations.length).toBe(1);
      const { stdout: began } = await server.exec(['date', '+%s']);
      await Promise.all(servers.map(node => startLoad(node, secrets.credentials)));

      const renew = ['systemctl', 'start', 'nomad-bootstrap-renew.service'];
      const outcome = async (node: LabNode) => {
        await node.exec(renew);
        const last = await node.exec([
          'journalctl',
          '-u',
          'nomad-bootstrap-renew',
          '-o',
          'cat',
          '--no-pager',
          '-n',
          '8',
        ]);
        return /was renewed|comes later|is not due/.exec(last.stdout)?.[0];
      };
      const first = await Promise.all(servers.map(outcome));
      // Who found another at work comes later, by itself a day.
      expect(first).toContain('was renewed');
      expect(first.filter(text => text !== 'was renewed' && text !== 'comes later')).toEqual([]);
      for (const node of servers) expect(await outcome(node)).toMatch(/was renewed|is not due/);
      for (const node of servers) expect(await outcome(node)).toBe('is not due');

      const load = await Promise.all(servers.map(stopLoad));
      expect(await state()).toEqual(before);
      const lost = await Promise.all(
        servers.map(async node => {
          const since = ['-u', 'nomad', '-u', 'consul', `--since=@${began.trim()}`];
          const { stdout } = await node.exec(['journalctl', ...since, '-o', 'cat', '--no-pager']);
          expect(stdout).toMatch(/reload/i);
          return stdout
            .split('\n')
            .filter(text => /leadership lost|entering candidate state|stepping down/i.test(text));
        }),
      );
      expect(lost).toEqual(servers.map(() => []));
      for (const answers of load) {
        expect(answers.length).toBeGreaterThan(20);
        // A request that was under way on a connection that is closed may fail; a cluster without a leader fails them all.
        expect(answers.filter(code => code !== '200').length).toBeLessThan(answers.length / 20);
      }
      const renewed = await Promise.all(servers.map(serial));
      expect(renewed.filter(each => old.includes(each))).toEqual([]);
      for (const node of servers) {
        const seen = await servedCertificate(lab, node);
        expect([node.name, new X509Certificate(seen).serialNumber]).toEqual([
          node.name,
          renewed[servers.indexOf(node)],
        ]);
      }
      expect((await each(node => verify(node, ['--wait', '60']))).map(complaints)).toEqual(nodes.map(() => []));
    });

    it('has one management token in each agent, the same that every server tells, and no other but its own few', async context => {
      context.skip(noToken !== undefined, noToken);
      const kinds = ['nomad-management', 'consul-management', 'nomad-gossip', 'consul-gossip', 'ca-certificate'];
      const told = await Promise.all(
        servers.map(async node =>
          Promise.all(kinds.map(async kind => (await node.exec([program, 'token', 'show', '--kind', kind])).stdout)),
        ),
      );
      const { nomadManagement, consulManagement, nomadGossip, consulGossip, caCertificate } = secrets.credentials;
      const derived = [nomadManagement, consulManagement, nomadGossip, consulGossip].map(secret => secret.reveal());
      expect(told).toEqual(servers.map(() => [...derived.map(text => `${text}\n`), caCertificate]));

      const [server] = servers as [LabNode];
      const nomad = (await get(server, 'http://127.0.0.1:4646/v1/acl/tokens')) as { Type: string; Name: string }[];
      expect(nomad.map(({ Type, Name }) => [Type, Name]).sort()).toEqual([
        ['client', 'nomad-bootstrap-verify'],
        ['management', 'Bootstrap Token'],
      ]);
      const consul = (await get(server, 'http://127.0.0.1:8500/v1/acl/tokens')) as { Policies?: { Name: string }[] }[];
      const powerful = consul.filter(({ Policies = [] }) => Policies.some(({ Name }) => Name === 'global-management'));
      expect(powerful.length).toBe(1);
    });

    it("gives whoever has no token nothing but liveness, public keys and the UI's files, and off this machine nothing at all", async context => {
      context.skip(noToken !== undefined, noToken);
      const asked = [
        ...['status/leader', 'agent/health', 'jobs', 'nodes', 'agent/self', 'vars', 'acl/tokens'].map(
          path => `http://127.0.0.1:4646/v1/${path}`,
        ),
        'http://127.0.0.1:4646/.well-known/jwks.json',
        ...['status/leader', 'agent/self', 'catalog/nodes', 'kv/?recurse', 'acl/tokens', 'agent/services'].map(
          path => `http://127.0.0.1:8500/v1/${path}`,
        ),
      ];
      const answers = async (node: LabNode) => {
        const status = '%{http_code} %{size_download}\n';
        const curl = (url: string) => node.exec(['curl', '-sS', '-o', '/dev/null', '-w', status, '-m', '10', url]);
        return Promise.all(asked.map(async url => (await curl(url)).stdout.trim().split(' ')));
      };
      for (const node of nodes) {
        for (const [index, [code, size]] of (await answers(node)).entries()) {
          const url = asked[index] ?? '';
          const open = /status|health|jwks/.test(url);
          // Consul filters what it lists: an empty list is two characters.
          const nothing = ['401', '403', '404'].includes(code ?? '') || (code === '200' && Number(size) <= 3);
          expect([node.name, url, open ? code : nothing]).toEqual([node.name, url, open ? '200' : true]);
        }
        const { stdout } = await node.exec(['ss', '-Hlnt']);
        const listening = stdout.split('\n').map(text => text.trim().split(/\s+/)[3] ?? '');
        const outside = listening.filter(place => !/^(127\.|\[::1\])/.test(place));
        const ports = outside.map(place => Number(place.slice(place.lastIndexOf(':') + 1)));
        expect(ports.filter(port => [4646, 8500, 8501, 8502, 8503, 8600].includes(port))).toEqual([]);
      }
    });

    it('keeps every secret out of arguments, environments, output, logs, units and the KV store', async context => {
      context.skip(noToken !== undefined, noToken);
      const leaks = leaksOf(secrets.all);
      const ofChildren = processes.filter(({ argv }) => !/^(?:\S*\/)?(?:nsenter|sh|env|nomad-bootstrap)\b/.test(argv));
      expect(processes.length).toBeGreaterThan(200);
      expect(processes.flatMap(({ argv }) => leaks(argv))).toEqual([]);
      expect(ofChildren.filter(({ environment }) => leaks(environment).length > 0).map(({ argv }) => argv)).toEqual([]);
      const inherited = ofChildren.filter(({ environment }) =>
        /^(NOMAD|CONSUL|VAULT)_.*(192\.0\.2\.1|another)/m.test(environment),
      );
      expect(inherited.map(({ argv }) => argv)).toEqual([]);

      const told = [...dryRuns, ...runs].flatMap(({ stdout, stderr }) => [stdout, stderr]);
      expect(told.flatMap(leaks)).toEqual([]);
      await each(async node => {
        const seen = await Promise.all([
          node.exec(['journalctl', '--no-pager', '-o', 'export']),
          node.exec(['systemctl', 'show', '*', '--all'], { check: false }),
          node.exec(['sh', '-c', 'cat /etc/systemd/system/*.service /etc/systemd/system/*/*.conf /etc/*.d/*.env']),
          node.exec(['cat', '/var/log/nomad-bootstrap.log']),
        ]);
        expect([node.name, seen.map(({ stdout }) => leaks(stdout))]).toEqual([node.name, seen.map(() => [])]);
        expect(seen.every(({ stdout }) => stdout.length > 100)).toBe(true);
      });
      const [server] = servers as [LabNode];
      expect(leaks(JSON.stringify(await get(server, 'http://127.0.0.1:8500/v1/kv/?recurse').catch(() => [])))).toEqual(
        [],
      );
    });

    it("keeps secrets in few files, each for its own agent alone, and none of the servers' on a client", async context => {
      context.skip(noToken !== undefined, noToken);
      const keys = await each(async node => new Secret(await node.readFile('/etc/nomad.d/tls/agent-key.pem')));
      const found = await Promise.all(
        nodes.map((node, at) => filesWith(node, [...secrets.all, ...keys.filter((_, index) => index === at)])),
      );
      for (const [at, files] of found.entries()) {
        const name = nodes[at]?.name;
        const places = [
          tokenFile,
          '/etc/nomad-bootstrap/token',
          '/etc/nomad.d/',
          '/etc/consul.d/',
          '/opt/consul/',
          '/opt/nomad/data/',
        ];
        const elsewhere = files.filter(({ path }) => !places.some(place => path.startsWith(place)));
        expect([name, elsewhere]).toEqual([name, []]);
        const wrong = files.filter(({ path, readers }) =>
          readers.some(user => !path.startsWith(`/etc/${user}.d/`) && !path.startsWith(`/opt/${user}/`)),
        );
        expect([name, wrong]).toEqual([name, []]);
        const paths = files.map(({ path }) => path);
        for (const path of [
          '/etc/nomad-bootstrap/token',
          '/etc/nomad.d/nomad.hcl',
          '/etc/consul.d/consul.hcl',
          '/etc/nomad.d/tls/agent-key.pem',
        ]) {
          expect([name, path, paths.includes(path)]).toEqual([name, path, true]);
        }
      }
      for (const client of clients) {
        expect([client.name, await filesWith(client, secrets.ofServers)]).toEqual([client.name, []]);
      }
      const [first, second] = servers as [LabNode, LabNode];
      expect(await filesWith(second, [keys[0] as Secret])).toEqual([]);
      expect((await filesWith(first, [keys[0] as Secret])).map(({ path }) => path).sort()).toEqual([
        '/etc/consul.d/tls/agent-key.pem',
        '/etc/nomad.d/tls/agent-key.pem',
      ]);
    });

    it("opens the cluster's ports in ufw and firewalld, for its own network alone, and both stay on", async () => {
      const [filtered, other] = [servers[2], clients[0]] as [LabNode, LabNode];
      const neighbour = clients[1] as LabNode;
      const connects = async (to: LabNode, port: number) => {
        const script = `exec 3<>/dev/tcp/${to.vlanAddress}/${port}`;
        return (await neighbour.exec(['timeout', '3', 'bash', '-c', script], { check: false })).exitCode === 0;
      };
      for (const node of [filtered, other]) {
        await node.exec(['systemd-run', '--quiet', '--unit=listener', 'systemd-socket-activate', '-l', '9999', 'cat']);
      }
      const ports = async (to: LabNode, wanted: readonly number[]) =>
        Object.fromEntries(await Promise.all(wanted.map(async port => [port, await connects(to, port)])));

      expect(await ports(filtered, [4647, 4648, 8300, 8301, 9999])).toEqual({
        4647: true,
        4648: true,
        8300: true,
        8301: true,
        9999: false,
      });
      expect(await ports(other, [8301, 9999])).toEqual({ 8301: true, 9999: false });
      expect((await filtered.exec(['firewall-cmd', '--state'])).stdout).toBe('running\n');
      expect((await filtered.exec(['firewall-cmd', '--permanent', '--list-rich-rules'])).stdout).toContain(
        'source address="10.77.0.0/24"',
      );
      const rules = (await other.exec(['ufw', 'status'])).stdout;
      expect(rules).toMatch(/^Status: active$/m);
      expect(rules.split('\n').filter(text => /ALLOW/.test(text) && !/10\.77\.0\.0\/24/.test(text))).toEqual([]);
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

    it('takes no token that is damaged, of the wrong kind or of another cluster, and touches nothing for it', async context => {
      context.skip(noToken !== undefined, noToken);
      const stranger = await freshNode(lab, { name: 'stranger', system: 'debian12' });
      const other = (await stranger.exec([program, 'token', 'create'])).stdout.trim();
      const ofOther = { env: { NOMAD_BOOTSTRAP_TOKEN: other } };
      const otherClient = (await stranger.exec([program, 'token', 'client'], ofOther)).stdout.trim();
      const { server, client } = secrets;
      const last = server.slice(-1) === '0' ? '1' : '0';
      const join = ['--join', servers.map(({ vlanAddress }) => vlanAddress).join(','), '--network', 'eth1'];
      const refused: readonly (readonly [string, readonly string[], string, RegExp])[] = [
        ['mistyped', ['server', '--expect', '3'], server.slice(0, -1) + last, /^bad-token: the token is mistyped/],
        ['truncated', ['server', '--expect', '3'], server.slice(0, 60), /^bad-token: the token is truncated/],
        ['padded', ['server', '--expect', '3'], `${server}${server}`, /^bad-token: the token is (padded|mistyped)/],
        ['in quotes', ['server', '--expect', '3'], `"${server}"`, /^bad-token: the token is padded/],
        ["a client's", ['server', '--expect', '3'], client, /^wrong-token: this is a client token/],
        ["a server's", ['client'], server, /^wrong-token: this is a server token/],
        ["another cluster's", ['server', '--expect', '3'], other, /^wrong-token: the server at .* does not belong/],
        ["another cluster's, for a client", ['client'], otherClient, /^wrong-token: the server at .* does not belong/],
      ];
      const untouchedYet = await traces(stranger);
      for (const [what, role, token, words] of refused) {
        const run = await bootstrap(stranger, [...role, ...join, ...lab.mirror.offer.flags], {
          env: { NOMAD_BOOTSTRAP_TOKEN: token },
        });
        const { code, message, hint } = failure(run) ?? {};
        expect([what, run.exitCode, `${code}: ${message}`]).toEqual([what, 2, expect.stringMatching(words)]);
        expect([what, hint]).toEqual([what, expect.stringContaining('Nothing was touched')]);
      }
      expect(touched(untouchedYet, await traces(stranger))).toEqual([]);
      await stranger.kill();

      const [member] = servers as [LabNode];
      const before = await traces(member);
      const changed = await bootstrap(member, ['server'], ofOther);
      expect([changed.exitCode, failure(changed)]).toMatchObject([
        2,
        { code: 'wrong-token', hint: expect.stringContaining('leave it away') },
      ]);
      expect(touched(before, await traces(member), alive)).toEqual([]);
    });

    it('is never made another role, name or version of itself by a slip of the hand', async () => {
      const [server] = servers as [LabNode];
      const before = await traces(server);
      const slips = [
        ['client', '--join', '10.77.0.12'],
        ...(noToken === undefined ? [['server', '--insecure']] : []),
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

    it("opens its APIs to the cluster's network when every node is told so, all at once, by HTTPS and for tokens only", async context => {
      context.skip(noToken !== undefined, noToken);
      const reruns = await each(node =>
        bootstrap(node, [servers.includes(node) ? 'server' : 'client', '--api', 'cluster']),
      );
      expect(reruns.map(run => [run.exitCode, failure(run)])).toEqual(nodes.map(() => [0, undefined]));

      expect((await each(node => verify(node, ['--wait', '60']))).map(complaints)).toEqual(nodes.map(() => []));
      const neighbour = clients[1] as LabNode;
      const ask = async (url: string, headers: readonly string[] = []) => {
        const curl = [
          'curl',
          '-sS',
          '-m',
          '5',
          '-o',
          '/dev/null',
          '-w',
          '%{http_code}',
          '--cacert',
          '/etc/nomad.d/tls/ca.pem',
        ];
        const { stdout } = await neighbour.exec([...curl, ...headers, url], { check: false });
        return stdout;
      };
      const { nomadManagement, consulManagement } = secrets.credentials;
      for (const { vlanAddress, publicAddress } of servers) {
        const [nomad, consul] = [`https://${vlanAddress}:4646/v1/jobs`, `https://${vlanAddress}:8501/v1/agent/self`];
        expect([await ask(nomad), await ask(consul)]).toEqual(['403', '403']);
        const asOperatorOf = (name: string, secret: Secret) => ['-H', `X-${name}-Token: ${secret.reveal()}`];
        expect(await ask(nomad, asOperatorOf('Nomad', nomadManagement))).toBe('200');
        expect(await ask(consul, asOperatorOf('Consul', consulManagement))).toBe('200');
        for (const url of [
          nomad,
          `http://${vlanAddress}:8500/v1/status/leader`,
          `https://${publicAddress}:4646/v1/jobs`,
        ]) {
          const plain = url === nomad ? url.replace('https', 'http') : url;
          expect([plain, await ask(plain)]).toEqual([plain, url === nomad ? '400' : '000']);
        }
      }
      const [server] = servers as [LabNode];
      const method = await get(server, 'http://127.0.0.1:8500/v1/acl/auth-method/nomad-workloads');
      expect(method).toMatchObject({ Config: { JWKSURL: 'https://127.0.0.1:4646/.well-known/jwks.json' } });
      const again = await each(node => bootstrap(node, [servers.includes(node) ? 'server' : 'client']));
      expect(again.map(run => [run.exitCode, madeTrue(run)])).toEqual(nodes.map(() => [0, []]));
    });

    it('closes the ports again when it is uninstalled, and the firewall stays on', async () => {
      const [client] = clients as [LabNode];
      const { exitCode, stderr } = await client.exec([program, 'uninstall'], { check: false });
      expect([exitCode, exitCode === 0 ? '' : stderr]).toEqual([0, '']);
      expect((await client.exec(['ufw', 'status'])).stdout.trim()).toBe('Status: active');
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

interface Allocation {
  readonly ID: string;
  readonly ClientStatus: string;
  readonly TaskStates: Readonly<Record<string, { readonly Restarts: number; readonly StartedAt: string }>>;
}

const dayMs = 24 * 60 * 60 * 1000;

/** Installs a distribution's own firewall, and turns it on. */
async function withFirewall(node: LabNode, name: string, turnOn: string): Promise<void> {
  const install = `apt-get update -qq && apt-get install -y -qq --no-install-recommends ${name}`;
  await node.exec(['sh', '-c', `${install} && ${turnOn}`], { env: { DEBIAN_FRONTEND: 'noninteractive' } });
}

/** Gives a server a certificate of which less than a third of a year is left. */
async function nearItsEnd(node: LabNode, credentials: ServerCredentials): Promise<void> {
  const network = {
    address: node.vlanAddress ?? '',
    interface: 'eth1',
    cidr: '10.77.0.0/24',
    kind: 'private',
  } as const;
  const names = { name: node.name, region: 'global', datacenter: 'dc1', network };
  const spec = certificateOf({ config: { node: names }, credentials }, 0);
  const now = Math.floor(Date.now() / 1000) * 1000;
  const leaf = await makeLeaf(spec.authority, {
    ...spec,
    notBefore: new Date(now - 265 * dayMs),
    notAfter: new Date(now + 100 * dayMs),
  });
  for (const { folder } of spec.places) {
    // Into the files that are there, which keep their mode and owner.
    await node.exec(['sh', '-c', `cat >${folder}/agent.pem`], { stdin: leaf.certificate });
    await node.exec(['sh', '-c', `cat >${folder}/agent-key.pem`], { stdin: leaf.key.reveal() });
  }
}

/** Writes through both agents of a server again and again, until {@link stopLoad}. */
async function startLoad(node: LabNode, { nomadManagement, consulManagement }: ServerCredentials): Promise<void> {
  const put = (header: string, url: string, body: string) =>
    `curl -sS -m 10 -o /dev/null -w '%{http_code}\\n' -H '${header}' -X PUT -d '${body}' ${url} || echo none`;
  const nomad = put(
    `X-Nomad-Token: ${nomadManagement.reveal()}`,
    `http://127.0.0.1:4646/v1/var/load/${node.name}`,
    `{"Path":"load/${node.name}","Items":{"a":"b"}}`,
  );
  const consul = put(
    `X-Consul-Token: ${consulManagement.reveal()}`,
    `http://127.0.0.1:8500/v1/kv/load/${node.name}`,
    'x',
  );
  await node.writeFile(
    '/root/load',
    `while [ ! -e /run/load.end ]; do ${nomad}; ${consul}; done >/run/load.log 2>&1\n`,
    0o700,
  );
  await node.exec(['systemd-run', '--quiet', '--unit=load', 'sh', '/root/load']);
}

/** What each write was answered with. */
async function stopLoad(node: LabNode): Promise<readonly string[]> {
  await node.exec([
    'sh',
    '-c',
    'touch /run/load.end; while systemctl is-active -q load; do sleep 0.1; done; rm /root/load /run/load.end',
  ]);
  return (await node.readFile('/run/load.log')).split('\n').filter(line => /^(\d{3}|none)$/.test(line));
}

/** PEM of the certificate with which Nomad's server answers on its RPC port now. */
async function servedCertificate(lab: Lab, node: LabNode): Promise<string> {
  const script = `
    const tcp = require('node:net').connect(4647, '${node.vlanAddress}');
    tcp.write(Buffer.from([4]));
    const tls = require('node:tls').connect({ socket: tcp, rejectUnauthorized: false });
    tls.on('secureConnect', () => { console.log(tls.getPeerX509Certificate().toString()); process.exit(); });`;
  const command = inNamespace(nodeNamespace(lab.id, node.name), [process.execPath, '-e', script]);
  return (await runCommand(command)).stdout;
}

interface Port {
  readonly Value: number;
  readonly HostIP: string;
}

/** The port of a job's running allocation; undefined while there is none. */
async function portOf(server: LabNode, job: string, options: ExecOptions): Promise<Port | undefined> {
  const { stdout } = await server.exec(['nomad', 'job', 'allocs', '-json', job], options);
  const running = (JSON.parse(stdout) as { ID: string; ClientStatus: string }[]).find(
    ({ ClientStatus }) => ClientStatus === 'running',
  );
  if (running === undefined) return undefined;
  const allocation = JSON.parse(
    (await server.exec(['nomad', 'alloc', 'status', '-json', running.ID], options)).stdout,
  ) as {
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

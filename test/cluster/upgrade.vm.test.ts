import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, type LabNode, openLab, type System, waitFor, whyNoLab, whyNoRealAgents } from '../lab/lab.ts';
import {
  bootstrap,
  complaints,
  ending,
  eventsNamed,
  executable,
  failure,
  freshNode,
  inLab,
  madeTrue,
  type Run,
  statusOf,
  verify,
} from './bootstrap.ts';

const reason = whyNoLab() ?? whyNoRealAgents();
if (reason !== undefined) process.stderr.write(`skipped: test/cluster/upgrade.vm.test.ts: ${reason}\n`);

/**
 * From the patch release before to the real one. The older package is a repack of the same program under another number: how an agent takes over
 * the data of an older one, and whether it accepts the former configuration, is not shown here. What is shown is everything around
 * it: the order, what is asked, saved, judged and put back, and that nothing but nomad-bootstrap restarts an agent.
 */
describe.skipIf(reason !== undefined)('an upgrade', () => {
  let lab: Lab;
  let older: readonly string[];
  let newer: readonly string[];
  let servers: readonly LabNode[];
  let client: LabNode;

  const systems: readonly System[] = ['debian12', 'rocky9', 'debian13'];
  const stock = () => ['--insecure', '--network', 'eth1', ...lab.mirror.offer.flags];

  beforeAll(async () => {
    lab = await openLab();
    const { nomad, consul } = lab.mirror.offer;
    older = ['--nomad-version', nomad.olderPatch, '--consul-version', consul.olderPatch];
    newer = ['--nomad-version', nomad.real, '--consul-version', consul.real];
    servers = await Promise.all(systems.map((system, at) => freshNode(lab, { name: `s${at + 1}`, system })));
    client = await freshNode(lab, { name: 'c1', system: 'debian12' });
    const join = servers.map(({ vlanAddress }) => vlanAddress).join(',');
    const line = ['--join', join, '--wait', '30', ...older, ...stock()];
    const made = await Promise.all([
      ...servers.map(node => bootstrap(node, ['server', '--expect', '3', ...line])),
      bootstrap(client, ['client', '--docker', 'none', ...line]),
    ]);
    // The repacked program tells its own version, which is not its package's.
    for (const detail of made.flatMap(run => failure(run)?.detail ?? [])) {
      expect(detail).toBe(`versions-agree: Nomad ${nomad.real} runs, but ${nomad.olderPatch} is installed`);
    }
    await waitFor('autopilot to count on three servers', async () =>
      (await tolerance(server(2))) === 1 ? true : undefined,
    );
  });

  afterAll(() => lab?.close());

  function server(at: number): LabNode {
    const node = servers[at];
    if (node === undefined) throw new Error('three servers were made');
    return node;
  }

  it('of a client is refused while its servers are older, and touches nothing', async () => {
    const before = await state(client);

    const run = await bootstrap(client, ['client', '--nomad-version', lab.mirror.offer.nomad.nextMinor]);

    expect([run.exitCode, failure(run)]).toMatchObject([2, { code: 'newer-than-servers' }]);
    expect(await state(client)).toEqual(before);
  });

  it.each([0, 1])(
    "that its new program's configuration stands in the way of puts the former packages back (%i)",
    async at => {
      const node = server(at);
      const before = await state(node);
      await node.writeFile('/etc/nomad.d/zz-local.hcl', 'no_such_key = 1\n');

      const run = await bootstrap(node, ['server', ...newer]);

      expect([run.exitCode, failure(run)]).toMatchObject([
        1,
        { code: 'config-refused', detail: expect.stringContaining('zz-local.hcl') },
      ]);
      expect(failure(run)?.message).toMatch(/put back: .*; nothing was restarted$/);
      expect(await state(node)).toEqual(before);
      await node.exec(['rm', '/etc/nomad.d/zz-local.hcl']);
    },
  );

  it('of a server is refused while another one is away, and touches nothing', async () => {
    await server(2).exec(['systemctl', 'stop', 'nomad', 'consul']);
    // Gossip takes some seconds to notice; until then only the restart itself is refused, after the packages were exchanged.
    await waitFor('the others to notice', async () => ((await tolerance(server(0))) === 0 ? true : undefined));
    const before = await state(server(0));

    const run = await bootstrap(server(0), ['server', ...newer]);

    expect([run.exitCode, failure(run)?.code, madeTrue(run)]).toEqual([1, 'would-lose-quorum', []]);
    expect(await state(server(0))).toEqual(before);
    await server(2).exec(['systemctl', 'start', 'consul', 'nomad']);
    await waitFor('the cluster to be whole again', async () => ((await tolerance(server(0))) === 1 ? true : undefined));
  });

  it('that is started on all servers at once goes through, one server after the other', async () => {
    const before = await Promise.all(servers.map(state));

    const runs = await Promise.all(servers.map(node => bootstrap(node, ['server', ...newer])));

    await expectOneAfterTheOther(lab, servers, runs, before);
    expect((await verify(server(0), ['--wait', '60'])).exitCode).toBe(0);
  });

  it('of a client follows, and a rerun keeps the version and changes nothing', async () => {
    const run = await bootstrap(client, ['client', ...newer]);
    expect([run.exitCode, failure(run)]).toEqual([0, undefined]);
    expect(await packageVersions(client)).toEqual([lab.mirror.offer.consul.real, lab.mirror.offer.nomad.real]);

    for (const [node, role] of [
      [client, 'client'],
      [server(1), 'server'],
    ] as const) {
      const again = await bootstrap(node, [role]);
      expect([again.exitCode, eventsNamed(again, 'planned').flatMap(({ changes }) => changes)]).toEqual([0, []]);
    }
  });

  it('can be gone back behind by the state that was saved', async () => {
    const [file] = (await server(0).exec(['sh', '-c', 'ls /var/lib/nomad-bootstrap/snapshots/nomad_*'])).stdout.split(
      '\n',
    );
    await server(0).exec(['nomad', 'namespace', 'apply', 'made-after-the-upgrade']);

    await server(0).exec(['nomad', 'operator', 'snapshot', 'restore', file ?? '']);

    expect((await server(1).exec(['nomad', 'namespace', 'list'])).stdout).not.toContain('made-after-the-upgrade');
  });

  it('to a configuration with which the agent does not come up leaves the former one running', async () => {
    const node = server(2);
    // A unit that does not start with one particular setting, as an agent that finds its port taken would not.
    const dropIn = '/etc/systemd/system/nomad.service.d/zz-local.conf';
    await node.writeFile(dropIn, "[Service]\nExecStartPre=/bin/sh -c '! grep -q debug-host /etc/nomad.d/nomad.hcl'\n");
    await node.exec(['systemctl', 'daemon-reload']);
    const config = await node.readFile('/etc/nomad.d/nomad.hcl');

    const run = await bootstrap(node, ['server', '--with-client', '--docker', 'none', '--meta', 'role=debug-host']);

    expect([run.exitCode, failure(run)]).toMatchObject([1, { code: 'agent-not-starting', detail: expect.any(String) }]);
    expect(failure(run)?.message).toBe(
      'nomad did not come up with its new configuration; the former one was put back and it runs with that',
    );
    expect(await node.readFile('/etc/nomad.d/nomad.hcl')).toEqual(config);
    expect((await node.exec(['systemctl', 'is-active', 'nomad'])).stdout).toBe('active\n');

    await node.exec(['rm', dropIn]);
    await node.exec(['systemctl', 'daemon-reload']);
    const healed = await bootstrap(node, ['server']);
    expect([healed.exitCode, failure(healed)]).toEqual([0, undefined]);
    expect((await verify(node, ['--wait', '60'])).exitCode).toBe(0);
  });
});

describe.skipIf(reason !== undefined)('an upgrade of a cluster with a token', () => {
  it('saves its state and takes turns with the rights of the token, on all servers at once; its client follows', async () => {
    await inLab(async lab => {
      const { nomad, consul, flags } = lab.mirror.offer;
      const of = (versions: readonly [string, string]) => [
        '--nomad-version',
        versions[0],
        '--consul-version',
        versions[1],
      ];
      const newer = of([nomad.real, consul.real]);
      const systems: readonly System[] = ['debian12', 'rocky9', 'debian13'];
      const servers = await Promise.all(systems.map((system, at) => freshNode(lab, { name: `t${at + 1}`, system })));
      const client = await freshNode(lab, { name: 'tc1', system: 'debian12' });
      const token = execFileSync(executable, ['token', 'create'], { encoding: 'utf8' });
      const clientToken = execFileSync(executable, ['token', 'client'], {
        encoding: 'utf8',
        env: { NOMAD_BOOTSTRAP_TOKEN: token.trim() },
      });
      await Promise.all(servers.map(node => node.writeFile('/root/token', token, 0o600)));
      await client.writeFile('/root/token', clientToken, 0o600);
      const join = ['--join', servers.map(({ vlanAddress }) => vlanAddress).join(',')];
      const stock = ['--token-file', '/root/token', '--network', 'eth1', '--wait', '60', ...join, ...flags];
      const older = [...of([nomad.olderPatch, consul.olderPatch]), ...stock];
      const made = await Promise.all([
        ...servers.map(node => bootstrap(node, ['server', '--expect', '3', '--wait-for', 'cluster', ...older])),
        bootstrap(client, ['client', '--docker', 'none', ...older]),
      ]);
      // The repacked program tells its own version, which is not its package's.
      for (const detail of made.flatMap(run => failure(run)?.detail ?? [])) {
        expect(detail).toBe(`versions-agree: Nomad ${nomad.real} runs, but ${nomad.olderPatch} is installed`);
      }
      for (const node of servers) {
        const passes = async () =>
          statusOf(await verify(node, ['--only', 'nomad-autopilot,consul-autopilot']), 'nomad-autopilot');
        await waitFor('autopilot to count on three servers', async () =>
          (await passes()) === 'pass' ? true : undefined,
        );
      }
      const before = await Promise.all(servers.map(state));

      const runs = await Promise.all(servers.map(node => bootstrap(node, ['server', ...newer])));

      await expectOneAfterTheOther(lab, servers, runs, before);
      const followed = await bootstrap(client, ['client', ...newer]);
      expect([followed.exitCode, failure(followed)]).toEqual([0, undefined]);
      for (const node of [...servers, client]) expect(complaints(await verify(node, ['--wait', '60']))).toEqual([]);

      const file = (
        await servers[0]?.exec(['sh', '-c', 'ls /var/lib/nomad-bootstrap/snapshots/nomad_*'])
      )?.stdout.trim();
      const asManager = 'export NOMAD_TOKEN=$(nomad-bootstrap token show --kind nomad-management)';
      const restored = `${asManager}; nomad namespace apply later && nomad operator snapshot restore ${file} && nomad namespace list`;
      const { stdout } = (await servers[0]?.exec(['sh', '-c', restored])) ?? { stdout: 'later' };
      expect(stdout.slice(stdout.indexOf('Name'))).not.toContain('later');
    });
  });
});

describe.skipIf(reason !== undefined)('a cluster that grows', () => {
  it('from one server to three, and by a client, needs no change on those that are there', async () => {
    await inLab(async lab => {
      const stock = ['--insecure', '--network', 'eth1', ...lab.mirror.offer.flags];
      const first = await freshNode(lab, { name: 'first', system: 'debian12' });
      const others = await Promise.all(
        ['second', 'third', 'client'].map(name => freshNode(lab, { name, system: 'debian12' })),
      );
      const join = ['--join', first.vlanAddress ?? '', ...stock];
      expect((await bootstrap(first, ['server', ...stock])).exitCode).toBe(0);
      const before = await state(first);

      const [second, third, client] = others as [LabNode, LabNode, LabNode];
      const grown = await bootstrap(second, ['server', '--expect', '3', ...join]);
      expect([grown.exitCode, ending(grown)]).toMatchObject([0, { outcome: 'forming' }]);
      const whole = await bootstrap(third, ['server', '--expect', '3', '--wait-for', 'cluster', ...join]);
      expect([whole.exitCode, failure(whole)]).toEqual([0, undefined]);
      const added = await bootstrap(client, ['client', '--docker', 'none', ...join]);
      expect([added.exitCode, failure(added)]).toEqual([0, undefined]);

      expect(await state(first)).toEqual(before);
      for (const node of [first, second, third, client]) {
        const { exitCode, report } = await verify(node, ['--wait', '60']);
        expect([node.name, exitCode, report.checks.filter(({ status }) => status === 'fail')]).toEqual([
          node.name,
          0,
          [],
        ]);
      }
      const again = await bootstrap(first, ['server']);
      expect([again.exitCode, eventsNamed(again, 'planned').flatMap(({ changes }) => changes)]).toEqual([0, []]);
      await waitFor('autopilot to count on three servers', async () =>
        (await tolerance(first)) === 1 ? true : undefined,
      );
    });
  });
});

/** Each got the real versions, saved its state before, restarted each agent once, and while no other restarted its own. */
async function expectOneAfterTheOther(
  lab: Lab,
  servers: readonly LabNode[],
  runs: readonly Run[],
  before: readonly { readonly starts: readonly number[] }[],
): Promise<void> {
  expect(runs.map(run => [run.exitCode, failure(run)])).toEqual(runs.map(() => [0, undefined]));
  for (const [at, node] of servers.entries()) {
    const run = runs[at];
    expect(run && summaryOf(run)).toMatch(/^save the state of nomad, save the state of consul, install nomad /);
    expect(await packageVersions(node)).toEqual([lab.mirror.offer.consul.real, lab.mirror.offer.nomad.real]);
    // One restart of each, by nobody else.
    expect(await starts(node)).toEqual((before[at]?.starts ?? []).map(count => count + 1));
    const saved = await node.exec(['sh', '-c', 'stat -c "%a %U %n" /var/lib/nomad-bootstrap/snapshots/*']);
    for (const line of saved.stdout.trim().split('\n'))
      expect(line).toMatch(/^600 root \S+_\d+\.\d+\.\d+-1_\d{8}T\d{6}Z\.snap$/);
  }
  for (const agent of ['consul', 'nomad']) {
    const spans = (await Promise.all(servers.map(node => lastAbsence(node, agent)))).sort((a, b) => a.from - b.from);
    for (const [at, span] of spans.entries()) expect(span.from).toBeGreaterThan(spans[at - 1]?.to ?? 0);
  }
}

async function packageVersions(node: LabNode): Promise<readonly string[]> {
  const query = `dpkg-query -W -f='\${Version}\\n' consul nomad 2>/dev/null || rpm -q --qf '%{VERSION}\\n' consul nomad`;
  const { stdout } = await node.exec(['sh', '-c', query]);
  return stdout
    .trim()
    .split('\n')
    .map(version => version.replace(/-1$/, ''));
}

/** How often systemd has started Consul and Nomad. */
async function starts(node: LabNode): Promise<readonly number[]> {
  const { stdout } = await node.exec(['journalctl', '--output=cat', '--no-pager', '_PID=1']);
  return ['consul', 'nomad'].map(
    unit => stdout.split('\n').filter(line => line.startsWith(`Starting ${unit}.service`)).length,
  );
}

/** What an upgrade changes: versions, processes, configuration. */
async function state(node: LabNode) {
  const processes = await node.exec(['systemctl', 'show', '--property=MainPID,InvocationID', 'consul', 'nomad']);
  return {
    versions: await packageVersions(node),
    processes: processes.stdout,
    starts: await starts(node),
    config: (await node.exec(['sh', '-c', 'cat /etc/nomad.d/nomad.hcl /etc/consul.d/consul.hcl'])).stdout,
    recorded: (await node.exec(['cat', '/etc/nomad-bootstrap/settings.json'])).stdout,
  };
}

/** When the agent was last away: from the beginning of its stop to the end of its start, in microseconds. */
async function lastAbsence(node: LabNode, unit: string): Promise<{ readonly from: number; readonly to: number }> {
  const { stdout } = await node.exec(['journalctl', '--output=json', '--no-pager', '_PID=1', `UNIT=${unit}.service`]);
  const lines = stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, string>);
  const last = (word: string) =>
    Number(lines.findLast(line => line['MESSAGE']?.startsWith(word))?.['__REALTIME_TIMESTAMP']);
  return { from: last('Stopping'), to: last('Started') };
}

async function tolerance(node: LabNode): Promise<number> {
  const of = async (port: number) => {
    const url = `http://127.0.0.1:${port}/v1/operator/autopilot/health`;
    const { stdout } = await node.exec(['curl', '-sS', '-m', '10', url], { check: false });
    try {
      return (JSON.parse(stdout) as { FailureTolerance?: number }).FailureTolerance ?? 0;
    } catch {
      return 0;
    }
  };
  return Math.min(await of(4646), await of(8500));
}

function summaryOf(run: Run): string | undefined {
  const changes = eventsNamed(run, 'planned').flatMap(planned => planned.changes);
  return changes.find(({ id }) => id.startsWith('packages:'))?.summary;
}

import { describe, expect, it } from 'vitest';
import { whyNoLab, whyNoRealAgents } from '../lab/lab.ts';
import { bootstrap, eventsNamed, failure, freshNode, inLab, madeTrue, program } from './bootstrap.ts';
import { differences, insecure, json, leavesBothAsTheyWere, settled } from './uninstallation.ts';

const reason = whyNoLab() ?? whyNoRealAgents();
if (reason !== undefined) process.stderr.write(`skipped: test/cluster/uninstall.vm.test.ts: ${reason}\n`);

describe.skipIf(reason !== undefined)('an uninstallation', () => {
  it('on debian12 leaves a server and a client with Docker as they were, data apart', () =>
    leavesBothAsTheyWere('debian12'));

  it('that keeps the data lets a client take jobs again, and a server whose user got another number read what it had', async () => {
    await inLab(async lab => {
      const server = await freshNode(lab, { name: 'server', system: 'debian12' });
      const client = await freshNode(lab, { name: 'client', system: 'debian12' });
      const serverLine = ['server', '--expect', '1', ...insecure(lab)];
      const clientLine = ['client', '--docker', 'none', '--join', server.vlanAddress ?? '', ...insecure(lab)];
      await settled(server, serverLine);
      await settled(client, clientLine);
      const nodes = () => json(server, 'http://127.0.0.1:4646/v1/nodes');
      const [before] = await nodes();

      await settled(client, ['uninstall']);
      expect(await nodes()).toMatchObject([{ ID: before?.['ID'], SchedulingEligibility: 'ineligible' }]);
      await settled(client, clientLine);
      expect(await nodes()).toMatchObject([
        { ID: before?.['ID'], Status: 'ready', SchedulingEligibility: 'eligible', Drain: false },
      ]);

      // What an operator has ruled out stays so.
      await client.exec(['nomad', 'node', 'eligibility', '-self', '-disable']);
      await bootstrap(client, ['client', '--meta', 'rack=a', '--wait', '5']);
      expect(await nodes()).toMatchObject([{ SchedulingEligibility: 'ineligible' }]);

      const numbers = async () => (await server.exec(['sh', '-c', 'id -u nomad; id -u consul'])).stdout;
      const had = await numbers();
      const raft = ['cat', '/opt/nomad/data/server/node-id'];
      const id = (await server.exec(raft)).stdout;
      await settled(server, ['uninstall']);
      for (const squatter of ['one', 'two']) await server.exec(['useradd', '--system', '--user-group', squatter]);
      await settled(server, serverLine);
      expect(await numbers()).not.toBe(had);
      expect((await server.exec(raft)).stdout).toBe(id);
      expect(await nodes()).toMatchObject([{ ID: before?.['ID'] }]);
    });
  });

  it('takes one server of three out of raft, and not another while the cluster needs it', async () => {
    await inLab(async lab => {
      const names = ['one', 'two', 'three'];
      const [one, two, three] = await Promise.all(
        names.map(name => freshNode(lab, { name, system: name === 'two' ? 'rocky9' : 'debian12' })),
      );
      if (one === undefined || two === undefined || three === undefined) throw new Error('three nodes were made');
      const join = [one, two, three].map(({ vlanAddress }) => vlanAddress).join(',');
      const line = ['server', '--expect', '3', '--join', join, '--wait', '400', ...insecure(lab)];
      await Promise.all([one, two, three].map(node => settled(node, line)));

      const removal = await bootstrap(one, ['uninstall', '--purge-data']);

      expect([removal.exitCode, failure(removal)]).toEqual([0, undefined]);
      const peers = async (url: string) => (await json(three, url)).map(peer => String(peer).split(':')[0]).sort();
      const left = [two, three].map(({ vlanAddress }) => vlanAddress).sort();
      expect(await peers('http://127.0.0.1:4646/v1/status/peers')).toEqual(left);
      expect(await peers('http://127.0.0.1:8500/v1/status/peers')).toEqual(left);

      const held = await bootstrap(two, ['uninstall', '--purge-data']);
      expect([held.exitCode, failure(held)?.code]).toEqual([1, 'would-lose-quorum']);
      expect(madeTrue(held)).toEqual([]);
      expect((await two.exec(['systemctl', 'is-active', 'nomad', 'consul'])).stdout).toBe('active\nactive\n');
      expect((await bootstrap(two, ['uninstall', '--purge-data', '--force'])).exitCode).toBe(0);
      expect((await bootstrap(three, ['uninstall', '--purge-data'])).exitCode).toBe(0);
    });
  });

  it('takes back a bootstrap that failed half-way', async () => {
    await inLab(async lab => {
      const node = await freshNode(lab, { name: 'half', system: 'debian12' });
      const before = await node.snapshotTree();
      const broken = { kind: 'status', status: 403, host: 'apt.releases.hashicorp.com', path: '/pool' } as const;
      const repair = await lab.mirror.break(broken);
      const half = await bootstrap(node, ['server', '--expect', '1', ...insecure(lab)]);
      expect(failure(half)?.code).toBe('packages-failed');
      await repair();

      const removal = await bootstrap(node, ['uninstall', '--purge-data']);

      expect([removal.exitCode, failure(removal)]).toEqual([0, undefined]);
      expect(await differences(node, before)).toEqual([]);
    });
  });

  it('that was killed amid its transaction is continued, and the machine can be a node again', async () => {
    await inLab(async lab => {
      const node = await freshNode(lab, { name: 'killed', system: 'debian12' });
      const before = await node.snapshotTree();
      const line = ['server', '--expect', '1', '--with-client', ...insecure(lab)];
      await settled(node, line);
      const kill = [
        `${program} uninstall --purge-data --json >/tmp/events & run=$!`,
        `for i in $(seq 1200); do grep -q '"change-started","id":"packages:' /tmp/events && break; sleep 0.05; done`,
        'sleep 0.3; kill -KILL $run; wait $run; echo $?',
      ];
      expect((await node.exec(['sh', '-c', kill.join('\n')], { check: false })).stdout).toBe('137\n');

      const rest = await bootstrap(node, ['uninstall', '--purge-data']);

      expect([rest.exitCode, failure(rest)]).toEqual([0, undefined]);
      expect(madeTrue(rest)).not.toContain('agent:nomad');
      expect(await differences(node, before)).toEqual([]);
      await settled(node, line);

      // A package of ours that another one needs by now stays, and is named.
      await node.exec(['apt-get', 'install', '-y', '-q', '--no-install-recommends', 'iptables-persistent']);
      const last = await bootstrap(node, ['uninstall', '--purge-data']);
      expect([last.exitCode, failure(last)]).toEqual([0, undefined]);
      expect(eventsNamed(last, 'notice').map(({ message }) => message)).toEqual([
        'iptables stays: iptables-persistent needs it',
      ]);
      expect((await node.exec(['dpkg-query', '-s', 'iptables'])).stdout).toContain('Status: install ok installed');
      expect((await node.exec(['which', 'nomad', 'consul', 'dockerd'], { check: false })).stdout).toBe('');
    });
  });
});

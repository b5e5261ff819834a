import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, type LabNode, openLab, whyNoLab, whyNoRealAgents } from '../lab/lab.ts';
import { labApiToken } from '../lab/mirror/linode-api.ts';
import { testClientToken, testServerToken } from '../token/vectors.ts';
import { bootstrap, complaints, ending, failure, freshNode, verify } from './bootstrap.ts';

const reason = whyNoLab() ?? whyNoRealAgents();
if (reason !== undefined) process.stderr.write(`skipped: test/cluster/join-linode.lab.test.ts: ${reason}\n`);

const search = 'linode:tag=nomad,region=us-east';

describe.skipIf(reason !== undefined)(
  "Linodes that find each other by Linode's API, on a network that strangers are on",
  () => {
    let lab: Lab;
    let servers: LabNode[];
    let client: LabNode;

    /** As Linode gives a private address: a second one on eth0. */
    const spec = (name: string, number: number, tags: readonly string[], region = 'us-east') => ({
      name,
      linode: { tags, region },
      interfaces: [
        {
          name: 'eth0',
          network: 'public' as const,
          addresses: [`203.0.113.${10 + number}/24`, `192.168.140.${10 + number}/17`],
        },
      ],
    });
    const flags = [
      '--join',
      search,
      '--network',
      'private',
      '--docker',
      'none',
      '--linode-token-file',
      '/root/api.token',
    ];
    const run = (node: LabNode, role: 'server' | 'client', argv: readonly string[] = flags) =>
      bootstrap(node, [
        role,
        ...(role === 'server' ? ['--expect', '3'] : []),
        ...['--token-file', '/root/cluster.token', ...argv, ...lab.mirror.offer.flags],
      ]);

    beforeAll(async () => {
      lab = await openLab();
      servers = [];
      for (const number of [1, 2, 3]) servers.push(await freshNode(lab, spec(`server${number}`, number, ['nomad'])));
      client = await freshNode(lab, spec('client1', 4, ['nomad', 'else']));
      // One that was never booted, and one of another cluster far away.
      await lab.unbootedNode(spec('off', 5, ['nomad']));
      await lab.unbootedNode(spec('elsewhere', 6, ['nomad'], 'eu-central'));
      for (const node of [...servers, client]) {
        await node.writeFile('/root/cluster.token', node === client ? testClientToken : testServerToken, 0o600);
        await node.writeFile('/root/api.token', `${labApiToken}\n`, 0o600);
      }
    });
    afterAll(() => lab?.close());

    it('are told before anything is touched when the token is not good', async () => {
      const node = servers[0] as LabNode;
      await node.writeFile('/root/wrong.token', `${labApiToken.toUpperCase()}\n`, 0o600);
      const refused = await run(node, 'server', [...flags.slice(0, -1), '/root/wrong.token']);

      expect(refused.exitCode).toBe(3);
      expect(failure(refused)?.detail).toContain(
        "Linode's API takes its token, and knows this server by its tag (it answers 401 to /v4/linode/instances)",
      );
      expect((await node.exec(['ls', '/etc/consul.d'], { check: false })).exitCode).not.toBe(0);
    });

    it('become a healthy cluster, all at once', async () => {
      const runs = await Promise.all([...servers.map(node => run(node, 'server')), run(client, 'client')]);

      expect(
        runs.map(({ exitCode }) => exitCode),
        JSON.stringify(runs.map(ending)),
      ).toEqual([0, 0, 0, 0]);
      for (const node of [...servers, client])
        expect(complaints(await verify(node, ['--wait', '60'])), node.name).toEqual([]);
      const asked = (await lab.mirror.requests()).filter(
        ({ host, status }) => host === 'api.linode.com' && status === 200,
      );
      expect(new Set(asked.map(({ client: address }) => address)).size).toBe(4);
      expect(asked.some(({ path }) => /\/1000006\/ips$/.test(path))).toBe(false);
    });

    it("keep the API's token in Consul's environment alone", async () => {
      for (const node of [...servers, client]) {
        const { stdout } = await node.exec(['stat', '-c', '%a %U:%G', '/etc/consul.d/consul.env']);
        expect(stdout).toBe('640 consul:consul\n');
        const holders = ['/etc', '/var/log', '/var/lib/nomad-bootstrap', '/opt', '/run/systemd', '/usr/local/lib'];
        const found = await node.exec(['grep', '-rls', labApiToken, ...holders], { check: false });
        expect(found.stdout.trim().split('\n'), node.name).toEqual(['/etc/consul.d/consul.env']);
        const programs = await node.exec([
          'sh',
          '-c',
          'grep -ls "$0" /proc/[0-9]*/environ /proc/[0-9]*/cmdline | sort',
          labApiToken,
        ]);
        const [consul, ...others] = programs.stdout
          .trim()
          .split('\n')
          // The shell itself has it in its words.
          .filter(path => path.endsWith('environ'));
        expect(others, node.name).toEqual([]);
        const pid = (await node.exec(['systemctl', 'show', '-P', 'MainPID', 'consul.service'])).stdout.trim();
        expect(consul).toBe(`/proc/${pid}/environ`);
        const journal = await node.exec(['sh', '-c', 'journalctl --no-pager | grep -c "$0" || true', labApiToken]);
        expect(journal.stdout).toBe('0\n');
      }
    });

    it('need no token and no flag to be run again', async () => {
      const node = servers[1] as LabNode;
      await node.exec(['rm', '/root/api.token', '/root/cluster.token']);
      const again = await bootstrap(node, ['server']);

      expect(again.exitCode, JSON.stringify(ending(again))).toBe(0);
      expect(ending(again)).toMatchObject({ changes: 0 });
    });

    it('are left without a trace of the token of the API by an uninstallation', async () => {
      const gone = await client.exec(['nomad-bootstrap', 'uninstall', '--purge-data'], { check: false });
      expect(gone.exitCode, gone.stderr).toBe(0);
      await client.exec(['rm', '/root/api.token']);
      const folders = ['/etc', '/var', '/opt', '/usr/local', '/root'];
      const found = await client.exec(['grep', '-rls', labApiToken, ...folders], { check: false });
      expect(found.stdout).toBe('');
    });
  },
);

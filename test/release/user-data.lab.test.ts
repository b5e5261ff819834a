import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, type LabNode, openLab, whyNoLab, whyNoRealAgents } from '../lab/lab.ts';
import { testClientToken } from '../token/vectors.ts';
import { firstBootStatus, runUserData } from './first-boot.ts';
import { makeRelease } from './release.ts';

const reason = whyNoLab() ?? whyNoRealAgents();
if (reason !== undefined) process.stderr.write(`skipped: test/release/user-data.lab.test.ts: ${reason}\n`);

describe.skipIf(reason !== undefined)('a Linode with user data', () => {
  let lab: Lab;
  /** What the lab's own keys need, as lines of the settings. */
  let trust: string;

  beforeAll(async () => {
    lab = await openLab();
    const folder = lab.mirror.releaseFolder;
    makeRelease(folder, 'https://release.lab', readFileSync('dist/nomad-bootstrap'), ['nomad-bootstrap-linux-amd64']);
    const pairs = lab.mirror.offer.flags.join(' ').matchAll(/--(\S+) (\S+)/g);
    trust = [...pairs].map(([, name, value]) => `${name}: "${value}"\n`).join('');
  });
  afterAll(() => lab?.close());

  async function boot(name: string, userData: string, tags: readonly string[] = []): Promise<LabNode> {
    const trusting = userData.replace(/^(cat >settings\.yaml.*\n)/m, `$1${trust}docker: none\n`);
    const node = await lab.unbootedNode({ name, linode: { tags, userData: trusting } });
    runUserData(node);
    await node.boot();
    const log = async () => (await node.exec(['tail', '-n', '40', '/var/log/cloud-init-output.log'])).stdout;
    expect(await firstBootStatus(node), await log()).toBe(0);
    return node;
  }

  it("becomes a server with what deploy/terraform renders, and a client with deploy/cloud-init's example and a tag", async () => {
    const rendered = readFileSync('test/golden/deploy/module-server.user-data.sh', 'utf8');
    const server = await boot('server1', rendered.replace('"expect": 3', '"expect": 1'));
    const example = readFileSync('deploy/cloud-init/user-data.sh', 'utf8');
    const client = await boot(
      'client1',
      example
        .replace('https://example.com/nomad-bootstrap', 'https://release.lab')
        .replace('role=server', 'role=auto')
        .replace('expect: 3\n', '')
        .replace("<<'TOKEN'\n", `<<'TOKEN'\n${testClientToken}\n`),
      ['nomad-client'],
    );

    for (const node of [server, client]) {
      const { exitCode, stdout } = await node.exec(['nomad-bootstrap', 'verify', '--wait', '30'], { check: false });
      expect(exitCode, stdout).toBe(0);
    }
    const show = 'NOMAD_TOKEN=$(nomad-bootstrap token show --kind nomad-management) nomad node status -json';
    expect(JSON.parse((await server.exec(['sh', '-c', show])).stdout)).toMatchObject([
      { Name: 'client1', Status: 'ready', Datacenter: 'dc1' },
    ]);
    // Nobody else reads what is left of a first boot.
    const left = ['', '/settings.yaml', '/token'].map(name => `/root/nomad-bootstrap${name}`);
    expect((await client.exec(['stat', '-c', '%a', ...left])).stdout).toBe('700\n600\n600\n');

    // The line that finishes a first boot that failed does no harm to one that did not.
    expect((await client.exec(['sh', '/root/nomad-bootstrap/run'], { check: false })).exitCode).toBe(0);
  });
});

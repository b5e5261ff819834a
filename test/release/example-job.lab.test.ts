import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freshNode } from '../cluster/bootstrap.ts';
import { type Lab, type LabNode, openLab, waitFor, whyNoLab, whyNoRealAgents } from '../lab/lab.ts';

const reason = whyNoLab() ?? whyNoRealAgents();
if (reason !== undefined) process.stderr.write(`skipped: test/release/example-job.lab.test.ts: ${reason}\n`);

describe.skipIf(reason !== undefined)("the guide's example job", () => {
  let lab: Lab;
  let server: LabNode;
  let clients: LabNode[];

  beforeAll(async () => {
    lab = await openLab();
    server = await freshNode(lab, { name: 'server1', linode: {} });
    clients = [];
    for (const name of ['client1', 'client2']) clients.push(await freshNode(lab, { name, linode: {} }));
    const common = ['--insecure', '--network', 'vlan', '--join', 'vlan', ...lab.mirror.offer.flags];
    await Promise.all([
      server.exec(['nomad-bootstrap', 'server', '--expect', '1', ...common]),
      ...clients.map(client => client.exec(['nomad-bootstrap', 'client', ...common])),
    ]);
    for (const client of clients) await client.importImage('http-echo:lab');
  });
  afterAll(() => lab?.close());

  const answers = async (address: string | undefined) => {
    const { stdout } = await server.exec(
      ['curl', '-sS', '-m', '3', '-o', '/dev/null', '-w', '%{http_code}', `http://${address}:3030/`],
      { check: false },
    );
    return stdout;
  };

  it("answers on every client's public address, and on no other address of the cluster", async () => {
    const job = readFileSync('deploy/examples/http-echo.nomad.hcl', 'utf8')
      .replace('count          = 3', `count = ${clients.length}`)
      // The lab has no registry: its own image, and what that has for a web server.
      .replace('"hashicorp/http-echo:1.0"', '"http-echo:lab"\n        command = "/bin/httpd"')
      .replace(/args {2}= \[.*\]/, 'args  = ["-f", "-p", "5678", "-h", "/etc"]');
    await server.writeFile('/root/http-echo.nomad.hcl', job);
    await server.exec(['nomad', 'job', 'run', '-detach', '/root/http-echo.nomad.hcl']);

    await waitFor(
      'the job to answer',
      async () => {
        const statuses = await Promise.all(clients.map(({ publicAddress }) => answers(publicAddress)));
        return statuses.every(status => /^[24]\d\d$/.test(status)) ? true : undefined;
      },
      { timeoutMs: 120_000, everyMs: 2000 },
    );
    for (const address of [server.publicAddress, server.vlanAddress, ...clients.map(client => client.vlanAddress)]) {
      expect([address, await answers(address)]).toEqual([address, '000']);
    }
  });
});

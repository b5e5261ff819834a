import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRelease, serveFolder, type WebServer } from './release.ts';

const mayNest = spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'true']).status === 0;
if (!mayNest) process.stderr.write('skipped: the StackScript: this user may not make namespaces\n');

let folder: string;
let web: WebServer;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'stackscript-'));
  mkdirSync(path.join(folder, 'served'));
  web = await serveFolder(path.join(folder, 'served'));
  const program =
    '#!/bin/sh\necho "ran with: $*"\nenv | grep ^NOMAD_ | grep -v TOKEN | sort\nprintf %s "$NOMAD_BOOTSTRAP_LINODE_TOKEN" | wc -c | sed "s/^/token of Linode of length /"\n[ -z "$NOMAD_BOOTSTRAP_TOKEN" ] || printf %s "$NOMAD_BOOTSTRAP_TOKEN" | wc -c | sed "s/^/token of length /"\nexit 7\n';
  makeRelease(path.join(folder, 'served'), web.url, Buffer.from(program));
});

afterAll(() => {
  web.server.close();
  rmSync(folder, { recursive: true });
});

/** Runs the StackScript as Linode's runner does, where /usr/local and /var/log are empty. */
function run(fields: Readonly<Record<string, string>>): Promise<{ status: number | null; output: string }> {
  const words = Object.entries({ HOME: '/root', TERM: 'linux', PATH: '/usr/bin:/bin', ...fields }).map(
    ([name, value]) => `${name}=${value}`,
  );
  const inside = `mount -t tmpfs tmpfs /usr/local && mount -t tmpfs tmpfs /var/log
status=0
env -i "$@" bash "$0" >/dev/null 2>&1 </dev/null || status=$?
stat -c '%a' /var/log/stackscript.log
cat /var/log/stackscript.log
exit $status`;
  const script = path.join(folder, 'served/stackscript.sh');
  const child = spawn('unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', inside, script, ...words]);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  return new Promise(resolve => child.on('close', status => resolve({ status, output })));
}

describe.skipIf(!mayNest)('the StackScript', () => {
  it('gives the program its fields, logs for root alone what that says, and ends as that ends', async () => {
    const { status, output } = await run({
      ROLE: 'client',
      EXPECT: '3',
      JOIN: 'vlan',
      NETWORK: 'auto',
      INSECURE: 'yes',
      DATACENTER: '',
      NOMAD_VERSION: '2.0.5',
      EXTRA: '--node-pool web  --docker distro',
    });

    expect(status).toBe(7);
    const settings = [
      'NOMAD_BOOTSTRAP_EXPECT=3',
      'NOMAD_BOOTSTRAP_JOIN=vlan',
      'NOMAD_BOOTSTRAP_NETWORK=auto',
      'NOMAD_BOOTSTRAP_INSECURE=yes',
      'NOMAD_BOOTSTRAP_NOMAD_VERSION=2.0.5',
    ];
    expect(output.split('\n')).toEqual([
      '600',
      `${settings.join(' ')} nomad-bootstrap client --node-pool web --docker distro`,
      `nomad-bootstrap: downloading ${web.url}/nomad-bootstrap-linux-amd64.xz`,
      'ran with: client --node-pool web --docker distro',
      ...[...settings, 'NOMAD_VERSION=2.0.5'].sort(),
      'token of Linode of length 0',
      'nomad-bootstrap ended with 7',
      '',
    ]);
  });

  it('says how to go on where the program did not arrive: the line of the log needs it', async () => {
    const nothing = createServer((_, response) => response.writeHead(404).end());
    await new Promise<void>(resolve => nothing.listen(0, '127.0.0.1', resolve));
    const { port } = nothing.address() as AddressInfo;
    const { output } = await run({ ROLE: 'server', RELEASE_URL: `http://127.0.0.1:${port}` });
    nothing.close();

    expect(output).toMatch(/^fix: .* bash \/root\/StackScript$/m);
  });

  it('hands the tokens over, and puts them into no log', async () => {
    const { output } = await run({
      ROLE: 'server',
      CLUSTER_TOKEN_PASSWORD: 'nbserver1.told',
      LINODE_TOKEN_PASSWORD: 'test-vector-of-an-api',
    });

    expect(output).toContain('token of length 14\n');
    expect(output).toContain('token of Linode of length 21\n');
    expect(output).not.toMatch(/nbserver1|test-vector/);
  });

  it('hands over what would be something else to a shell', async () => {
    const { output } = await run({ ROLE: 'server', JOIN: '$(touch /var/log/x) "a;b\'' });

    expect(output).toContain(`NOMAD_BOOTSTRAP_JOIN=\\$\\(touch\\ /var/log/x\\)\\ \\"a\\;b\\' nomad-bootstrap server\n`);
    expect(output).toContain('\nNOMAD_BOOTSTRAP_JOIN=$(touch /var/log/x) "a;b\'\n');
  });
});

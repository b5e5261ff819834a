import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Lab, type LabNode, openLab, waitFor, whyNoLab, whyNoRealAgents } from '../lab/lab.ts';
import {
  bootstrap,
  complaints,
  ending,
  executable,
  freshNode,
  madeTrue,
  planned,
  program,
  statusOf,
  verify,
} from './bootstrap.ts';

const reason = whyNoLab() ?? whyNoRealAgents();
if (reason !== undefined) process.stderr.write(`skipped: test/cluster/verify.lab.test.ts: ${reason}\n`);

const image = 'lab/busybox:1';
/** What docs/checks.md calls enough. */
const leastPolicy = 'node { policy = "read" } namespace "default" { capabilities = ["submit-job", "read-job"] }';
const metrics = '/var/lib/prometheus/node-exporter/nomad-bootstrap.prom';

describe.skipIf(reason !== undefined)('verify on a server and a client of a cluster with a token', () => {
  let lab: Lab;
  let server: LabNode;
  let client: LabNode;
  /** Of a token that may run jobs, and no more. */
  let nomadToken: string;

  beforeAll(async () => {
    lab = await openLab();
    const token = execFileSync(executable, ['token', 'create'], { encoding: 'utf8' });
    const clientToken = execFileSync(executable, ['token', 'client'], {
      encoding: 'utf8',
      env: { NOMAD_BOOTSTRAP_TOKEN: token.trim() },
    });
    server = await freshNode(lab, { name: 'server1', system: 'debian12' });
    client = await freshNode(lab, { name: 'client1', system: 'debian12' });
    const roles: readonly (readonly [LabNode, string, readonly string[]])[] = [
      [server, token, ['server', '--expect', '1']],
      [client, clientToken, ['client', '--join', String(server.vlanAddress)]],
    ];
    for (const [node, text, role] of roles) {
      await node.writeFile('/root/token', text, 0o600);
      const options = ['--token-file', '/root/token', '--network', 'eth1', ...lab.mirror.offer.flags];
      const dryRun = await bootstrap(node, [...role, ...options, '--dry-run']);
      const run = await bootstrap(node, [...role, ...options]);
      expect(run.exitCode, JSON.stringify(ending(run))).toBe(0);
      // The only server makes all that its cluster needs as well.
      expect(planned(dryRun)).toEqual(madeTrue(run));
    }
    // Consul asks for Nomad's health every 10 s, Nomad for Docker's.
    for (const node of [server, client]) expect(complaints(await verify(node, ['--wait', '60']))).toEqual([]);
    await client.importImage(image);
    nomadToken = await asManager(`echo '${leastPolicy}' | nomad acl policy apply canary - >&2
      nomad acl token create -policy=canary -type=client | sed -n "s/^Secret ID *= *//p"`);
  });

  afterAll(() => lab?.close());

  /** What a script on the server prints that may do everything in Nomad. */
  async function asManager(script: string): Promise<string> {
    const management = 'export NOMAD_TOKEN=$(nomad-bootstrap token show --kind nomad-management)';
    return (await server.exec(['sh', '-c', `${management}; ${script}`], { check: false })).stdout.trim();
  }

  /** What Nomad and Docker still have of a canary. */
  async function leftovers(): Promise<string> {
    const jobs = await asManager('nomad job status');
    const containers = await client.exec(['docker', 'ps', '--all', '--quiet']);
    return `${jobs}${containers.stdout.trim()}`.replace('No running jobs', '').replace(/==> View.*$/s, '');
  }

  const untilNothingIsLeft = () =>
    waitFor('the canary to be gone', async () => ((await leftovers()).trim() === '' ? true : undefined), {
      timeoutMs: 30_000,
    });

  it('runs a job in Docker through the scheduler, asked on the client or on the server, and leaves nothing of it', async () => {
    // A server has what it takes from the cluster's token.
    for (const [node, env] of [
      [client, { NOMAD_TOKEN: nomadToken }],
      [server, {}],
    ] as const) {
      const { exitCode, report } = await verify(node, ['--canary', '--canary-image', image], { env });

      expect([complaints({ report }), exitCode]).toEqual([[], 0]);
      const canary = report.checks.at(-1);
      expect([canary?.id, canary?.status]).toEqual(['canary', 'pass']);
      expect(canary?.detail).toMatch(/^docker on client1: served after [\d.]+ s, and is gone$/);
      await untilNothingIsLeft();
    }
  });

  it('runs no job on a client without a token that may, and says where there is one', async () => {
    const { exitCode, stdout, stderr } = await client.exec([program, 'verify', '--canary'], { check: false });

    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/a client holds none.*\n.*on a server.*NOMAD_TOKEN/);
  });

  it('says why no job can run where the image cannot be had, and leaves nothing of it', async () => {
    const env = { NOMAD_TOKEN: nomadToken };
    const { exitCode, report } = await verify(client, ['--canary', '--canary-image', 'lab/nowhere:1'], { env });

    expect(exitCode).toBe(1);
    expect(complaints({ report })).toEqual([expect.stringMatching(/^canary: .*image cannot be had/)]);
    await untilNothingIsLeft();
  });

  it('leaves nothing of the job when it is interrupted while the job runs', async () => {
    const [command = '', ...argv] = client.command([program, 'verify', '--canary', '--canary-image', image]);
    const run = spawn(command, argv, {
      env: { ...client.environment, NOMAD_TOKEN: nomadToken },
      stdio: 'ignore',
    });
    const ended = new Promise<number | null>(resolve => {
      run.once('close', resolve);
    });
    await waitFor('the canary to be placed', async () => ((await leftovers()).trim() === '' ? undefined : true), {
      timeoutMs: 30_000,
      everyMs: 50,
    });
    await client.exec(['sh', '-c', `kill -INT $(pidof ${program})`]);

    expect(await ended).toBe(130);
    await untilNothingIsLeft();
  });

  it('takes no restart of the only server for a fault, on the server and on its client', async () => {
    const only = ['--only', 'nomad-agent,nomad-leader,nomad-advertise'];
    for (const node of [server, client]) {
      await server.exec(['systemctl', 'restart', 'nomad']);
      expect(complaints(await verify(node, only))).toEqual([]);
    }
    expect(complaints(await verify(client, ['--wait', '60']))).toEqual([]);
  });

  it("fails on a slip in the operator's own file, before the agent is restarted", async () => {
    const path = '/etc/nomad.d/zz-local.hcl';
    await client.writeFile(path, 'telemetry {\n  collection_interval = "5s"\n}\n', 0o644);
    expect(statusOf(await verify(client), 'config-accepted')).toBe('pass');
    await client.writeFile(path, 'telemetry {\n', 0o644);
    const { report } = await verify(client);
    await client.exec(['rm', path]);

    expect(complaints({ report })).toEqual([expect.stringContaining(path)]);
  });

  it('writes an exposition that promtool takes and a report that is valid by the schema of JUnit, also of failures', async () => {
    await server.exec(['apt-get', 'update', '-qq']);
    const install = ['apt-get', 'install', '-qq', '-y', '--no-install-recommends', 'libxml2-utils'];
    await server.exec(install, { env: { DEBIAN_FRONTEND: 'noninteractive' } });
    // The program alone, without the service.
    await server.exec([
      'sh',
      '-ec',
      'cd /tmp; apt-get download -qq prometheus; dpkg -x prometheus_*.deb /tmp/prometheus',
    ]);
    await server.writeFile('/tmp/junit.rng', readFileSync('test/fixtures/junit.rng'));

    for (const fault of ['true', 'systemctl stop consul', 'systemctl start consul']) {
      await server.exec(['sh', '-c', fault]);
      const exposition = await server.exec([program, 'verify', '--format', 'prometheus'], { check: false });
      const judged = await server.exec(['/tmp/prometheus/usr/bin/promtool', 'check', 'metrics'], {
        stdin: exposition.stdout,
        check: false,
      });
      expect([fault, judged.exitCode, judged.stdout, judged.stderr]).toEqual([fault, 0, '', '']);
      expect(exposition.stdout).toContain('nomad_bootstrap_check_status{check="nomad-leader"}');

      const document = await server.exec([program, 'verify', '--format', 'junit'], { check: false });
      const valid = await server.exec(['xmllint', '--noout', '--relaxng', '/tmp/junit.rng', '-'], {
        stdin: document.stdout,
        check: false,
      });
      expect([fault, valid.exitCode, valid.stderr]).toEqual([fault, 0, '- validates\n']);
    }
    expect(complaints(await verify(server, ['--wait', '60']))).toEqual([]);
  });

  it('refuses with 2 unknown checks and formats, and lists those that there are, and what would do nothing', async () => {
    const slips: readonly (readonly [readonly string[], RegExp])[] = [
      [['--only', 'nomad-lieder'], /nomad-lieder.*nomad-leader.*config-drift/s],
      [['--skip', 'nomad-lieder'], /nomad-lieder.*nomad-leader.*config-drift/s],
      [['--format', 'yaml'], /text, json, junit, prometheus or nagios/],
      [['--only', 'consul-autopilot,nomad-autopilot'], /none of the chosen checks applies to this node, a client/],
      [['--canary-image', 'busybox'], /--canary-image would do nothing without --canary/],
      [['--timer', '--format', 'junit', '--wait', '9'], /--format, --wait would do nothing with --timer/],
    ];
    for (const [slip, words] of slips) {
      const { exitCode, stdout, stderr } = await client.exec([program, 'verify', ...slip], { check: false });
      expect([slip, exitCode, stdout]).toEqual([slip, 2, '']);
      expect(stderr).toMatch(words);
    }
  });

  it('tells of an agent that is slow, refuses, wants TLS, talks nonsense or is not there, within seconds and without a stack trace', async () => {
    const http = (status: string, body: string) => `printf "HTTP/1.0 ${status}\\r\\n\\r\\n${body}"`;
    const impostors: readonly (readonly [string, string | undefined, RegExp])[] = [
      ['absent', undefined, /nothing answers on 127\.0\.0\.1:4646; nomad\.service is (?:inactive|failed)/],
      ['silent', 'sleep 60', /did not answer .* within 4 s/],
      ['a refusal', http('403 Forbidden', 'Permission denied'), /answered 403.*Permission denied/],
      ['nonsense', http('200 OK', '<html>'), /cannot be read.*<html>/],
      ['another protocol', 'printf "SSH-2.0-OpenSSH_9.2\\r\\n"', /does not speak HTTP/],
      // It is then asked by HTTPS, as an agent whose API is just being opened has to be.
      [
        'TLS',
        http('400 Bad Request', 'Client sent an HTTP request to an HTTPS server.'),
        /cannot be asked over TLS: wrong version number/,
      ],
    ];
    await client.exec(['systemctl', 'stop', 'nomad']);
    try {
      for (const [name, script, words] of impostors) {
        if (script !== undefined) await impersonate(client, script);
        const startedAt = performance.now();
        const { exitCode, stdout, stderr } = await client.exec([program, 'verify', '--format', 'json'], {
          check: false,
        });
        const seconds = (performance.now() - startedAt) / 1000;
        if (script !== undefined) await client.exec(['systemctl', 'stop', 'impostor']);

        const report = JSON.parse(stdout);
        expect([name, exitCode]).toEqual([name, 1]);
        expect(complaints({ report }).find(text => text.startsWith('nomad-agent:'))).toMatch(words);
        expect([name, stderr]).toEqual([name, '']);
        expect(stdout).not.toMatch(/the check itself failed|\n\s+at /);
        expect(seconds).toBeLessThan(20);
      }
    } finally {
      await client.exec(['systemctl', 'start', 'nomad']);
    }
    expect(complaints(await verify(client, ['--wait', '60']))).toEqual([]);
  });

  it('installs a timer that leaves metrics and findings, changes nothing when asked again, and goes with uninstall', async () => {
    const first = await bootstrap(client, ['verify', '--timer']);
    expect([first.exitCode, ending(first)?.type]).toEqual([0, 'finished']);
    expect(madeTrue(first)).toContain('service:nomad-bootstrap-verify.timer');
    expect(madeTrue(await bootstrap(client, ['verify', '--timer']))).toEqual([]);
    const timer = ['systemctl', 'is-active', 'nomad-bootstrap-verify.timer'];
    expect((await client.exec(timer)).stdout).toBe('active\n');

    const service = ['systemctl', 'start', 'nomad-bootstrap-verify.service'];
    await client.exec(service);
    expect(await client.readFile(metrics)).toContain('nomad_bootstrap_healthy 1\n');

    await client.exec(['sysctl', '-qw', 'net.ipv4.ip_forward=0']);
    expect((await client.exec(service, { check: false })).exitCode).toBe(1);
    expect(await client.readFile(metrics)).toContain('nomad_bootstrap_check_status{check="bridge-sysctls"} 2\n');
    const { stdout } = await client.exec(['journalctl', '-u', 'nomad-bootstrap-verify', '-o', 'cat', '--no-pager']);
    expect(stdout).toContain('failed: Bridge traffic is filtered and forwarded: net.ipv4.ip_forward = 0');

    await client.exec(['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    expect((await client.exec([program, 'uninstall'], { check: false })).exitCode).toBe(0);
    const units = await client.exec(['systemctl', 'list-unit-files', 'nomad-bootstrap-verify.*'], { check: false });
    expect(units.stdout).toContain('0 unit files');
    expect((await client.exec(['ls', '/var/lib/prometheus'], { check: false })).exitCode).not.toBe(0);
  });
});

/** Answers on Nomad's port with what `script` prints, one process for each connection. */
async function impersonate(node: LabNode, script: string): Promise<void> {
  const listen = ['systemd-socket-activate', '--accept', '--inetd', '--listen=127.0.0.1:4646'];
  await node.exec(['systemd-run', '--quiet', '--unit=impostor', ...listen, '/bin/sh', '-c', `${script}; sleep 0.1`]);
  await waitFor('the impostor to listen', async () => {
    const { exitCode } = await node.exec(['grep', '-q', '0100007F:1226 00000000:0000 0A', '/proc/net/tcp'], {
      check: false,
    });
    return exitCode === 0 ? true : undefined;
  });
}

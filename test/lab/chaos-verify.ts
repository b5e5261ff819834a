// chaos-verify.ts [FAULT...]: what `verify` shows of faults in a real cluster, and that it shows none in a healthy one.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Cluster, type VerifyFault, verifyFaults } from './faults/verify-faults.ts';
import { attachLab, type Lab, type LabNode, openLab, waitFor, whyNoLab } from './lab.ts';

const project = path.resolve(import.meta.dirname, '../..');
const executable = path.join(project, 'dist/nomad-bootstrap');
const manual = path.join(project, 'docs/checks.md');
const markers = { begin: '<!-- faults: begin -->', end: '<!-- faults: end -->' };
const healthyWithinSeconds = 180;
const usualSeconds = 30;

interface Report {
  readonly ok: boolean;
  readonly checks: readonly { readonly id: string; readonly status: string; readonly detail: string }[];
}

interface FaultResult {
  readonly fault: VerifyFault;
  /** Of the last report. */
  readonly failed: readonly string[];
  /** Expected and not there. */
  readonly missed: readonly string[];
  /** Failed without having been foreseen, in any report while the fault was there. */
  readonly unforeseen: readonly string[];
  readonly seconds: number;
}

interface Occasion {
  readonly title: string;
  readonly runs: number;
  /** What failed, run by run. */
  readonly alarms: readonly string[];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(only: readonly string[]): Promise<number> {
  const reason = whyNoLab();
  if (reason !== undefined) {
    say(`skipped: ${reason}`);
    return 0;
  }
  if (!existsSync(executable)) throw new Error('dist/nomad-bootstrap is missing: make build');
  const unknown = only.filter(id => !verifyFaults.some(fault => fault.id === id));
  if (unknown.length > 0) throw new Error(`there is no fault ${unknown.join(', ')}`);

  const existing = process.env['LAB'];
  const lab = existing === undefined ? await openLab() : attachLab(existing);
  try {
    return await inLab(lab, only);
  } finally {
    if (existing === undefined) await lab.close();
  }
}

async function inLab(lab: Lab, only: readonly string[]): Promise<number> {
  const nodes = lab.nodes().length > 0 ? lab.nodes() : await bringUp(lab);
  const occasions: Occasion[] = [];
  if (only.length === 0) occasions.push(await falseAlarms(nodes, 'right after joining', 2));

  const results: FaultResult[] = [];
  for (const fault of verifyFaults) {
    if (only.length > 0 && !only.includes(fault.id)) continue;
    results.push(await run(fault, nodes));
  }
  if (only.length === 0) occasions.push(...(await healthyOccasions(nodes)));

  const missed = results.filter(result => !caught(result));
  const alarms = occasions.flatMap(occasion => occasion.alarms);
  const runs = occasions.reduce((sum, occasion) => sum + occasion.runs, 0);
  const lastLine = `faults: ${results.length} injected, ${results.length - missed.length} caught, ${missed.length} missed; false alarms: ${alarms.length} of ${runs}`;
  const good = missed.length === 0 && alarms.length === 0;
  if (only.length === 0) writeTable(results, occasions, lastLine);
  for (const { fault } of missed) say(`not as foreseen: ${fault.id}`);
  for (const alarm of alarms) say(`false alarm: ${alarm}`);
  say(lastLine);
  return good ? 0 : 1;
}

/**
 * Bootstrapped as an operator would: three servers of two families and a client without a token; a server and a client of another
 * cluster, with one.
 */
async function bringUp(lab: Lab): Promise<readonly LabNode[]> {
  const specs = [
    { name: 'server1', system: 'debian12' },
    { name: 'server2', system: 'rocky9' },
    { name: 'server3', system: 'debian12' },
    { name: 'client1', system: 'debian12' },
    { name: 'server4', system: 'debian12' },
    { name: 'client2', system: 'debian12' },
  ] as const;
  const nodes: LabNode[] = [];
  for (const spec of specs) nodes.push(await lab.node(spec));
  const servers = nodes.slice(0, 3).map(({ vlanAddress }) => vlanAddress);
  const tokenFile = '/root/cluster.token';
  const token = execFileSync(executable, ['token', 'create'], { encoding: 'utf8' });
  const clientToken = execFileSync(executable, ['token', 'client'], {
    encoding: 'utf8',
    env: { NOMAD_BOOTSTRAP_TOKEN: token.trim() },
  });
  const insecure = ['--insecure', '--join', servers.join(',')];
  const secure = ['--token-file', tokenFile];
  const roles: Readonly<Record<string, readonly string[]>> = {
    server1: ['server', '--expect', '3', ...insecure],
    server2: ['server', '--expect', '3', ...insecure],
    server3: ['server', '--expect', '3', ...insecure],
    client1: ['client', ...insecure],
    server4: ['server', '--expect', '1', ...secure],
    client2: ['client', '--join', String(nodes[4]?.vlanAddress), ...secure],
  };
  for (const node of nodes) {
    await node.install(executable, '/usr/local/bin/nomad-bootstrap');
    if (node.name === 'server4') await node.writeFile(tokenFile, token);
    if (node.name === 'client2') await node.writeFile(tokenFile, clientToken);
  }
  await Promise.all(
    nodes.map(async node => {
      const role = roles[node.name] ?? [];
      const options = ['--network', 'eth1', '--wait-for', 'cluster', '--wait', '300', ...lab.mirror.offer.flags];
      await node.exec(['nomad-bootstrap', ...role, ...options], { timeoutMs: 600_000 });
      say(`${node.name} (${node.system}) is bootstrapped`);
    }),
  );
  return nodes;
}

async function verify(node: LabNode, argv: readonly string[] = []): Promise<Report> {
  const command = ['nomad-bootstrap', 'verify', '--format', 'json', ...argv];
  const { exitCode, stdout, stderr } = await node.exec(command, { check: false });
  if (stdout === '') throw new Error(`${node.name}: verify said nothing, exit ${exitCode}: ${stderr}`);
  return JSON.parse(stdout) as Report;
}

function failedIn({ checks }: Report): readonly string[] {
  return checks.filter(({ status }) => status === 'fail').map(({ id }) => id);
}

function complaints({ checks }: Report): readonly string[] {
  return checks.filter(({ status }) => status === 'fail').map(({ id, detail }) => `${id} (${detail})`);
}

/** Until every node calls itself and its cluster healthy. Throws with what is wrong. */
async function untilHealthy(nodes: readonly LabNode[]): Promise<void> {
  await Promise.all(
    nodes.map(async node => {
      const report = await verify(node, ['--wait', String(healthyWithinSeconds)]);
      if (!report.ok) throw new Error(`${node.name} does not become healthy: ${complaints(report).join(', ')}`);
    }),
  );
}

async function run(fault: VerifyFault, nodes: readonly LabNode[]): Promise<FaultResult> {
  const cluster = await lookAt(nodes);
  const asked = cluster[fault.ask];
  const allowed = [...fault.expect, ...(fault.consequences ?? [])];
  const limitMs = (fault.seenWithinSeconds ?? usualSeconds) * 1000;
  await fault.inject(cluster);
  const startedAt = performance.now();
  const unforeseen = new Map<string, string>();
  let report: Report;
  let missed: readonly string[];
  let elapsedMs: number;
  try {
    do {
      report = await verify(asked);
      const failed = failedIn(report);
      missed = fault.expect.filter(id => !failed.includes(id));
      elapsedMs = performance.now() - startedAt;
      for (const complaint of complaints(report)) {
        const id = complaint.split(' ')[0] ?? '';
        if (!allowed.includes(id)) unforeseen.set(id, complaint);
      }
    } while (missed.length > 0 && elapsedMs < limitMs);
  } finally {
    await fault.heal(cluster);
  }
  const result = {
    fault,
    failed: failedIn(report),
    missed,
    unforeseen: [...unforeseen.keys()],
    seconds: elapsedMs / 1000,
  };
  const verdict = caught(result) ? 'caught' : 'NOT AS FORESEEN';
  say(`${fault.id}: ${verdict} on ${asked.name} after ${result.seconds.toFixed(1)} s: ${result.failed.join(', ')}`);
  if (!caught(result)) {
    if (missed.length > 0) say(`  missing: ${missed.join(', ')}`);
    for (const complaint of unforeseen.values()) say(`  not foreseen: ${complaint}`);
    for (const complaint of complaints(report)) say(`  ${complaint}`);
  }
  await untilHealthy(nodes);
  return result;
}

function caught({ missed, unforeseen }: FaultResult): boolean {
  return missed.length === 0 && unforeseen.length === 0;
}

async function lookAt(nodes: readonly LabNode[]): Promise<Cluster> {
  const [server1, server2, server3, client, secureServer, secureClient] = nodes;
  if (!server1 || !server2 || !server3 || !client || !secureServer || !secureClient)
    throw new Error('three servers and a client, and a server and a client with a token');
  const servers = [server1, server2, server3];
  const leader = (url: string) =>
    waitFor('a leader', async () => {
      const { stdout } = await server1.exec(['curl', '-sS', '-m', '10', url], { check: false });
      return servers.find(({ vlanAddress }) => stdout.startsWith(`"${vlanAddress}:`));
    });
  const nomadLeader = await leader('http://127.0.0.1:4646/v1/status/leader');
  const consulLeader = await leader('http://127.0.0.1:8500/v1/status/leader');
  const follower = servers.find(({ name }) => name !== nomadLeader.name && name !== consulLeader.name) ?? server1;
  const bystander = servers.find(({ name }) => name !== nomadLeader.name && name !== follower.name) ?? server1;
  return {
    ...{ server1, server2, server3, client, secureServer, secureClient },
    ...{ nomadLeader, consulLeader, follower, bystander },
  };
}

/** `rounds` times on each node, one after another. */
async function falseAlarms(nodes: readonly LabNode[], title: string, rounds: number): Promise<Occasion> {
  const alarms: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const node of nodes) {
      const report = await verify(node);
      if (!report.ok) alarms.push(`${title}, ${node.name}: ${complaints(report).join(', ')}`);
    }
  }
  const runs = rounds * nodes.length;
  say(`${title}: ${alarms.length} false alarms in ${runs} runs`);
  return { title, runs, alarms };
}

async function healthyOccasions(nodes: readonly LabNode[]): Promise<readonly Occasion[]> {
  const occasions: Occasion[] = [];
  const { nomadLeader, consulLeader } = await lookAt(nodes);
  /** The one that has other leaders to take over. */
  const cluster = nodes.slice(0, 4);
  for (const [agent, leader] of [
    ['nomad', nomadLeader],
    ['consul', consulLeader],
  ] as const) {
    await leader.exec(['systemctl', 'restart', agent]);
    await waitFor('the API', async () => {
      const port = agent === 'nomad' ? 4646 : 8500;
      const url = `http://127.0.0.1:${port}/v1/status/leader`;
      const { stdout } = await leader.exec(['curl', '-sS', '-m', '10', url], { check: false });
      return stdout.startsWith('"10.') ? true : undefined;
    });
    occasions.push(
      await falseAlarms(cluster, `right after ${agent === 'nomad' ? "Nomad's" : "Consul's"} leader changed`, 2),
    );
  }

  for (const node of nodes) await node.exec(['nomad-bootstrap', node.name.startsWith('server') ? 'server' : 'client']);
  occasions.push(await falseAlarms(nodes, 'right after a rerun on every node', 2));

  const reboots: Occasion[] = [];
  for (const node of nodes) {
    await node.reboot();
    await untilHealthy(nodes);
    reboots.push(await falseAlarms([node], `after a reboot of ${node.name}`, node.name.startsWith('client') ? 2 : 1));
  }
  const alarms = reboots.flatMap(occasion => occasion.alarms);
  const runs = reboots.reduce((sum, occasion) => sum + occasion.runs, 0);
  occasions.push({ title: 'after a reboot of each node, one after another', runs, alarms });
  // So that there are 50.
  occasions.push(await falseAlarms(nodes.slice(0, 1), 'an hour like any other', Math.max(1, 50 - 12 - 16 - 12 - runs)));
  return occasions;
}

/** Writes what was seen into the manual, between its markers. */
function writeTable(results: readonly FaultResult[], occasions: readonly Occasion[], lastLine: string): void {
  const text = readFileSync(manual, 'utf8');
  const begin = text.indexOf(markers.begin);
  const end = text.indexOf(markers.end);
  if (begin < 0 || end < begin)
    throw new Error(`docs/checks.md has no place for the table: ${markers.begin} ${markers.end}`);
  const names = (ids: readonly string[]) => ids.map(id => `\`${id}\``).join(', ') || '-';
  const rows = results.map(result => {
    const { fault, failed, missed, seconds } = result;
    const others = failed.filter(id => !fault.expect.includes(id));
    const verdict = caught(result)
      ? `${seconds.toFixed(1)} s`
      : `not as foreseen (${[...missed, ...result.unforeseen].join(', ')})`;
    return `| ${fault.title} | ${names(fault.expect)} | ${names(others)} | ${verdict} |`;
  });
  const healthy = occasions.map(({ title, runs, alarms }) => `| ${title} | ${runs} | ${alarms.length} |`);
  const table = [
    '| fault | expected to fail | also failed | seen after |',
    '|---|---|---|---|',
    ...rows,
    '',
    '| healthy cluster | runs of `verify` | false alarms |',
    '|---|---|---|',
    ...healthy,
    '',
    `\`${lastLine}\``,
  ];
  writeFileSync(manual, `${text.slice(0, begin)}${markers.begin}\n${table.join('\n')}\n${text.slice(end)}`);
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});

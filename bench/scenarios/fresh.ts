import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { touched, traces } from '../../test/cluster/bootstrap.ts';
import type { Lab, LabNode } from '../../test/lab/lab.ts';
import { hashicorpSites } from '../../test/lab/packages/hashicorp.ts';
import { executable, inShapedLab, observe, roleFlags, secondsOnLine, shapedNode } from '../shaped-lab.ts';
import { inAlternation, named, type Round, type Scenario } from './scenario.ts';

const serverEvents = ['consul', 'nomad', 'consul-leader', 'nomad-leader'];
/** What a run is allowed to write when there is nothing to do: its log. */
const log = [/^\/var\/log(\/nomad-bootstrap\.log)?$/];

/**
 * A fresh server, and then a fresh client of it, made by us, by the guide's commands, and (the server) by as little as
 * possible; each on nodes of its own, one after the other. Then what is asked of a finished node.
 */
export const fresh: Scenario = {
  id: 'fresh',
  rounds: 7,
  round: number =>
    inShapedLab(lab => inAlternation(number, [() => byUs(lab), () => byTheGuide(lab), () => byTheFloor(lab)])),
};

async function byUs(lab: Lab): Promise<Round> {
  const server = await shapedNode(lab, { name: 'our-server' });
  await server.install(executable);
  await lab.mirror.forgetRequests();
  const command = ['nomad-bootstrap', 'server', ...roleFlags(lab)];
  const made = await observe(lab, server, command, serverEvents);
  const megabytes = await megabytesSent(lab);
  const client = await shapedNode(lab, { name: 'our-client' });
  await client.install(executable);
  await lab.mirror.forgetRequests();
  const join = ['nomad-bootstrap', 'client', '--join', server.vlanAddress ?? '', ...roleFlags(lab)];
  const joined = await observe(lab, client, join, ['consul', 'nomad', 'ready:our-client']);
  const clientMegabytes = await megabytesSent(lab);
  await observe(lab, server, command); // the first rerun finds caches cold that it uses alone
  const before = await traces(server);
  const rerun = await observe(lab, server, command);
  const writes = touched(before, await traces(server), log).length;
  const verified = await observe(lab, server, ['nomad-bootstrap', 'verify']);
  const clientRerun = await observe(lab, client, join);
  const clientVerified = await observe(lab, client, ['nomad-bootstrap', 'verify']);
  await Promise.all([server.kill(), client.kill()]);
  return {
    ...named('ours.server.', { ...milestones(made.events), done: made.seconds, megabytes: megabytes }),
    ...named('ours.client.', {
      ready: joined.events['ready:our-client'] ?? Number.NaN,
      done: joined.seconds,
      megabytes: clientMegabytes,
    }),
    'ours.server.peak-mib': made.peakMiB,
    'ours.client.peak-mib': joined.peakMiB,
    'ours.server.rerun': rerun.seconds,
    'ours.server.rerun-writes': writes,
    'ours.client.rerun': clientRerun.seconds,
    'ours.server.verify': verified.seconds,
    'ours.client.verify': clientVerified.seconds,
  };
}

async function byTheGuide(lab: Lab): Promise<Round> {
  const server = await guideNode(lab, 'guide-server');
  await lab.mirror.forgetRequests();
  const serverSetup = `/root/guide-server.sh 1 1 us-east-1 ${server.vlanAddress}`;
  const made = await observe(lab, server, ['bash', '-c', `/root/guide-install.sh; ${serverSetup}`], serverEvents);
  const megabytes = await megabytesSent(lab);
  const client = await guideNode(lab, 'guide-client');
  await lab.mirror.forgetRequests();
  const clientSetup = `/root/guide-client.sh 1 us-east-1 ${client.vlanAddress} ${server.vlanAddress}`;
  const ready = 'ready:nomad-client-1';
  const joined = await observe(lab, client, ['bash', '-c', `/root/guide-install.sh; ${clientSetup}`], [ready]);
  const clientMegabytes = await megabytesSent(lab);
  await Promise.all([server.kill(), client.kill()]);
  return {
    ...named('guide.server.', { ...milestones(made.events), done: made.seconds, megabytes }),
    ...named('guide.server.stage-', stages(made.stdout)),
    ...named('guide.client.', {
      ready: joined.events[ready] ?? Number.NaN,
      done: joined.seconds,
      megabytes: clientMegabytes,
    }),
    ...named('guide.client.stage-', stages(joined.stdout)),
  };
}

/** The packages lie on the node: what their download takes at the least is added. */
async function byTheFloor(lab: Lab): Promise<Round> {
  const node = await scriptedNode(lab, 'floor', ['floor-server.sh']);
  const pool = path.join(await hashicorpSites(), 'apt.releases.hashicorp.com/pool/amd64/main');
  const { nomad, consul } = lab.mirror.offer;
  const wanted = [`nomad_${nomad.real}-1_`, `consul_${consul.real}-1_`];
  const files = readdirSync(pool).filter(name => wanted.some(start => name.startsWith(start)));
  if (files.length !== wanted.length) throw new Error(`not the packages of the floor: ${files.join(' ')}`);
  const folder = path.join(node.root, 'root/floor');
  mkdirSync(folder);
  for (const file of files) cpSync(path.join(pool, file), path.join(folder, file));
  const { stdout } = await node.exec(['sh', '-c', 'sync; cat /root/floor/*.deb | wc -c']);
  const download = secondsOnLine(Number(stdout));
  const made = await observe(lab, node, ['/root/floor-server.sh', node.vlanAddress ?? ''], serverEvents);
  await node.kill();
  const { up, leader, 'both-leaders': leaders } = milestones(made.events);
  return named('floor.server.', {
    up: up + download,
    leader: leader + download,
    'both-leaders': leaders + download,
    download,
    transaction: made.seconds,
  });
}

function guideNode(lab: Lab, name: string): Promise<LabNode> {
  return scriptedNode(lab, name, ['guide-install.sh', 'guide-server.sh', 'guide-client.sh']);
}

async function scriptedNode(lab: Lab, name: string, scripts: readonly string[]): Promise<LabNode> {
  const node = await shapedNode(lab, { name });
  const folder = path.join(import.meta.dirname, '../scripts');
  for (const script of scripts) await node.install(path.join(folder, script), `/root/${script}`);
  return node;
}

function milestones(events: Readonly<Record<string, number>>) {
  const of = (event: string) => events[event] ?? Number.NaN;
  return {
    up: Math.max(of('consul'), of('nomad')),
    leader: of('nomad-leader'),
    'both-leaders': Math.max(of('consul-leader'), of('nomad-leader')),
  };
}

/** Seconds that each part of the guide's sequence took, by its "stage NAME TIME" lines. */
function stages(stdout: string): Round {
  const marks = [...stdout.matchAll(/^stage (?<name>\S+) (?<at>[\d.]+)$/gm)].map(({ groups }) => ({
    name: groups?.['name'] ?? '',
    at: Number(groups?.['at']),
  }));
  return Object.fromEntries(
    marks.slice(0, -1).map(({ name, at }, index) => [name, (marks[index + 1]?.at ?? Number.NaN) - at]),
  );
}

async function megabytesSent(lab: Lab): Promise<number> {
  return (await lab.mirror.requests()).reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
}

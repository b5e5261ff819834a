// attack.ts [WORDS]: attacks a cluster with a token from three positions; each attempt must be refused, and its control must succeed.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Attack, positions } from './attacks/attack.ts';
import { withAClient } from './attacks/client.ts';
import { asAJob } from './attacks/job.ts';
import { fromTheNetwork } from './attacks/network.ts';
import { remains } from './attacks/remains.ts';
import { asOperator, http, makeWorld, type World } from './attacks/world.ts';
import { openLab, whyNoLab } from './lab.ts';

const project = path.resolve(import.meta.dirname, '../..');
const manual = path.join(project, 'docs/security.md');
const markers = { begin: '<!-- attacks: begin -->', end: '<!-- attacks: end -->' };
const attacks: readonly Attack[] = [...fromTheNetwork, ...withAClient, ...asAJob];
const atOnce = 4;
const controlAttempts = 3;

interface Result {
  readonly attack: Attack;
  readonly verdict: 'refused' | 'SUCCEEDED' | 'NOT AS FORESEEN';
  readonly seen: string;
  /** Absent where there is none. */
  readonly control?: { readonly succeeded: boolean; readonly seen: string };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(words: string): Promise<number> {
  const reason = whyNoLab();
  if (reason !== undefined) {
    say(`skipped: ${reason}`);
    return 0;
  }
  if (!existsSync(path.join(project, 'dist/nomad-bootstrap')))
    throw new Error('dist/nomad-bootstrap is missing: make build');
  const lab = await openLab();
  try {
    if (lab.mirror.offer.nomad.standIn) {
      say('skipped: a stand-in for Nomad says nothing about attacks on the real one');
      return 0;
    }
    const world = await makeWorld(lab, say);
    return await attackAll(world, words);
  } finally {
    await lab.close();
  }
}

async function attackAll(world: World, words: string): Promise<number> {
  await prepare(world);
  const wanted = attacks.filter(({ what }) => what.includes(words));
  const results: Result[] = [];
  // What a stranger's agent does on fixed ports is done one after another, what jobs do at once.
  for (const attack of wanted.filter(({ position }) => position !== 'job')) results.push(await tell(world, attack));
  const jobs = wanted.filter(({ position }) => position === 'job');
  await Promise.all(
    Array.from({ length: atOnce }, async (_, at) => {
      for (const attack of jobs.filter((_job, index) => index % atOnce === at)) results.push(await tell(world, attack));
    }),
  );
  const open: string[] = [];
  let unforeseen = 0;
  for (const { what, attempt, gain, position } of remains.filter(remainder => remainder.what.includes(words))) {
    const seen = await attempt(world).catch((error: Error) => `not tried: ${error.message}`);
    const possible = gain.test(seen);
    say(`${possible ? 'possible' : 'NOT AS FORESEEN'}: ${what}: ${brief(seen)}`);
    if (!possible) {
      unforeseen += 1;
      say(`  ${seen}`);
    }
    open.push(`| ${positions[position]} | ${what} | ${possible ? 'possible' : `not as foreseen: ${brief(seen)}`} |`);
  }

  const bad = results.filter(({ verdict, control }) => verdict !== 'refused' || control?.succeeded === false);
  const successful = results.filter(({ verdict }) => verdict !== 'refused').length;
  const lastLine = `attacks: ${results.length} tried, ${successful} successful`;
  if (words === '') writeTable(results, open, lastLine);
  for (const { attack, verdict, control } of bad) {
    say(
      `${verdict === 'refused' ? `its control did not succeed (${brief(control?.seen ?? '')})` : verdict}: ${attack.what}`,
    );
  }
  const uncontrolled = results.filter(({ control }) => control === undefined).length;
  say(
    `controls: ${results.length - uncontrolled} made, ${results.filter(({ control }) => control?.succeeded === false).length} without success`,
  );
  say(lastLine);
  return bad.length === 0 && unforeseen === 0 ? 0 : 1;
}

/** Things that are worth stealing. */
async function prepare(world: World): Promise<void> {
  const headers = ['-H', `X-Consul-Token: ${world.secrets.credentials.consulManagement.reveal()}`];
  await http(world.server, 'http://127.0.0.1:8500/v1/kv/attack', [...headers, '-X', 'PUT', '-d', 'x']);
  await http(world.intruder, 'http://127.0.0.1:8500/v1/kv/attack', ['-X', 'PUT', '-d', 'x']);
  const job =
    'job "evil" {\n type = "batch"\n datacenters = ["*"]\n group "g" {\n  task "t" {\n   driver = "exec"\n   config {\n    command = "/bin/true"\n   }\n  }\n }\n}\n';
  await world.client.writeFile('/root/evil.nomad.hcl', job);
  await world.server.exec(['nomad', 'var', 'put', '-force', 'attack', 'a=b'], asOperator(world));
}

async function tell(world: World, attack: Attack): Promise<Result> {
  const result = await judged(world, attack);
  const { verdict, seen, control } = result;
  say(`${verdict}: ${attack.what}: ${brief(seen)}`);
  if (control?.succeeded === false) say(`  CONTROL (${attack.control?.how}): ${control.seen}`);
  if (verdict !== 'refused') say(`  ${seen}`);
  return result;
}

async function judged(world: World, attack: Attack): Promise<Result> {
  const { attempt, refusal, gain, control } = attack;
  const attemptSafely = (work: (of: World) => Promise<string>) =>
    work(world).catch((error: Error) => `not tried: ${error.message}`);
  const seen = await attemptSafely(attempt);
  const verdict = gain.test(seen) ? 'SUCCEEDED' : refusal.test(seen) ? 'refused' : 'NOT AS FORESEEN';
  if (control === undefined) return { attack, verdict, seen };
  // That it can succeed is all that a control says: a busy machine may break a connection.
  let there = '';
  for (let tried = 0; tried < controlAttempts && !gain.test(there); tried += 1) {
    there = await attemptSafely(control.attempt);
  }
  return { attack, verdict, seen, control: { succeeded: gain.test(there), seen: there } };
}

/** One line of what was seen, without what differs from run to run. */
function brief(text: string): string {
  const line = text
    .split('\n')
    .map(part => part.trim())
    .filter(part => part !== '')
    .join('; ');
  const plain = line
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, 'ID')
    .replaceAll(/[0-9A-F]{12,}:error:[0-9A-F]+:SSL routines:[^:]*:([^:]+):\S*/g, '$1')
    .replaceAll(/ after \d+ (?:ms|milliseconds)| \(exit \d+\)|(?:rpc error making call: )+|; Content-Type:.*/g, '')
    .replaceAll(
      /(?:events: |; )?(?:Task (?:received|started) by client|Building Task Directory|Exit Code: 0|Policy allows no restarts|Client is downloading artifacts)/g,
      '',
    )
    .replaceAll(/Failed to create container configuration for image "[^"]*" \("[^"]*"\): |^[; ]+/g, '')
    .replaceAll(/[|`]/g, ' ');
  return plain.length > 110 ? `${plain.slice(0, 107)}...` : plain;
}

/** Writes what was seen into the manual, between its markers. */
function writeTable(results: readonly Result[], open: readonly string[], lastLine: string): void {
  const text = readFileSync(manual, 'utf8');
  const begin = text.indexOf(markers.begin);
  const end = text.indexOf(markers.end);
  if (begin < 0 || end < begin)
    throw new Error(`docs/security.md has no place for the table: ${markers.begin} ${markers.end}`);
  const inOrder = attacks.flatMap(attack => results.filter(result => result.attack === attack));
  const rows = inOrder.map(({ attack, verdict, seen, control }) => {
    const controlled =
      control === undefined ? '-' : control.succeeded ? `${attack.control?.how}: succeeds` : 'NO SUCCESS';
    return `| ${positions[attack.position]} | ${attack.what} | ${verdict}: \`${brief(seen)}\` | ${controlled} |`;
  });
  const table = [
    '| position | attempt | what came of it | the same with, or on |',
    '|---|---|---|---|',
    ...rows,
    '',
    `\`${lastLine}\``,
    '',
    'What is left open by design was tried in the same cluster, and succeeds:',
    '',
    '| position | attempt | |',
    '|---|---|---|',
    ...open,
  ];
  writeFileSync(manual, `${text.slice(0, begin)}${markers.begin}\n${table.join('\n')}\n${text.slice(end)}`);
}

process.exitCode = await main(process.argv.slice(2).join(' ')).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return 1;
});

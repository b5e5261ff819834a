// watch.ts EVENT...: run in a node's network, prints the time of each event (ms since the epoch) when it is first seen, and
// ends with the last. Asks every 20 ms. Events: consul, nomad (it answers), consul-leader, nomad-leader, ready:NAME (a Nomad
// client that takes jobs and whose Docker driver is healthy).
import { get } from 'node:http';

const everyMs = 20;
const consul = 'http://127.0.0.1:8500';
const nomad = 'http://127.0.0.1:4646';

/** The body of a 200, else nothing. */
function ask(url: string): Promise<string | undefined> {
  return new Promise(resolve => {
    const request = get(url, { timeout: 1000 }, response => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(response.statusCode === 200 ? Buffer.concat(chunks).toString() : undefined));
      response.on('error', () => resolve(undefined));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}

async function hasHappened(event: string): Promise<boolean> {
  const [kind = '', name] = event.split(':');
  switch (kind) {
    case 'consul':
      return (await ask(`${consul}/v1/agent/self`)) !== undefined;
    case 'nomad':
      return (await ask(`${nomad}/v1/agent/self`)) !== undefined;
    case 'consul-leader':
      return /\d/.test((await ask(`${consul}/v1/status/leader`)) ?? '');
    case 'nomad-leader':
      return /\d/.test((await ask(`${nomad}/v1/status/leader`)) ?? '');
    case 'ready': {
      const nodes = JSON.parse((await ask(`${nomad}/v1/nodes`)) ?? '[]') as {
        Name: string;
        Status: string;
        SchedulingEligibility: string;
        Drivers?: Record<string, { Healthy: boolean }>;
      }[];
      return nodes.some(
        node =>
          node.Name === name &&
          node.Status === 'ready' &&
          node.SchedulingEligibility === 'eligible' &&
          node.Drivers?.['docker']?.Healthy === true,
      );
    }
    default:
      throw new Error(`no such event: ${event}`);
  }
}

// Whoever started it holds the other end: without them there is nobody to tell.
process.stdin.on('end', () => process.exit(1)).resume();
process.stdout.write(`${JSON.stringify({ event: 'watching', at: Date.now() })}\n`);
await Promise.all(
  process.argv.slice(2).map(async event => {
    while (!(await hasHappened(event))) await new Promise(resolve => setTimeout(resolve, everyMs));
    process.stdout.write(`${JSON.stringify({ event, at: Date.now() })}\n`);
  }),
);
process.stdin.destroy();

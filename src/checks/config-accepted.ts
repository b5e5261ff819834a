import type { HostReader } from '../core/types.ts';
import { fail, type HealthCheck, pass } from './health-check.ts';

/** What each agent judges its folder with. Ours alone was judged when it was written: it need not be asked each time. */
const judges = [
  { unit: 'consul', argv: ['/usr/bin/consul', 'validate', '/etc/consul.d'] },
  { unit: 'nomad', argv: ['/usr/bin/nomad', 'config', 'validate', '/etc/nomad.d'] },
] as const;

export const configAccepted: HealthCheck = {
  id: 'config-accepted',
  title: "The agents would start with the operator's own files",
  scope: 'node',
  async run(host) {
    const asked = await Promise.all(
      judges.map(async ({ unit, argv }) => {
        const own = await ownFiles(host, unit);
        return { unit, argv, own, answer: own.length === 0 ? undefined : await host.query(argv) };
      }),
    );
    const refused = asked.find(({ answer }) => answer !== undefined && answer.exitCode !== 0);
    if (refused?.answer !== undefined) {
      const { unit, argv, own, answer } = refused;
      return fail(
        `${unit} does not accept /etc/${unit}.d, and would not start again: ${reasonIn(`${answer.stdout}\n${answer.stderr}`)}`,
        `mend or move away what is not ours there: ${own.join(', ')}; then: ${argv.join(' ')}`,
      );
    }
    const files = asked.flatMap(({ own }) => own);
    return pass(files.length === 0 ? 'there are none' : files.join(', '));
  },
};

/** Files beside ours that the agent reads as well. */
async function ownFiles(host: HostReader, unit: string): Promise<readonly string[]> {
  const names = (await host.list(`/etc/${unit}.d`)) ?? [];
  return names
    .filter(name => /\.(?:hcl|json)$/.test(name) && name !== `${unit}.hcl`)
    .map(name => `/etc/${unit}.d/${name}`);
}

/** What is wrong, without the headings that agents put over it. */
function reasonIn(output: string): string {
  const lines = output
    .split('\n')
    .map(line => line.trim().replace(/^\* /, ''))
    .filter(line => line !== '' && !/^(?:==>|\d+ errors? occurred)/.test(line));
  return lines.join(' ').slice(0, 240) || 'it does not say why';
}

import * as z from 'zod';
import { consul, readAgent } from './agents.ts';
import { fail, type HealthCheck, pass, warn } from './health-check.ts';

const checksSchema = z.record(
  z.string(),
  z.object({ Name: z.string(), Status: z.string(), Output: z.string(), ServiceName: z.string() }),
);

export const nomadInConsul: HealthCheck = {
  id: 'nomad-in-consul',
  title: "Consul knows Nomad's services as healthy",
  scope: 'node',
  // Without a leader of its own Consul holds the answer: see readOwnConsul.
  needs: ['consul-agent', 'consul-leader', 'nomad-leader'],
  async run(host, { config: { node } }) {
    const services = [...(node.runsServer ? ['nomad'] : []), ...(node.runsClient ? ['nomad-client'] : [])];
    const all = Object.values(await readAgent(host, consul, '/v1/agent/checks', checksSchema));
    const checks = all.filter(({ ServiceName }) => services.includes(ServiceName));

    const absent = services.filter(service => !checks.some(({ ServiceName }) => ServiceName === service));
    if (absent.length > 0) {
      return fail(
        `not registered: ${absent.join(', ')}`,
        'Nomad tells Consul within seconds of its start: journalctl -u nomad -n 50 | grep -i consul; see the consul block in /etc/nomad.d',
      );
    }
    const wrong = checks.filter(({ Status }) => Status !== 'passing');
    if (wrong.length === 0) return pass(`${services.join(', ')}: ${checks.length} checks pass`);
    const detail = wrong.map(({ Name, Status, Output }) => `${Name} is ${Status}${saying(Output)}`).join('; ');
    if (wrong.every(isOld)) {
      return warn(detail, 'Consul looks every 10 s: ask again after that');
    }
    return fail(detail, 'see what Consul is told there: consul catalog services; journalctl -u consul -n 50');
  },
};

/** Consul has not looked yet, or before there was the leader that {@link nomadInConsul} needs. */
function isOld({ Output }: { readonly Output: string }): boolean {
  return Output === '' || /no (cluster )?leader/i.test(Output);
}

function saying(output: string): string {
  const line = output.trim().split('\n')[0] ?? '';
  return line === '' ? '' : ` (${line.slice(0, 100)})`;
}

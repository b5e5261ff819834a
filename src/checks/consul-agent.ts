import { BootstrapError } from '../core/errors.ts';
import type { CheckOutcome, HostReader } from '../core/types.ts';
import { type Agent, consul, readOwnConsul } from './agents.ts';
import { fail, type HealthCheck, pass } from './health-check.ts';
import { unitState } from './units.ts';

export const consulAgent: HealthCheck = {
  id: 'consul-agent',
  title: 'Consul runs as this node is set up',
  scope: 'node',
  async run(host, { config: { node } }) {
    return explainSilence(host, consul, async () => {
      const own = await readOwnConsul(host, node.name);
      return judgeIdentity(consul, own.version, [
        ['node name', own.name, node.name],
        ['datacenter', own.datacenter, node.datacenter],
        ['role', own.server ? 'server' : 'client', node.runsServer ? 'server' : 'client'],
        ['advertised address', own.address, node.network.address],
      ]);
    });
  },
};

/** The outcome of `judge`; where the agent does not answer, systemd's word on it is added. */
export async function explainSilence(
  host: HostReader,
  agent: Agent,
  judge: () => Promise<CheckOutcome>,
): Promise<CheckOutcome> {
  try {
    return await judge();
  } catch (error) {
    if (!(error instanceof BootstrapError) || error.code !== 'agent-silent') throw error;
    return fail(`${error.message}; ${await unitState(host, agent.unit)}`, error.hint);
  }
}

/** Whether the running agent is what the settings say: each fact as what it is called, found, wanted. */
export function judgeIdentity(
  agent: Agent,
  version: string,
  facts: readonly (readonly [name: string, found: string, wanted: string])[],
): CheckOutcome {
  const wrong = facts.filter(([, found, wanted]) => found !== wanted);
  if (wrong.length === 0) return pass(`version ${version}`);
  return fail(
    wrong.map(([name, found, wanted]) => `${name} is ${found}, not ${wanted}`).join('; '),
    `systemctl restart ${agent.unit} if its files were changed without one; otherwise look for a setting of your own that wins over ours, in /etc/${agent.unit}.d or in a drop-in of the unit (systemctl cat ${agent.unit})`,
  );
}

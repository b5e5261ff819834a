import * as z from 'zod';
import { hasCode } from '../core/errors.ts';
import { fail, type HealthCheck, onDockerClients, pass } from './health-check.ts';
import { unitState } from './units.ts';

/** Source: https://docs.docker.com/reference/api/engine/ (SystemVersion). */
const versionSchema = z.object({ Version: z.string() });

export const docker: HealthCheck = {
  id: 'docker',
  title: 'Docker answers',
  scope: 'node',
  appliesTo: onDockerClients,
  async run(host) {
    const hint = 'systemctl restart docker; journalctl -u docker -n 50 says why it stopped';
    try {
      const { status, body } = await host.request('http://localhost/version', {
        socketPath: '/run/docker.sock',
        timeoutMs: 4000,
      });
      const text = new TextDecoder().decode(body);
      if (status !== 200) return fail(`Docker answered ${status}: ${text.trim().slice(0, 120)}`, hint);
      return pass(`version ${versionSchema.parse(JSON.parse(text)).Version}`);
    } catch (error) {
      if (hasCode(error, 'unreachable'))
        return fail(`Docker does not answer; ${await unitState(host, 'docker')}`, hint);
      if (error instanceof SyntaxError || error instanceof z.ZodError) {
        return fail('something else than Docker answers on /run/docker.sock', hint);
      }
      throw error;
    }
  },
};

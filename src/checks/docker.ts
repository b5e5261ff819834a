import * as z from 'zod';
import { hasCode } from '../core/errors.ts';
import { fail, type HealthCheck, onDockerClients, pass } from './health-check.ts';
import { unitState } from './units.ts';

/** Source: https://docs.docker.com/reference/api/engine/ (SystemVersion). */
const versionSchema = z.object({
  Version: z.string(),
  /** One for each program that answered just now; without containerd or its runtime no container starts. */
  Components: z.array(z.object({ Name: z.string() })).optional(),
});

export const docker: HealthCheck = {
  id: 'docker',
  title: 'Docker answers',
  scope: 'node',
  appliesTo: onDockerClients,
  async run(host) {
    const hint = 'systemctl restart docker.socket docker; journalctl -u docker -n 50 says why it stopped';
    try {
      const { status, body } = await host.request('http://localhost/version', {
        socketPath: '/run/docker.sock',
        timeoutMs: 4000,
      });
      const text = new TextDecoder().decode(body);
      if (status !== 200) return fail(`Docker answered ${status}: ${text.trim().slice(0, 120)}`, hint);
      const { Version, Components } = versionSchema.parse(JSON.parse(text));
      const names = Components?.map(({ Name }) => Name);
      if (names !== undefined && !names.includes('containerd')) {
        return fail(
          'Docker answers, but containerd does not: no container starts',
          'systemctl unmask containerd && systemctl restart containerd docker; journalctl -u containerd -n 50',
        );
      }
      if (names?.every(name => ['Engine', 'containerd', 'docker-init'].includes(name))) {
        return fail(
          'Docker answers, but has no runtime: no container starts',
          'runc --version should answer: reinstall the package that it is of (containerd.io, runc)',
        );
      }
      return pass(`version ${Version}`);
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

import type { AnnouncedChange, HostReader } from '../core/types.ts';
import type { NodeTarget } from '../target.ts';
import { count, fail, type HealthCheck, pass } from './health-check.ts';

/**
 * Whether a run of the same settings would change anything: the plan of a bootstrap, without the rest of it.
 * `planChanges` reads only.
 */
export function configDrift(
  planChanges: (host: HostReader, target: NodeTarget) => Promise<readonly AnnouncedChange[]>,
): HealthCheck {
  return {
    id: 'config-drift',
    title: 'The node is as its settings say',
    scope: 'node',
    timeoutMs: 15_000,
    async run(host, target) {
      const changes = await planChanges(host, target);
      if (changes.length === 0) return pass('nothing would be changed');
      const named = changes.slice(0, 5).map(({ id }) => id);
      const more = changes.length > named.length ? [`${changes.length - named.length} more`] : [];
      const diff = changes.map(({ summary, diff: lines }) => (lines ? `${summary}\n${lines}` : summary)).join('\n');
      return {
        ...fail(
          `${count(changes.length, 'thing')} drifted: ${[...named, ...more].join(', ')}`,
          'see the differences with verify --verbose; run nomad-bootstrap again to put them right, or move your own settings into a file of their own beside it',
        ),
        diff,
      };
    },
  };
}

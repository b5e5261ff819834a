import { BootstrapError } from '../core/errors.ts';
import type { Host, Resource } from '../core/types.ts';
import { readUnit, unitLog, unitName } from '../core/unit.ts';

/**
 * A systemd service (or `name.socket`) that starts at boot and runs now, or with `wanted` false does neither. A unit that does not exist yet
 * is one that its package will bring. Undo: kind `service`, with the former state.
 */
export function service(name: string, wanted = true): Resource {
  const unit = unitName(name);
  return {
    id: `service:${name}`,
    async plan(host, before) {
      const { exists, enabled, activeState } = await readUnit(host, name);
      const running = activeState === 'active';
      // What its package brings is enabled and started by that, on the Debian family: to be taken back is announced.
      const unknown = !wanted && !exists && [...before].some(id => id.startsWith('packages:'));
      if (enabled === wanted && running === wanted && !unknown) return undefined;
      const [enable, start] = wanted ? (['enable', 'start'] as const) : (['disable', 'stop'] as const);
      const verbs = [
        ...(enabled === wanted && !unknown ? [] : [enable]),
        ...(running === wanted && !unknown ? [] : [start]),
      ];
      return {
        summary: `${verbs.join(' and ')} ${unit}`,
        undo: { kind: 'service', unit, enabled, running },
        async apply(target) {
          if (enabled !== wanted) await target.run(['systemctl', enable, unit]);
          if (running !== wanted) await startOrStop(target, name, start);
        },
      };
    },
  };
}

async function startOrStop(host: Host, name: string, verb: 'start' | 'stop'): Promise<void> {
  try {
    await host.run(['systemctl', verb, unitName(name)], { timeoutMs: 180_000 });
  } catch (error) {
    if (!(error instanceof BootstrapError)) throw error;
    const lines = await unitLog(host, name);
    throw new BootstrapError('command-failed', `${unitName(name)} does not ${verb}`, {
      hint: `read its last lines above (all of them: journalctl -u ${unitName(name)}); once it does so by hand, run the same command again`,
      detail: lines === '' ? error.detail : lines,
      cause: error,
    });
  }
}

import { BootstrapError } from '../core/errors.ts';
import type { Host, HostReader, Resource } from '../core/types.ts';

/** What systemd says of a unit. */
export interface ServiceState {
  readonly enabled: boolean;
  readonly running: boolean;
}

/**
 * A systemd service that starts at boot and runs now. A unit that does not exist yet is one that its package will bring.
 * Undo: kind `service`, with the former state.
 */
export function service(name: string): Resource {
  const unit = `${name}.service`;
  return {
    id: `service:${name}`,
    async plan(host) {
      const state = await readService(host, unit);
      if (state.enabled && state.running) return undefined;
      const verbs = [...(state.enabled ? [] : ['enable']), ...(state.running ? [] : ['start'])];
      return {
        summary: `${verbs.join(' and ')} ${unit}`,
        undo: { kind: 'service', unit, ...state },
        async apply(target) {
          if (!state.enabled) await target.run(['systemctl', 'enable', unit]);
          if (!state.running) await start(target, unit);
        },
      };
    },
  };
}

/** A unit that is not known is neither enabled nor running. */
export async function readService(host: HostReader, unit: string): Promise<ServiceState> {
  const { stdout } = await host.query(['systemctl', 'show', '--property=ActiveState,UnitFileState', unit]);
  const properties = new Map(
    stdout.split('\n').map(line => {
      const [key = '', value = ''] = line.split('=');
      return [key, value];
    }),
  );
  return {
    enabled: properties.get('UnitFileState') === 'enabled',
    running: properties.get('ActiveState') === 'active',
  };
}

async function start(host: Host, unit: string): Promise<void> {
  try {
    await host.run(['systemctl', 'start', unit], { timeoutMs: 180_000 });
  } catch (error) {
    if (!(error instanceof BootstrapError)) throw error;
    const { stdout } = await host.query(['journalctl', '--no-pager', '--output=cat', '--lines=15', `--unit=${unit}`]);
    throw new BootstrapError('command-failed', `${unit} does not start`, {
      hint: `read its last lines above (all of them: journalctl -u ${unit}); once it starts by hand, run the same command again`,
      detail: stdout.trim() === '' ? error.detail : stdout.trimEnd(),
      cause: error,
    });
  }
}

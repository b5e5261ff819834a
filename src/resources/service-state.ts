import type { HostReader } from '../core/types.ts';

/** A systemd unit as `systemctl show` tells it. */
export interface ServiceState {
  /** There is such a unit. */
  readonly exists: boolean;
  readonly enabled: boolean;
  /** `active`, `activating`, `inactive`, `failed` ... */
  readonly activeState: string;
  /** Why it last ended: `success`, `exit-code`, `timeout` ... */
  readonly result: string;
  /** How often systemd itself has restarted it since it was last started by hand. */
  readonly restarts: number;
}

/** One call, about 5 ms. */
export async function serviceState(host: HostReader, unit: string): Promise<ServiceState> {
  const properties = 'LoadState,UnitFileState,ActiveState,Result,NRestarts';
  const { stdout } = await host.query(['systemctl', 'show', '--property', properties, `${unit}.service`]);
  const values = new Map(stdout.split('\n').map(line => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]));
  return {
    exists: values.get('LoadState') === 'loaded',
    enabled: values.get('UnitFileState') === 'enabled',
    activeState: values.get('ActiveState') ?? 'inactive',
    result: values.get('Result') ?? 'success',
    restarts: Number(values.get('NRestarts') ?? 0),
  };
}

import type { HostReader } from './types.ts';

/** A systemd unit as `systemctl show` tells it. Source of the values: org.freedesktop.systemd1(5). */
export interface UnitState {
  readonly exists: boolean;
  readonly enabled: boolean;
  /** `active`, `activating`, `inactive`, `failed` ... */
  readonly activeState: string;
  /** More of the same: `running`, `auto-restart`, `dead` ... */
  readonly subState: string;
  /** Why it last ended: `success`, `exit-code`, `timeout` ... */
  readonly result: string;
  /** How often systemd itself has restarted it since somebody last started it. */
  readonly restarts: number;
}

/** One call of 5 ms. A name without a dot is a service's; a unit that is not known is neither enabled nor active. */
export async function readUnit(host: HostReader, name: string): Promise<UnitState> {
  const properties = ['LoadState', 'UnitFileState', 'ActiveState', 'SubState', 'Result', 'NRestarts'];
  const { stdout } = await host.query(['systemctl', 'show', `--property=${properties.join(',')}`, unitName(name)]);
  const of = (property: string): string => new RegExp(`^${property}=(.*)$`, 'm').exec(stdout)?.[1] ?? '';
  return {
    exists: of('LoadState') === 'loaded',
    enabled: of('UnitFileState') === 'enabled',
    activeState: of('ActiveState') || 'inactive',
    subState: of('SubState'),
    result: of('Result') || 'success',
    restarts: Number(of('NRestarts')),
  };
}

/** `docker` is docker.service, `docker.socket` is itself. */
export function unitName(name: string): string {
  return name.includes('.') ? name : `${name}.service`;
}

/** Its last lines, as the program wrote them. */
export async function unitLog(host: HostReader, name: string): Promise<string> {
  const { stdout } = await host.query([
    'journalctl',
    `--unit=${unitName(name)}`,
    '--lines=15',
    '--output=cat',
    '--no-pager',
  ]);
  return stdout.trimEnd();
}

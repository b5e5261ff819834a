import type { HostReader } from '../core/types.ts';
import { readUnit } from '../core/unit.ts';

/** What systemd says of a unit, for an explanation: `nomad.service is failed (exit-code), restarted 4 times`. */
export async function unitState(host: HostReader, name: string): Promise<string> {
  const { exists, activeState, subState, result, restarts } = await readUnit(host, name);
  if (!exists) return `there is no ${name}.service`;
  const restarted = restarts > 0 ? `, restarted ${restarts} ${restarts === 1 ? 'time' : 'times'}` : '';
  return `${name}.service is ${activeState} (${activeState === 'failed' ? result : subState})${restarted}`;
}

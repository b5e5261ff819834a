import type { HostReader } from '../core/types.ts';

/** What systemd says of a unit, for an explanation: `nomad.service is failed (exit-code), restarted 4 times`. */
export async function unitState(host: HostReader, unit: string): Promise<string> {
  const properties = ['LoadState', 'ActiveState', 'SubState', 'Result', 'NRestarts'];
  const { stdout } = await host.query(['systemctl', 'show', `--property=${properties.join(',')}`, `${unit}.service`]);
  const of = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(stdout)?.[1] ?? '';
  if (of('LoadState') === 'not-found') return `there is no ${unit}.service`;
  const reason = of('ActiveState') === 'failed' ? of('Result') : of('SubState');
  const restarts = Number(of('NRestarts'));
  const restarted = restarts > 0 ? `, restarted ${restarts} ${restarts === 1 ? 'time' : 'times'}` : '';
  return `${unit}.service is ${of('ActiveState') || 'unknown'} (${reason})${restarted}`;
}

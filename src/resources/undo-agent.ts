import type { HostReader, Resource } from '../core/types.ts';
import { readUnit } from '../core/unit.ts';
import { isUp } from './departure.ts';
import { type FormerFile, formerFile, isSame, restoreFile, wasThere } from './file.ts';
import { type AgentName, type FormerService, isGoing, type Made, type Undoing, undone } from './undo.ts';

/** An agent that left its cluster, neither runs nor is enabled, and has no configuration of ours; or is what it was before. */
export function formerAgent(name: AgentName, undoing: Undoing): Resource {
  const former = undoing.made.agents.get(name);
  const going = isGoing(undoing, name);
  const wanted = !going && former !== undefined ? former : { enabled: false, active: false };
  // The first of a path is the oldest. Of a package that stays, its own stock configuration is put back.
  const files = (former?.files ?? []).filter((file, at, all) => all.findIndex(({ path }) => path === file.path) === at);
  const departure = undoing.departures[name];
  return {
    id: `agent:${name}`,
    async plan(host) {
      const [unit, stale] = await Promise.all([readUnit(host, name), staleFiles(host, undoing.made, files, going)]);
      const up = isUp(unit.activeState);
      const restart = wanted.active && (!up || stale.length > 0);
      const verbs = [
        ...(up && !wanted.active ? [...(await departure.plan(host)), 'stop'] : []),
        ...(unit.enabled && !wanted.enabled ? ['disable'] : []),
        ...(stale.length > 0 ? [going ? 'unconfigure' : 'reconfigure'] : []),
        ...(!unit.enabled && wanted.enabled ? ['enable'] : []),
        ...(restart ? ['restart'] : []),
      ];
      if (verbs.length === 0) return undefined;
      return {
        summary: `${verbs.join(', ')} ${name}`,
        ...(stale.length === 0 ? {} : { diff: stale.map(listed).join('') }),
        undo: undone,
        async apply(target) {
          const systemctl = (...words: string[]) => target.run(['systemctl', ...words], { timeoutMs: 120_000 });
          if (up && !wanted.active) {
            await departure.guard(target);
            await departure.leave(target);
            await systemctl('stop', `${name}.service`);
            // Stopped by a signal, it counts as failed.
            await systemctl('reset-failed', `${name}.service`).catch(() => undefined);
          }
          if (unit.enabled && !wanted.enabled) await systemctl('disable', '--quiet', `${name}.service`);
          for (const file of stale) await restoreFile(target, file);
          if (stale.some(({ path }) => path.startsWith('/etc/systemd/'))) await systemctl('daemon-reload');
          if (!unit.enabled && wanted.enabled) await systemctl('enable', '--quiet', `${name}.service`);
          if (restart) await systemctl('restart', `${name}.service`);
        },
      };
    },
  };
}

/** Of an agent that goes, even files that will be put back are taken away first: rpm would rename them. */
async function staleFiles(
  host: HostReader,
  made: Made,
  files: readonly FormerFile[],
  going: boolean,
): Promise<readonly FormerFile[]> {
  const differing: FormerFile[] = [];
  for (const file of files) {
    const { path } = file;
    const wanted = going ? (made.files.get(path) ?? { path }) : file;
    const now = await formerFile(host, path);
    if (!isSame(now, wanted) && (!going || wasThere(now))) differing.push(going ? { path } : wanted);
  }
  return differing;
}

function listed({ path }: FormerFile): string {
  return `${path}\n`;
}

/** The units of a container engine that goes are stopped first: a package's removal leaves containers running. */
export function engineStopped(unit: string): Resource {
  return {
    id: `service:${unit}`,
    async plan(host) {
      if (!isUp((await readUnit(host, unit)).activeState)) return undefined;
      return {
        summary: `stop ${unit}`,
        undo: undone,
        async apply(target) {
          await target.run(['systemctl', 'stop', unit], { timeoutMs: 180_000 });
          await target.run(['systemctl', 'reset-failed', unit]).catch(() => undefined);
        },
      };
    },
  };
}

/** A service whose package stays is enabled and runs as it did. */
export function formerService(unit: string, former: FormerService): Resource {
  return {
    id: `service:${unit.replace(/\.service$/, '')}`,
    async plan(host) {
      const { exists, enabled, activeState } = await readUnit(host, unit);
      const running = isUp(activeState);
      const verbs = [
        ...(enabled === former.enabled ? [] : [former.enabled ? 'enable' : 'disable']),
        ...(running === former.running ? [] : [former.running ? 'start' : 'stop']),
      ];
      if (!exists || verbs.length === 0) return undefined;
      return {
        summary: `${verbs.join(' and ')} ${unit}, as before`,
        undo: undone,
        async apply(target) {
          for (const verb of verbs) await target.run(['systemctl', verb, unit], { timeoutMs: 180_000 });
        },
      };
    },
  };
}

/** A bridge that a program made for containers, and that nothing is left to use. */
export function interfaceGone(name: string): Resource {
  return {
    id: `interface:${name}`,
    async plan(host) {
      if ((await host.stat(`/sys/class/net/${name}/bridge`)) === undefined) return undefined;
      return {
        summary: `remove the network interface ${name}`,
        undo: undone,
        async apply(target) {
          await target.run(['ip', 'link', 'delete', name]);
        },
      };
    },
  };
}

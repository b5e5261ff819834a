import type { Resource } from '../core/types.ts';
import { file } from './file.ts';

/** A unit of ours in /etc/systemd/system, of which systemd knows as soon as it is written. */
export function unitFile(name: string, content: string): Resource {
  const unit = file(`/etc/systemd/system/${name}`, content, { mode: 0o644, owner: 'root:root' });
  return {
    id: unit.id,
    async plan(host, before) {
      const change = await unit.plan(host, before);
      if (change === undefined) return undefined;
      return {
        ...change,
        async apply(target) {
          await change.apply(target);
          await target.run(['systemctl', 'daemon-reload']);
        },
      };
    },
  };
}

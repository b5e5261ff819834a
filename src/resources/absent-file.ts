import type { Path, Resource } from '../core/types.ts';
import { formerFile } from './file.ts';
import { unifiedDiff } from './unified-diff.ts';

/** No file at `path` of which `unwanted` is true; any other content is left alone. `reason` ends "remove PATH, which ...". */
export function absentFile(path: Path, reason: string, unwanted: (content: string) => boolean): Resource {
  return {
    id: `file:${path}`,
    async plan(host) {
      const content = await host.readText(path);
      if (content === undefined || !unwanted(content)) return undefined;
      return {
        summary: `remove ${path}, which ${reason}`,
        diff: await unifiedDiff(path, content, undefined),
        undo: { kind: 'files', files: [await formerFile(host, path)] },
        apply: target => target.remove(path),
      };
    },
  };
}

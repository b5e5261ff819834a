import { digestsOf } from '../core/digests.ts';
import type { FileAttributes, Path, Resource } from '../core/types.ts';
import { readArchiveRecord } from './archive.ts';
import { type FormerFile, formerFile, isSame, restoreFile, wasThere } from './file.ts';
import { type Undoing, undone } from './undo.ts';

/** A file as it was, or not there. `disturbedBy`: a resource whose change may take a file along that was there. */
export function fileAsItWas(wanted: FormerFile, disturbedBy?: string): Resource {
  const { path } = wanted;
  const cutOff = temporaryOf(path);
  return {
    id: `file:${path}`,
    async plan(host, before) {
      const [now, temporary] = await Promise.all([formerFile(host, path), host.stat(cutOff)]);
      const disturbed = wasThere(wanted) && disturbedBy !== undefined && before.has(disturbedBy);
      if (isSame(now, wanted) && temporary === undefined && !disturbed) return undefined;
      return {
        summary: wasThere(wanted) ? `put back ${path}` : `remove ${path}`,
        undo: undone,
        async apply(target) {
          if (temporary !== undefined) await target.remove(cutOff);
          if (!isSame(now, wanted)) await restoreFile(target, wanted);
          if (path.startsWith('/etc/systemd/')) await target.run(['systemctl', 'daemon-reload']);
        },
      };
    },
  };
}

/** Where a write that was cut off leaves its half: see host/files.ts. */
function temporaryOf(path: Path): Path {
  return `${path.slice(0, path.lastIndexOf('/'))}/.${path.slice(path.lastIndexOf('/') + 1)}.nomad-bootstrap-new`;
}

/** A folder with the mode and owner that it had. `disturbedBy`: a resource whose change may remove it when it is empty. */
export function directoryAsItWas(path: Path, attributes: FileAttributes, disturbedBy?: string): Resource {
  return {
    id: `directory:${path}`,
    async plan(host, before) {
      const stat = await host.stat(path);
      const right = stat?.mode === attributes.mode && stat.owner === attributes.owner;
      if (right && !(disturbedBy !== undefined && before.has(disturbedBy))) return undefined;
      return {
        summary: `give ${path} its former mode and owner`,
        undo: undone,
        apply: target => target.makeDirectory(path, attributes),
      };
    },
  };
}

/** No such folder, unless something lies in it that is not ours: that is named. */
export function directoryGone(path: Path, { made, remark }: Undoing): Resource {
  return {
    id: `directory:${path}`,
    async plan(host) {
      const names = await host.list(path);
      if (names === undefined) return undefined;
      const record = made.archives.get(path);
      const unpacked = record === undefined ? undefined : await readArchiveRecord(host, record);
      const foreign = names.filter(name => {
        const inside = `${path}/${name}`;
        if (made.directories.has(inside) || name.endsWith('.nomad-bootstrap-new')) return false;
        const file = made.files.get(inside);
        return file === undefined ? unpacked?.files[name] === undefined : wasThere(file);
      });
      if (foreign.length > 0) {
        remark(`${path} keeps what is not nomad-bootstrap's: ${foreign.join(', ')}`);
        return undefined;
      }
      return { summary: `remove ${path}`, undo: undone, apply: target => target.remove(path) };
    },
  };
}

/** The files of an archive are gone, but for those that somebody has changed since; what they replaced is back. */
export function archiveGone(directory: Path, record: Path, { remark }: Undoing): Resource {
  return {
    id: `archive:${directory}`,
    async plan(host) {
      const recorded = await readArchiveRecord(host, record);
      const names = Object.keys(recorded?.files ?? {});
      const digests = await digestsOf(
        host,
        names.map(name => `${directory}/${name}`),
      );
      const former = recorded?.former ?? {};
      const ours = names.filter(name => {
        const digest = digests.get(`${directory}/${name}`);
        const changed = digest !== undefined && digest !== recorded?.files[name];
        if (changed && former[name] === undefined) remark(`${directory}/${name} stays: it was changed`);
        return digest !== undefined && !changed && (former[name] === undefined || former[name]?.saved !== undefined);
      });
      const halves = ((await host.list(directory)) ?? []).filter(name => name.endsWith('.nomad-bootstrap-new'));
      if (ours.length === 0 && halves.length === 0) return undefined;
      return {
        summary: `remove what was unpacked into ${directory}`,
        diff: ours.map(name => `${directory}/${name}\n`).join(''),
        undo: undone,
        async apply(target) {
          for (const name of halves) await target.remove(`${directory}/${name}`);
          for (const name of ours) {
            const { attributes, saved } = former[name] ?? {};
            const content = saved === undefined ? undefined : await target.readFile(saved);
            if (content === undefined || attributes === undefined) await target.remove(`${directory}/${name}`);
            else await target.writeFile(`${directory}/${name}`, content, attributes);
          }
        },
      };
    },
  };
}

/** A folder of this program's own, with all that is in it but the data of `kept`, which go only where that was asked for. */
export function ownFolderGone(path: Path, kept: string, { purgeData, remark }: Undoing): Resource {
  return {
    id: `directory:${path}`,
    async plan(host) {
      const entries = await host.list(path);
      if (entries === undefined) return undefined;
      const keeps = !purgeData && entries.includes(kept);
      const going = entries.filter(entry => !(keeps && entry === kept));
      if (keeps) remark(`kept: the data in ${path}/${kept}`);
      if (keeps && going.length === 0) return undefined;
      return {
        summary: keeps ? `remove ${path} but for ${kept}` : `remove ${path}`,
        undo: undone,
        async apply(target) {
          if (!keeps) return target.remove(path);
          for (const entry of going) await target.remove(`${path}/${entry}`);
        },
      };
    },
  };
}

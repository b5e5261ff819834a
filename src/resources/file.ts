import { BootstrapError } from '../core/errors.ts';
import { hidden, Secret } from '../core/secret.ts';
import type { Change, FileAttributes, Host, HostReader, Path, Resource } from '../core/types.ts';
import { unifiedDiff } from './unified-diff.ts';

/** A file as it is to be. */
export interface DesiredFile {
  readonly path: Path;
  /** A secret content is never shown: neither it nor what it replaces. */
  readonly content: string | Secret;
  readonly attributes: FileAttributes;
}

/** A file as it was: content in base64, or where a link pointed; nothing for a file that was not there. */
export interface FormerFile {
  readonly path: Path;
  readonly former?: { readonly contentBase64: string; readonly attributes: FileAttributes };
  readonly formerLink?: string;
}

/** A file of exactly this content, mode and owner. It takes the place of a link; a directory in its place is `file-refused`. */
export function file(path: Path, content: string | Secret, attributes: FileAttributes): Resource {
  const desired: DesiredFile = { path, content, attributes };
  return {
    id: `file:${path}`,
    async plan(host): Promise<Change | undefined> {
      const difference = await compareFile(host, desired);
      if (difference === undefined) return undefined;
      return {
        summary: `${difference.verb} ${path}`,
        diff: difference.diff,
        undo: { kind: 'files', files: [await formerFile(host, path)] },
        apply: target => target.writeFile(path, textOf(content), attributes),
      };
    },
  };
}

export interface FileDifference {
  readonly verb: 'create' | 'change' | 'set mode and owner of';
  readonly diff: string;
}

/** How the file on the host differs from what it is to be, or `undefined` when it does not. */
export async function compareFile(host: HostReader, desired: DesiredFile): Promise<FileDifference | undefined> {
  const { path, attributes } = desired;
  const content = textOf(desired.content);
  const unified = async (from: string | undefined) => {
    const diff = await unifiedDiff(path, from, content);
    return desired.content instanceof Secret ? withoutSecrets(diff) : diff;
  };
  const [stat, bytes] = await Promise.all([host.stat(path), host.readFile(path)]);
  if (stat === undefined) return { verb: 'create', diff: await unified(undefined) };
  if (stat.kind !== 'file' && stat.kind !== 'symlink') throw inTheWay(path);

  const current = bytes && new TextDecoder().decode(bytes);
  if (stat.kind === 'symlink') {
    const link = `${path}: a link to ${stat.linkTarget} -> a file\n`;
    return { verb: 'change', diff: link + (current === content ? '' : await unified(current)) };
  }
  // By their bytes: text hides a byte order mark.
  if (bytes === undefined || !Buffer.from(content).equals(bytes))
    return { verb: 'change', diff: await unified(current) };
  if (stat.mode === attributes.mode && stat.owner === attributes.owner) return undefined;
  return {
    verb: 'set mode and owner of',
    diff: `${path}: ${octal(stat.mode)} ${stat.owner} -> ${octal(attributes.mode)} ${attributes.owner}\n`,
  };
}

/** What the file is now, for the journal. */
export async function formerFile(host: HostReader, path: Path): Promise<FormerFile> {
  const stat = await host.stat(path);
  if (stat?.linkTarget !== undefined) return { path, formerLink: stat.linkTarget };
  const content = stat?.kind === 'file' ? await host.readFile(path) : undefined;
  if (stat === undefined || content === undefined) return { path };
  return {
    path,
    former: {
      contentBase64: Buffer.from(content).toString('base64'),
      attributes: { mode: stat.mode, owner: stat.owner },
    },
  };
}

/** Makes a file what it was, or takes it away if it was not there. */
export async function restoreFile(host: Host, { path, former, formerLink }: FormerFile): Promise<void> {
  if (formerLink !== undefined) await host.symlink(path, formerLink);
  else if (former === undefined) await host.remove(path);
  else await host.writeFile(path, Buffer.from(former.contentBase64, 'base64'), former.attributes);
}

function inTheWay(path: Path): BootstrapError {
  return new BootstrapError('file-refused', `${path} must be a file, and something else is there`, {
    hint: `look at it (ls -ld ${path}), move it away, then run the same command again`,
  });
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** Whether there was anything. */
export function wasThere({ former, formerLink }: FormerFile): boolean {
  return former !== undefined || formerLink !== undefined;
}

/** Whether two states of a file are one. */
export function isSame(a: FormerFile, b: FormerFile): boolean {
  return (
    a.formerLink === b.formerLink &&
    a.former?.contentBase64 === b.former?.contentBase64 &&
    a.former?.attributes.mode === b.former?.attributes.mode &&
    a.former?.attributes.owner === b.former?.attributes.owner
  );
}

/** The content itself, for what must have it. */
export function textOf(content: string | Secret): string {
  return content instanceof Secret ? content.reveal() : content;
}

/** Whatever could be a key, a token or a line of PEM: also former ones, which the redactor does not know. */
function withoutSecrets(diff: string): string {
  return diff.replaceAll(/[A-Za-z0-9+/_=-]{32,}/g, hidden);
}

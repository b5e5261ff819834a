import { appendFileSync, constants } from 'node:fs';
import {
  chmod,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { constants as osConstants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { BootstrapError, type ErrorCode } from '../core/errors.ts';
import type { AppendLog } from '../core/journal.ts';
import type { FileAttributes, FileStat, Path, Space } from '../core/types.ts';

/** Suffix of every file on its way to its place; a later run overwrites what a crash left. */
const temporarySuffix = '.nomad-bootstrap-new';

/** Where content waits until it is moved to `path`: the same folder, hence the same file system. */
export function temporaryPath(path: Path): Path {
  return join(dirname(path), `.${basename(path)}${temporarySuffix}`);
}

/** The whole content, through links; `undefined` when there is no such file, or something that is none. */
export async function readWhole(path: Path): Promise<Uint8Array | undefined> {
  return await unlessAbsent(readFile(path));
}

/** The same as UTF-8 text. */
export async function readText(path: Path): Promise<string | undefined> {
  const content = await readWhole(path);
  return content === undefined ? undefined : new TextDecoder().decode(content);
}

const unreadable: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'its permissions do not allow it',
  EPERM: 'its permissions do not allow it',
};

/**
 * The text of what the operator named: a file, or a pipe such as a shell's `<(...)`, which gives its text only once. Throws an
 * Error whose message says why there is none, also where it is longer than `mostBytes`.
 */
export async function readGiven(path: Path, mostBytes: number): Promise<string> {
  const content = Buffer.alloc(mostBytes + 1);
  let length = 0;
  try {
    const file = await open(path, 'r');
    try {
      for (let bytesRead = -1; bytesRead !== 0; length += bytesRead) {
        ({ bytesRead } = await file.read(content, length, content.length - length));
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new Error(unreadable[code] ?? message, { cause: error });
  }
  if (length > mostBytes) throw new Error(`it is larger than ${mostBytes / 1024} KiB`);
  return new TextDecoder().decode(content.subarray(0, length));
}

/** Whether everyone may read the file that the path leads to. */
export async function isReadableByAll(path: Path): Promise<boolean> {
  return ((await stat(path)).mode & 0o004) !== 0;
}

export async function listDirectory(path: Path): Promise<readonly string[] | undefined> {
  return (await unlessAbsent(readdir(path)))?.sort();
}

export async function statPath(path: Path): Promise<FileStat | undefined> {
  const found = await unlessAbsent(lstat(path));
  if (found === undefined) return undefined;
  const kind = found.isFile()
    ? 'file'
    : found.isDirectory()
      ? 'directory'
      : found.isSymbolicLink()
        ? 'symlink'
        : 'other';
  return {
    kind,
    mode: found.mode & 0o7777,
    owner: `${await nameOf('/etc/passwd', found.uid)}:${await nameOf('/etc/group', found.gid)}`,
    sizeBytes: found.size,
    modifiedAt: found.mtime,
    ...(kind === 'symlink' ? { linkTarget: await readlink(path) } : {}),
  };
}

export async function spaceAt(path: Path): Promise<Space | undefined> {
  const found = await unlessAbsent(statfs(path));
  if (found === undefined) return undefined;
  return {
    sizeBytes: found.blocks * found.bsize,
    availableBytes: found.bavail * found.bsize,
    ...(found.files === 0 ? {} : { files: { most: found.files, available: found.ffree } }),
  };
}

/** Whole, with its mode and owner, and on disk, before it is seen under `path`. */
export async function writeAtomically(
  path: Path,
  content: string | Uint8Array,
  attributes: FileAttributes,
): Promise<void> {
  await writing(path, async () => {
    const temporary = temporaryPath(path);
    const [uid, gid] = await ownerIds(attributes.owner);
    const file = await createAnew(temporary);
    try {
      try {
        await file.writeFile(content);
        await file.chown(uid, gid);
        await file.chmod(attributes.mode);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncDirectory(dirname(path));
  });
}

/** An empty file to be written, in place of whatever a crash left there; readable for its owner alone. */
export async function createAnew(path: Path): Promise<FileHandle> {
  await rm(path, { recursive: true, force: true });
  // Exclusively: a link that someone puts there in the meantime is not followed.
  return await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
}

/** On disk when it returns, with what was written before. A link is refused, since it may lead anywhere. */
export async function setAttributes(path: Path, attributes: FileAttributes): Promise<void> {
  await writing(path, async () => {
    const [uid, gid] = await ownerIds(attributes.owner);
    const opened = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      await opened.chown(uid, gid);
      await opened.chmod(attributes.mode);
      await opened.sync();
    } finally {
      await opened.close();
    }
  });
}

export async function makeSymlink(path: Path, target: string): Promise<void> {
  await writing(path, async () => {
    const temporary = temporaryPath(path);
    await rm(temporary, { recursive: true, force: true });
    await symlink(target, temporary);
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  });
}

export async function movePath(from: Path, to: Path): Promise<void> {
  await writing(to, async () => {
    await rename(from, to);
    await syncDirectory(dirname(to));
  });
}

export async function removePath(path: Path): Promise<void> {
  await writing(path, async () => {
    await rm(path, { recursive: true, force: true });
    await unlessAbsent(syncDirectory(dirname(path)));
  });
}

export async function makeDirectory(path: Path, attributes: FileAttributes): Promise<void> {
  await writing(path, () => makeWithParents(path));
  await setAttributes(path, attributes);
}

/** Whatever the umask: a parent that nobody may enter would hide what is in it. */
async function makeWithParents(path: Path): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return;
    if (code !== 'ENOENT') throw error;
    await makeWithParents(dirname(path));
    await mkdir(path);
  }
  await chmod(path, 0o755);
  await syncDirectory(dirname(path));
}

/** Writes a file that the operator asked for, wherever its path leads. */
export async function saveText(path: Path, text: string): Promise<void> {
  await writing(path, () => writeFile(path, text));
}

/** A log that is kept in memory until it is worth a file. */
export interface LogFile {
  readonly path: Path;
  /** At once and in order, without waiting for the disk. Throws what the system says. */
  append(text: string): void;
  /** From now on, and with all that was appended before, it is a file that its owner alone can read. Never throws. */
  open(): void;
}

export function createLogFile(path: Path): LogFile {
  let kept: string | undefined = '';
  const write = (text: string) => appendFileSync(path, text, { mode: 0o600 });
  return {
    path,
    append(text) {
      if (kept === undefined) write(text);
      else kept += text;
    },
    open() {
      if (kept === undefined) return;
      const text = kept;
      kept = undefined;
      try {
        if (text !== '') write(text);
      } catch {
        // What comes next fails as well, and is told: no run ends for want of its log.
      }
    },
  };
}

/** An append-only file of lines with mode 0600, whose lines are on disk before `append` returns. */
export function appendLog(path: Path): AppendLog {
  let last: Promise<void> = Promise.resolve();

  async function append(line: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, 'a+', 0o600);
    try {
      // A crash can leave a line without its end: close it, so that it spoils no other.
      const { size } = await file.stat();
      const end = Buffer.alloc(1);
      if (size > 0) await file.read(end, 0, 1, size - 1);
      await file.appendFile(`${size > 0 && end[0] !== 0x0a ? '\n' : ''}${line}\n`);
      await file.sync();
      if (size === 0) await syncDirectory(dirname(path));
    } finally {
      await file.close();
    }
  }

  return {
    append(line) {
      // One after the other: a long line is written in pieces.
      const appended = last.then(() => writing(path, () => append(line)));
      last = appended.catch(() => undefined);
      return appended;
    },
    async lines() {
      const text = new TextDecoder().decode(await readWhole(path));
      return text.split('\n').filter(isWholeRecord);
    },
  };
}

function isWholeRecord(line: string): boolean {
  try {
    const record: unknown = JSON.parse(line);
    return typeof record === 'object' && record !== null;
  } catch {
    return false;
  }
}

export async function syncDirectory(path: Path): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Numeric user and group of `user:group`. */
export async function ownerIds(owner: string): Promise<readonly [number, number]> {
  const [user = '', group = ''] = owner.split(':');
  return [await idOf('/etc/passwd', user), await idOf('/etc/group', group)];
}

async function idOf(database: Path, name: string): Promise<number> {
  for (const [entryName, , id] of await entriesOf(database)) {
    if (entryName === name) return Number(id);
  }
  if (/^\d+$/.test(name)) return Number(name);
  throw new BootstrapError('not-converged', `there is no ${name} in ${database}, which a package should have made`, {
    hint: `reinstall the package of ${name}, then run the same command again`,
  });
}

async function nameOf(database: Path, id: number): Promise<string> {
  for (const [entryName, , entryId] of await entriesOf(database)) {
    if (Number(entryId) === id && entryName !== undefined) return entryName;
  }
  return String(id);
}

async function entriesOf(database: Path): Promise<readonly string[][]> {
  const text = new TextDecoder().decode(await readWhole(database));
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => line.split(':'));
}

/** ESTALE, for which Node has no name: a file of /sys whose interface went at this moment. */
const stale = -116;

/** What a reading gives; `undefined` where there is no such file. Throws `file-refused` where the system does not let it be read. */
export async function unlessAbsent<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    const { code, errno, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR' || errno === stale) return undefined;
    if (code === undefined || !Object.hasOwn(osConstants.errno, code)) throw error;
    throw new BootstrapError('file-refused', `a file could not be read: ${message}`, {
      hint: `look at what is there (namei -l PATH; dmesg, if it is an input/output error), mend it, ${again}`,
      cause: error,
    });
  }
}

const again = 'then run the same command again';

/** What to do about each of the system's own refusals to write. */
const refusals: Readonly<Record<string, readonly [code: ErrorCode, reason: string, hint: string]>> = {
  ENOSPC: [
    'disk-full',
    'no space is left',
    `make room (df -h shows where; df -i, if it is inodes that lack), ${again}`,
  ],
  EDQUOT: ['disk-full', 'the quota is used up', `make room (df -h shows where), ${again}`],
  EROFS: ['read-only', 'the file system is read-only', `find out why with dmesg, remount it writable, ${again}`],
};

/** Runs what writes to `path`, and turns the system's own refusals into errors that say what to do. */
export async function writing<T>(path: Path, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof BootstrapError || code === undefined || !Object.hasOwn(osConstants.errno, code)) throw error;
    const [errorCode, reason, hint] = refusals[code] ?? [
      'file-refused',
      message,
      `look at what is there (ls -ld ${path}; lsattr -d ${path}), move it out of the way, ${again}`,
    ];
    throw new BootstrapError(errorCode, `${path} could not be written: ${reason}`, { hint, cause: error });
  }
}

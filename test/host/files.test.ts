import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  appendLog,
  createLogFile,
  listDirectory,
  makeDirectory,
  makeSymlink,
  movePath,
  readWhole,
  removePath,
  setAttributes,
  spaceAt,
  statPath,
  temporaryPath,
  unlessAbsent,
  writeAtomically,
} from '../../src/host/files.ts';
import { mountedReadOnly, mountedTmpfs } from '../support/mounts.ts';
import { isRoot, mayMount } from '../support/privileges.ts';

const { username } = userInfo();
const group = execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim();
const owner = `${username}:${group}`;
const secret = { mode: 0o600, owner };

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'files-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

function text(path: string): string {
  return readFileSync(path, 'utf8');
}

describe('reading', () => {
  it('finds nothing where what was there goes at this moment, as a network interface in /sys', async () => {
    // As Node 26 reports it, seen at the removal of docker0.
    const seen = Object.assign(new Error('Unknown system error -116'), {
      errno: -116,
      code: 'Unknown system error -116',
    });

    expect(await unlessAbsent(Promise.reject(seen))).toBeUndefined();
    await expect(unlessAbsent(Promise.reject(Object.assign(new Error('EIO'), { errno: -5 })))).rejects.toThrow('EIO');
  });

  it('tells a missing file from an empty one, and a folder from both', async () => {
    const folder = await freshFolder();
    writeFileSync(join(folder, 'empty'), '');

    expect(await readWhole(join(folder, 'empty'))).toHaveLength(0);
    expect(await readWhole(join(folder, 'nothing'))).toBeUndefined();
    expect(await readWhole(join(folder, 'empty', 'below'))).toBeUndefined();
    expect(await readWhole(folder)).toBeUndefined();
  });

  it('lists names in order, and nothing where there is no folder', async () => {
    const folder = await freshFolder();
    for (const name of ['b', 'a', 'C']) writeFileSync(join(folder, name), '');

    expect(await listDirectory(folder)).toEqual(['C', 'a', 'b']);
    expect(await listDirectory(join(folder, 'a'))).toBeUndefined();
    expect(await listDirectory(join(folder, 'nothing'))).toBeUndefined();
  });

  it('tells what is there, by name of its owner, and follows no link', async () => {
    const folder = await freshFolder();
    writeFileSync(join(folder, 'file'), 'four');
    chmodSync(join(folder, 'file'), 0o4640);
    await symlink('nowhere', join(folder, 'link'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);

    expect(await statPath(join(folder, 'file'))).toEqual({
      ...{ kind: 'file', mode: 0o4640, owner, sizeBytes: 4 },
      modifiedAt: statSync(join(folder, 'file')).mtime,
    });
    expect(await statPath(join(folder, 'link'))).toMatchObject({ kind: 'symlink', linkTarget: 'nowhere' });
    expect(await statPath(join(folder, 'pipe'))).toMatchObject({ kind: 'other' });
    expect(await statPath(folder)).toMatchObject({ kind: 'directory', mode: 0o700 });
    expect(await statPath(join(folder, 'nothing'))).toBeUndefined();
  });

  it.skipIf(!isRoot)('tells an owner whom the system does not know by number', async () => {
    const path = join(await freshFolder(), 'file');
    writeFileSync(path, '');
    execFileSync('chown', ['54321:54322', path]);

    expect(await statPath(path)).toMatchObject({ owner: '54321:54322' });
  });

  it('tells the room on a file system, and nothing where there is no path', async () => {
    const space = await spaceAt('/');

    expect(space?.availableBytes).toBeGreaterThan(0);
    expect(space?.sizeBytes).toBeGreaterThan(space?.availableBytes ?? Number.POSITIVE_INFINITY);
    expect(await spaceAt('/nowhere/at/all')).toBeUndefined();
  });
});

describe('a file that is written', () => {
  it('has its content, mode and owner, whatever the umask', async () => {
    const path = join(await freshFolder(), 'file');
    const umask = process.umask(0o077);
    onTestFinished(() => void process.umask(umask));

    await writeAtomically(path, 'ünï\n', { mode: 0o666, owner });

    expect(text(path)).toBe('ünï\n');
    expect(await statPath(path)).toMatchObject({ kind: 'file', mode: 0o666, owner });
  });

  it('may hold any bytes', async () => {
    const path = join(await freshFolder(), 'file');
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);

    await writeAtomically(path, bytes, secret);

    expect(new Uint8Array((await readWhole(path)) ?? [])).toEqual(bytes);
  });

  it.skipIf(!isRoot)('may belong to another user, by name or by number', async () => {
    const path = join(await freshFolder(), 'file');

    await writeAtomically(path, '', { mode: 0o4750, owner: 'nobody:54321' });

    expect(await statPath(path)).toMatchObject({ mode: 0o4750, owner: 'nobody:54321' });
  });

  it('is a new file: who has the old one open sees the old content whole', async () => {
    const path = join(await freshFolder(), 'file');
    await writeAtomically(path, 'old', secret);
    const before = statSync(path).ino;

    await writeAtomically(path, 'new', secret);

    expect(text(path)).toBe('new');
    expect(statSync(path).ino).not.toBe(before);
  });

  it.each(['file', 'folder', 'link'])('takes no harm from a %s that a crash left in its way', async kind => {
    const folder = await freshFolder();
    const path = join(folder, 'file');
    const victim = join(folder, 'victim');
    writeFileSync(victim, 'untouched');
    if (kind === 'file') writeFileSync(temporaryPath(path), 'half of a much longer cont');
    else if (kind === 'folder') await mkdir(join(temporaryPath(path), 'below'), { recursive: true });
    else await symlink(victim, temporaryPath(path));

    await writeAtomically(path, 'whole', secret);

    expect(text(path)).toBe('whole');
    expect(text(victim)).toBe('untouched');
    expect(await readdir(folder)).toEqual(['file', 'victim']);
  });

  it('takes the place of a link, not of what it leads to', async () => {
    const folder = await freshFolder();
    writeFileSync(join(folder, 'elsewhere'), 'untouched');
    await symlink('elsewhere', join(folder, 'file'));

    await writeAtomically(join(folder, 'file'), 'new', secret);

    expect(await statPath(join(folder, 'file'))).toMatchObject({ kind: 'file' });
    expect(text(join(folder, 'elsewhere'))).toBe('untouched');
  });

  it('never takes the place of a folder, and says what is in the way', async () => {
    const folder = await freshFolder();
    await mkdir(join(folder, 'file', 'below'), { recursive: true });

    await expect(writeAtomically(join(folder, 'file'), 'new', secret)).rejects.toMatchObject({
      code: 'file-refused',
      message: expect.stringContaining(`${join(folder, 'file')} could not be written`),
    });
    expect(await readdir(folder, { recursive: true })).toEqual(['file', 'file/below']);
  });

  it('is refused where its folder is missing or is a file', async () => {
    const folder = await freshFolder();
    writeFileSync(join(folder, 'a'), '');

    await expect(writeAtomically(join(folder, 'b', 'c'), '', secret)).rejects.toMatchObject({ code: 'file-refused' });
    await expect(writeAtomically(join(folder, 'a', 'c'), '', secret)).rejects.toMatchObject({ code: 'file-refused' });
  });

  it('is not begun for an owner whom the system does not know', async () => {
    const folder = await freshFolder();

    await expect(writeAtomically(join(folder, 'file'), '', { mode: 0o600, owner: 'no-such:root' })).rejects.toThrow(
      'there is no no-such in /etc/passwd',
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it.skipIf(!mayMount)('leaves nothing behind on a full disk, and the old one as it was', async () => {
    const folder = mountedTmpfs('64k');
    await writeAtomically(join(folder, 'file'), 'old', secret);

    await expect(writeAtomically(join(folder, 'file'), 'x'.repeat(100_000), secret)).rejects.toMatchObject({
      code: 'disk-full',
      hint: expect.stringContaining('df -h'),
    });
    expect(text(join(folder, 'file'))).toBe('old');
    expect(await readdir(folder)).toEqual(['file']);
  });

  it.skipIf(!mayMount)('is refused on a file system that is mounted read-only', async () => {
    const source = await freshFolder();
    writeFileSync(join(source, 'file'), 'old');
    const folder = mountedReadOnly(source);

    for (const action of [
      () => writeAtomically(join(folder, 'file'), 'new', secret),
      () => makeDirectory(join(folder, 'folder'), { mode: 0o755, owner }),
      () => setAttributes(join(folder, 'file'), secret),
      () => removePath(join(folder, 'file')),
      () => makeSymlink(join(folder, 'link'), 'x'),
      () => movePath(join(folder, 'file'), join(folder, 'b')),
    ]) {
      await expect(action()).rejects.toMatchObject({ code: 'read-only', hint: expect.stringContaining('remount') });
    }
    expect(text(join(source, 'file'))).toBe('old');
  });

  it.skipIf(!mayMount)('is refused where the old one is immutable', async () => {
    const folder = mountedTmpfs('1m');
    const path = join(folder, 'file');
    writeFileSync(path, 'old');
    execFileSync('chattr', ['+i', path]);
    onTestFinished(() => void execFileSync('chattr', ['-i', path]));

    await expect(writeAtomically(path, 'new', secret)).rejects.toMatchObject({
      code: 'file-refused',
      hint: expect.stringContaining('lsattr'),
    });
    expect(await readdir(folder)).toEqual(['file']);
  });
});

describe('attributes', () => {
  it('are set on files and folders', async () => {
    const folder = await freshFolder();
    writeFileSync(join(folder, 'file'), '');

    await setAttributes(join(folder, 'file'), { mode: 0o640, owner });
    await setAttributes(folder, { mode: 0o750, owner });

    expect(await statPath(join(folder, 'file'))).toMatchObject({ mode: 0o640 });
    expect(await statPath(folder)).toMatchObject({ mode: 0o750 });
  });

  it('are never set through a link', async () => {
    const folder = await freshFolder();
    writeFileSync(join(folder, 'victim'), '');
    chmodSync(join(folder, 'victim'), 0o600);
    await symlink('victim', join(folder, 'link'));

    await expect(setAttributes(join(folder, 'link'), { mode: 0o666, owner })).rejects.toMatchObject({
      code: 'file-refused',
    });
    expect(await statPath(join(folder, 'victim'))).toMatchObject({ mode: 0o600 });
  });
});

describe('a folder', () => {
  it('is made with its parents, which everyone may enter whatever the umask', async () => {
    const folder = await freshFolder();
    const umask = process.umask(0o077);
    onTestFinished(() => void process.umask(umask));

    await makeDirectory(join(folder, 'a', 'b', 'c'), { mode: 0o700, owner });

    expect(await statPath(join(folder, 'a'))).toMatchObject({ kind: 'directory', mode: 0o755 });
    expect(await statPath(join(folder, 'a', 'b'))).toMatchObject({ mode: 0o755 });
    expect(await statPath(join(folder, 'a', 'b', 'c'))).toMatchObject({ mode: 0o700, owner });
  });

  it('that is there keeps what is in it, and its parents their modes', async () => {
    const folder = await freshFolder();
    await mkdir(join(folder, 'a'));
    writeFileSync(join(folder, 'a', 'file'), '');

    await makeDirectory(join(folder, 'a'), { mode: 0o711, owner });

    expect(await statPath(join(folder, 'a'))).toMatchObject({ mode: 0o711 });
    expect(await readdir(join(folder, 'a'))).toEqual(['file']);
    expect(await statPath(folder)).toMatchObject({ mode: 0o700 });
  });

  it('is refused where a file is in the way', async () => {
    const folder = await freshFolder();
    writeFileSync(join(folder, 'a'), 'untouched');

    for (const path of [join(folder, 'a'), join(folder, 'a', 'b')]) {
      await expect(makeDirectory(path, { mode: 0o755, owner })).rejects.toMatchObject({ code: 'file-refused' });
    }
    expect(text(join(folder, 'a'))).toBe('untouched');
  });
});

describe('a link', () => {
  it('takes the place of a file or another link at once', async () => {
    const folder = await freshFolder();
    const path = join(folder, 'link');
    writeFileSync(path, '');
    writeFileSync(temporaryPath(path), 'left by a crash');

    await makeSymlink(path, 'first');
    await makeSymlink(path, 'second');

    expect(await readlink(path)).toBe('second');
    expect(await readdir(folder)).toEqual(['link']);
  });
});

describe('moving and removing', () => {
  it('replaces a file, and removes files, links and whole folders', async () => {
    const folder = await freshFolder();
    writeFileSync(join(folder, 'new'), 'new');
    writeFileSync(join(folder, 'old'), 'old');
    await mkdir(join(folder, 'tree', 'below'), { recursive: true });
    await symlink('old', join(folder, 'link'));

    await movePath(join(folder, 'new'), join(folder, 'old'));
    await removePath(join(folder, 'tree'));
    await removePath(join(folder, 'link'));

    expect(await readdir(folder)).toEqual(['old']);
    expect(text(join(folder, 'old'))).toBe('new');
  });

  it('does nothing to remove what is not there', async () => {
    const folder = await freshFolder();

    await removePath(join(folder, 'nothing'));
    await removePath(join(folder, 'nothing', 'below'));

    expect(await readdir(folder)).toEqual([]);
  });
});

describe('the journal', () => {
  it('keeps its lines in order, for its owner alone, in a folder for its owner alone', async () => {
    const folder = join(await freshFolder(), 'state');
    const log = appendLog(join(folder, 'journal'));

    await log.append('{"a":1}');
    await log.append('{"b":2}');

    expect(await log.lines()).toEqual(['{"a":1}', '{"b":2}']);
    expect(await statPath(join(folder, 'journal'))).toMatchObject({ mode: 0o600 });
    expect(await statPath(folder)).toMatchObject({ mode: 0o700 });
  });

  it('is empty where there is none', async () => {
    expect(await appendLog(join(await freshFolder(), 'journal')).lines()).toEqual([]);
  });

  it.each(['{"entry":1,"undo":{"kin', '\0\0\0\0', 'null', '\n'])(
    'loses only the last line of %j, which a crash cut, and nothing that comes after',
    async cut => {
      const path = join(await freshFolder(), 'journal');
      writeFileSync(path, `{"entry":0}\n${cut}`);
      const log = appendLog(path);

      await log.append('{"entry":1}');

      expect(await log.lines()).toEqual(['{"entry":0}', '{"entry":1}']);
    },
  );

  it('keeps lines whole that are appended at the same time, however long', async () => {
    const log = appendLog(join(await freshFolder(), 'journal'));
    const long = Array.from({ length: 8 }, (_, index) => JSON.stringify({ index, text: 'x'.repeat(2_000_000) }));

    await Promise.all(long.map(line => log.append(line)));

    expect(await log.lines()).toEqual(long);
  });

  it('goes on after a line that could not be written', async () => {
    const folder = await freshFolder();
    const path = join(folder, 'journal');
    const log = appendLog(path);
    await mkdir(path);

    await expect(log.append('{}')).rejects.toMatchObject({ code: 'file-refused' });
    await removePath(path);
    await log.append('{}');

    expect(await log.lines()).toEqual(['{}']);
  });
});

describe('the log', () => {
  it('is made when it is opened, with all that was said before, and appended to', async () => {
    const path = join(await freshFolder(), 'log');
    writeFileSync(path, 'of an earlier run\n');
    const log = createLogFile(path);

    log.append('one\n');
    const before = text(path);
    log.open();
    log.append('two\n');
    log.open();

    expect(before).toBe('of an earlier run\n');
    expect(text(path)).toBe('of an earlier run\none\ntwo\n');
  });

  it('that cannot be opened says so at the next line, and stops nothing', async () => {
    const log = createLogFile(await freshFolder());
    log.append('one\n');

    log.open();

    expect(() => log.append('two\n')).toThrowError(expect.objectContaining({ code: 'EISDIR' }));
  });

  it('is for its owner alone, and never made where it stays closed or empty', async () => {
    const folder = await freshFolder();
    const log = createLogFile(join(folder, 'log'));
    createLogFile(join(folder, 'closed')).append('one\n');
    createLogFile(join(folder, 'empty')).open();

    log.append('one\n');
    log.open();

    expect(await readdir(folder)).toEqual(['log']);
    expect(await statPath(log.path)).toMatchObject({ mode: 0o600 });
  });
});

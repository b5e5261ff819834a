import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { unpackTarGz } from '../../src/host/archive.ts';
import { mountedTmpfs } from '../support/mounts.ts';
import { isRoot, mayMount } from '../support/privileges.ts';
import { type TarEntry, tarGz } from '../support/tar.ts';

async function unpack(archive: Buffer) {
  const folder = await mkdtemp(join(tmpdir(), 'archive-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const directory = join(folder, 'files');
  mkdirSync(directory);
  writeFileSync(join(folder, 'archive'), archive);
  return { folder, directory, unpacking: unpackTarGz(join(folder, 'archive'), directory) };
}

// Giving a file to root is what only root may do.
describe.skipIf(!isRoot)('an archive of plain files', () => {
  it('is unpacked whole, whether or not it names the folder it was made of', async () => {
    const { directory, unpacking } = await unpack(
      tarGz([
        { name: './', type: '5' },
        { name: './loopback', content: 'l'.repeat(70_000) },
        { name: 'bridge', content: 'b' },
        { name: 'README.md' },
      ]),
    );

    expect(await unpacking).toEqual(['README.md', 'bridge', 'loopback']);
    expect(readFileSync(join(directory, 'loopback'), 'utf8')).toBe('l'.repeat(70_000));
    expect(await readdir(directory)).toEqual(['README.md', 'bridge', 'loopback']);
  });

  it('gives its files to root, whoever made them and whatever their modes', async () => {
    const { directory, unpacking } = await unpack(tarGz([{ name: 'bridge', mode: 0o6777 }]));

    await unpacking;

    const { mode, uid, gid } = statSync(join(directory, 'bridge'));
    expect([mode & 0o7777, uid, gid]).toEqual([0o755, 0, 0]);
  });

  it('may be made by tar itself, in any of its formats', async () => {
    const source = await mkdtemp(join(tmpdir(), 'archive-'));
    onTestFinished(() => rm(source, { recursive: true }));
    const long = 'x'.repeat(150);
    for (const name of ['bridge', long]) writeFileSync(join(source, name), name);

    for (const format of ['gnu', 'pax']) {
      const archive = execFileSync('tar', [`--format=${format}`, '-cz', '-C', source, '.']);
      const { directory, unpacking } = await unpack(archive);
      expect(await unpacking).toEqual(['bridge', long]);
      expect(readFileSync(join(directory, long), 'utf8')).toBe(long);
    }
  });
});

describe('an archive', () => {
  it.each<[string, TarEntry]>([
    ['a path that leads out of it', { name: '../escaped', content: 'x' }],
    ['an absolute path', { name: '/tmp/nomad-bootstrap-escaped', content: 'x' }],
    ['a path with a way out in its midst', { name: 'a/../../escaped', content: 'x' }],
    ['a folder', { name: 'folder/', type: '5' }],
    ['a file in a folder', { name: 'folder/file', content: 'x' }],
    ['a symbolic link', { name: 'link', type: '2', linkTarget: '/etc/passwd' }],
    ['a hard link', { name: 'link', type: '1', linkTarget: 'bridge' }],
    ['a hard link to a file of the host', { name: 'link', type: '1', linkTarget: '/etc/passwd' }],
    ['a device', { name: 'device', type: '3' }],
    ['a pipe', { name: 'pipe', type: '6' }],
    ['a hidden file', { name: '.hidden', content: 'x' }],
    ['a name with a line break', { name: 'a\nb', content: 'x' }],
    ['a name that looks like an option', { name: '-rf', content: 'x' }],
  ])('with %s is refused, and nothing is outside its folder', async (_, entry) => {
    const { folder, unpacking } = await unpack(tarGz([{ name: 'bridge', content: 'b' }, entry]));

    await expect(unpacking).rejects.toMatchObject({
      code: 'archive-refused',
      message: expect.stringContaining(JSON.stringify(entry.name)),
    });
    expect(await readdir(folder)).toEqual(['archive', 'files']);
    expect(await readdir(join(folder, 'files'))).toEqual(['bridge']);
  });

  it('in which a link is followed by a file below it is refused, and the link is not followed', async () => {
    const { folder, unpacking } = await unpack(
      tarGz([
        { name: 'way', type: '2', linkTarget: '..' },
        { name: 'way/escaped', content: 'x' },
      ]),
    );

    await expect(unpacking).rejects.toMatchObject({ code: 'archive-refused' });
    expect(await readdir(folder, { recursive: true })).toEqual(['archive', 'files']);
  });

  it.each<[string, Buffer]>([
    ['is cut short', tarGz([{ name: 'bridge', content: 'b'.repeat(5000) }]).subarray(0, 60)],
    ['is not compressed', Buffer.from('not an archive at all, but a page that says so')],
    ['holds no archive', gzipSync(Buffer.from('x'.repeat(2000)))],
    ['is empty', tarGz([])],
    ['is a file of no bytes', Buffer.alloc(0)],
  ])('that %s is refused', async (_, archive) => {
    const { unpacking } = await unpack(archive);

    await expect(unpacking).rejects.toMatchObject({ code: 'archive-refused' });
  });

  it.skipIf(!mayMount)('that does not fit is a matter of the disk', async () => {
    const { folder } = await unpack(tarGz([{ name: 'bridge', content: 'x' }]));
    writeFileSync(join(folder, 'large'), tarGz([{ name: 'bridge', content: 'x'.repeat(200_000) }]));

    await expect(unpackTarGz(join(folder, 'large'), mountedTmpfs('64k'))).rejects.toMatchObject({ code: 'disk-full' });
  });
});

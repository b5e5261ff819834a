import { describe, expect, it } from 'vitest';
import { directory } from '../../src/resources/directory.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const attributes = { mode: 0o700, owner: 'root:root' };
const none: ReadonlySet<string> = new Set();

describe('a directory', () => {
  it('is made where it is missing, and is then as it should be', async () => {
    const host = fixtureHost({});

    const change = await directory('/opt/data', attributes).plan(host, none);
    await change?.apply(host);

    expect(change).toMatchObject({ summary: 'create /opt/data', undo: { kind: 'directory', path: '/opt/data' } });
    expect(await directory('/opt/data', attributes).plan(host, none)).toBeUndefined();
  });

  it('gets its mode and owner, and the former ones are remembered', async () => {
    const host = fixtureHost({ directories: { '/opt/data': { mode: 0o755, owner: 'nomad:nomad' } } });

    const change = await directory('/opt/data', attributes).plan(host, none);
    await change?.apply(host);

    expect(change?.undo).toEqual({
      kind: 'attributes',
      path: '/opt/data',
      attributes: { mode: 0o755, owner: 'nomad:nomad' },
    });
    expect(await host.stat('/opt/data')).toMatchObject(attributes);
  });

  it('is announced with the package whose script may set it anew', async () => {
    const host = fixtureHost({ directories: { '/opt/data': attributes } });
    const resource = directory('/opt/data', attributes, 'packages:apt');

    expect(await resource.plan(host, new Set(['packages:apt']))).toBeDefined();
    expect(await resource.plan(host, none)).toBeUndefined();
  });

  it('may be a link to a directory, which then gets the mode and owner and stays a link', async () => {
    const host = fixtureHost({
      directories: { '/mnt/disk/data': { mode: 0o755, owner: 'nomad:nomad' } },
      symlinks: { '/opt/data': '../mnt/data', '/mnt/data': 'disk/data' },
    });
    const resource = directory('/opt/data', attributes);

    const change = await resource.plan(host, none);
    await change?.apply(host);

    expect(change).toMatchObject({
      summary: 'set mode and owner of /mnt/disk/data',
      undo: { kind: 'attributes', path: '/mnt/disk/data' },
    });
    expect(await host.stat('/opt/data')).toMatchObject({ kind: 'symlink' });
    expect(await resource.plan(host, none)).toBeUndefined();
  });

  it('is made where a link leads to nothing', async () => {
    const host = fixtureHost({ symlinks: { '/opt/data': '/mnt/data' } });
    const resource = directory('/opt/data', attributes);

    await (await resource.plan(host, none))?.apply(host);

    expect(await host.stat('/mnt/data')).toMatchObject({ kind: 'directory', ...attributes });
    expect(await resource.plan(host, none)).toBeUndefined();
  });

  it('is refused where something else is in its place, before anything is changed', async () => {
    const host = fixtureHost({ files: { '/opt/data': '' }, symlinks: { '/opt/circle': 'circle' } });

    for (const path of ['/opt/data', '/opt/circle']) {
      await expect(directory(path, attributes).plan(host, none)).rejects.toMatchObject({
        code: 'file-refused',
        message: expect.stringContaining(path),
      });
    }
  });
});

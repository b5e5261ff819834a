import { describe, expect, it } from 'vitest';
import { file, formerFile, restoreFile } from '../../src/resources/file.ts';
import { type FixtureDescription, fixtureHost } from '../support/fixture-host.ts';

const path = '/etc/nomad.d/nomad.hcl';
const attributes = { mode: 0o640, owner: 'nomad:nomad' };
const resource = file(path, 'name = "a"\n', attributes);
const none: ReadonlySet<string> = new Set();

/** Plans on such a host, applies, and plans again. */
async function bringAbout(description: FixtureDescription) {
  const host = fixtureHost(description);
  const change = await resource.plan(host, none);
  await change?.apply(host);
  return { host, change, leftOver: await resource.plan(host, none) };
}

describe('a file', () => {
  it('is created with its whole content shown', async () => {
    const { host, change, leftOver } = await bringAbout({});

    expect(change).toMatchObject({
      summary: `create ${path}`,
      diff: `--- /dev/null\n+++ ${path}\n@@ -0,0 +1,1 @@\n+name = "a"\n`,
      undo: { kind: 'files', files: [{ path }] },
    });
    expect(host.log).toEqual([{ kind: 'write', path, content: 'name = "a"\n', ...attributes }]);
    expect(leftOver).toBeUndefined();
  });

  it('with other content is changed, and what it was is kept with its mode and owner', async () => {
    const { host, change, leftOver } = await bringAbout({
      files: { [path]: { content: 'name = "b"\n', mode: 0o600, owner: 'root:root' } },
    });

    expect(change?.summary).toBe(`change ${path}`);
    expect(change?.diff).toContain('-name = "b"\n+name = "a"\n');
    expect(change?.undo).toEqual({
      kind: 'files',
      files: [
        {
          path,
          former: {
            contentBase64: Buffer.from('name = "b"\n').toString('base64'),
            attributes: { mode: 0o600, owner: 'root:root' },
          },
        },
      ],
    });
    expect(await host.stat(path)).toMatchObject(attributes);
    expect(leftOver).toBeUndefined();
  });

  it.each([
    ['mode', { mode: 0o644, owner: 'nomad:nomad' }, '0644 nomad:nomad -> 0640 nomad:nomad'],
    ['owner', { mode: 0o640, owner: 'root:root' }, '0640 root:root -> 0640 nomad:nomad'],
  ])('with another %s alone gets that', async (_, wrong, difference) => {
    const { change, leftOver } = await bringAbout({ files: { [path]: { content: 'name = "a"\n', ...wrong } } });

    expect(change).toMatchObject({ summary: `set mode and owner of ${path}`, diff: `${path}: ${difference}\n` });
    expect(leftOver).toBeUndefined();
  });

  it('that is right is left alone', async () => {
    const { host, change } = await bringAbout({ files: { [path]: { content: 'name = "a"\n', ...attributes } } });

    expect(change).toBeUndefined();
    expect(host.log).toEqual([]);
  });

  it.each([
    ['a byte order mark', '\ufeffname = "a"\n'],
    ['no newline at its end', 'name = "a"'],
    ['a carriage return', 'name = "a"\r\n'],
    ['bytes that are no text', Uint8Array.of(0xff, 0xfe, 0x00)],
  ])('with %s is not the same', async (_, content) => {
    const { change, leftOver } = await bringAbout({ files: { [path]: { content, ...attributes } } });

    expect(change?.summary).toBe(`change ${path}`);
    expect(leftOver).toBeUndefined();
  });

  it.each<[string, FixtureDescription]>([
    ['to another content', { files: { '/srv/nomad.hcl': 'name = "b"\n' } }],
    ['to the same content', { files: { '/srv/nomad.hcl': { content: 'name = "a"\n', ...attributes } } }],
    ['to nothing', {}],
  ])('takes the place of a link %s, which an undo puts back', async (_, description) => {
    const before = fixtureHost(description).contents();

    const { host, change, leftOver } = await bringAbout({ ...description, symlinks: { [path]: '/srv/nomad.hcl' } });

    expect(change?.diff).toContain(`${path}: a link to /srv/nomad.hcl -> a file\n`);
    expect(change?.undo).toEqual({ kind: 'files', files: [{ path, formerLink: '/srv/nomad.hcl' }] });
    expect(leftOver).toBeUndefined();
    expect(host.contents()).toEqual({ ...before, [path]: 'name = "a"\n' });
  });

  it('is refused where a directory is in its place, before anything is changed', async () => {
    const host = fixtureHost({ directories: [path] });

    await expect(resource.plan(host, none)).rejects.toMatchObject({
      code: 'file-refused',
      message: expect.stringContaining(path),
      hint: expect.stringContaining('move it away'),
    });
  });
});

describe('what a file was', () => {
  it.each<[string, FixtureDescription]>([
    ['a file', { files: { [path]: { content: Uint8Array.of(0, 255, 10), mode: 0o600, owner: 'root:nomad' } } }],
    ['a link', { symlinks: { [path]: '../elsewhere' } }],
    ['nothing', {}],
  ])('is put back exactly: %s', async (_, description) => {
    const host = fixtureHost(description);
    const [former, stat, content] = [await formerFile(host, path), await host.stat(path), await host.readFile(path)];
    await host.writeFile(path, 'ours', attributes);

    // As the journal keeps it.
    await restoreFile(host, JSON.parse(JSON.stringify(former)));

    expect(await host.stat(path)).toEqual(stat);
    expect(Buffer.from((await host.readFile(path)) ?? [])).toEqual(Buffer.from(content ?? []));
  });
});

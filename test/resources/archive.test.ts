import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { archive } from '../../src/resources/archive.ts';
import { type FixtureDescription, type FixtureHost, fixtureHost } from '../support/fixture-host.ts';

const none: ReadonlySet<string> = new Set();
const directory = '/opt/cni/bin';
const record = '/var/lib/nomad-bootstrap/cni.json';
const source = { url: 'https://example.net/plugins-1.9.1.tgz', sha256: 'a'.repeat(64) };
const plugins = archive(source, directory, record);
const content = { bridge: 'bridge 1.9.1', loopback: 'loopback 1.9.1' };

/** The real sha256sum, of these files on a described host. */
function sha256sum(...paths: readonly string[]): NonNullable<FixtureDescription['commands']> {
  const answer = (host: FixtureHost) => {
    const there = host.contents();
    const lines = paths.flatMap(path => {
      const text = there[path];
      return text === undefined ? [] : [`${createHash('sha256').update(text).digest('hex')}  ${path}\n`];
    });
    return { exitCode: lines.length === paths.length ? 0 : 1, stdout: lines.join('') };
  };
  return { [`sha256sum -- ${paths.join(' ')}`]: answer };
}

function host(files: FixtureDescription['files'] = {}): FixtureHost {
  const within = (folder: string) => [`${folder}/bridge`, `${folder}/loopback`];
  return fixtureHost({
    files,
    directories: [directory],
    archives: { [source.url]: content },
    commands: { ...sha256sum(...within(directory)), ...sha256sum(...within(`${directory}/.nomad-bootstrap-new`)) },
  });
}

/** A host on which the archive was unpacked before. */
async function unpacked(): Promise<FixtureHost> {
  const fresh = host();
  await (await plugins.plan(fresh, none))?.apply(fresh);
  return fresh;
}

describe('an archive', () => {
  it('is unpacked where there is none, and its files are recorded with their digests', async () => {
    const fresh = host();

    const change = await plugins.plan(fresh, none);
    await change?.apply(fresh);

    expect(change).toMatchObject({
      summary: 'unpack plugins-1.9.1.tgz into /opt/cni/bin',
      diff: `sha256 ${source.sha256}\n`,
      undo: { kind: 'archive', directory, record },
    });
    expect(await fresh.list(directory)).toEqual(['bridge', 'loopback']);
    expect(JSON.parse((await fresh.readText(record)) ?? '')).toEqual({
      sha256: source.sha256,
      files: {
        bridge: createHash('sha256').update(content.bridge).digest('hex'),
        loopback: createHash('sha256').update(content.loopback).digest('hex'),
      },
    });
    expect(await fresh.stat(record)).toMatchObject({ mode: 0o600, owner: 'root:root' });
  });

  it('that was unpacked is neither fetched nor touched again', async () => {
    const done = await unpacked();

    expect(await plugins.plan(done, none)).toBeUndefined();
    expect(done.gets).toEqual([]);
  });

  it('is unpacked anew when one of its files has other bytes or is gone', async () => {
    const done = await unpacked();
    await done.writeFile(`${directory}/bridge`, 'something else', { mode: 0o755, owner: 'root:root' });
    await done.remove(`${directory}/loopback`);

    const change = await plugins.plan(done, none);
    await change?.apply(done);

    expect(change?.diff).toBe(
      `${directory}/bridge: not as the archive has it\n${directory}/loopback: not as the archive has it\n`,
    );
    expect(await plugins.plan(done, none)).toBeUndefined();
    expect(done.contents()[`${directory}/bridge`]).toBe(content.bridge);
  });

  it('leaves other files in its directory alone', async () => {
    const own = host({ [`${directory}/own`]: 'own' });

    await (await plugins.plan(own, none))?.apply(own);

    expect(own.contents()[`${directory}/own`]).toBe('own');
    expect(await plugins.plan(own, none)).toBeUndefined();
  });

  it('of another version takes the place of the one that was recorded', async () => {
    const done = await unpacked();

    const change = await archive({ ...source, sha256: 'b'.repeat(64) }, directory, record).plan(done, none);

    expect(change?.diff).toBe(`sha256 ${'b'.repeat(64)}\n`);
  });

  it('is fetched once what it starts after has ended', async () => {
    const fresh = host();
    const packages = Promise.withResolvers<void>();
    const asked: string[] = [];

    const change = await archive(source, directory, record, 'packages/downloads').plan(fresh, none);
    const applied = change?.apply(fresh, {
      ended(what) {
        asked.push(what);
        return packages.promise;
      },
      endPart: () => undefined,
    });
    expect(asked).toEqual(['packages/downloads']);
    expect(fresh.log).toEqual([]);
    packages.resolve();
    await applied;

    expect(await fresh.list(directory)).toEqual(['bridge', 'loopback']);
  });

  it('is recorded before the first of its files is in its place', async () => {
    const done = await unpacked();

    const order = done.log.flatMap(step => (step.kind === 'write' || step.kind === 'replace' ? [step.kind] : []));

    expect(order).toEqual(['write', 'replace', 'replace']);
  });

  it('keeps a copy of what it overwrites and did not bring itself', async () => {
    const own = host({ [`${directory}/bridge`]: { content: 'somebody else’s', mode: 0o700 } });

    await (await plugins.plan(own, none))?.apply(own);

    expect(own.contents()[`${directory}/bridge`]).toBe(content.bridge);
    expect(own.contents()[`${record}.former/bridge`]).toBe('somebody else’s');
    expect(JSON.parse((await own.readText(record)) ?? '')).toMatchObject({
      former: { bridge: { attributes: { mode: 0o700, owner: 'root:root' }, saved: `${record}.former/bridge` } },
    });
  });

  it.each(['', '{', 'null', '[]', '{"sha256":1}', '{"sha256":"a","files":null}'])(
    'whose record is %j counts as not unpacked',
    async text => {
      expect((await plugins.plan(host({ [record]: text }), none))?.summary).toMatch(/^unpack/);
    },
  );
});

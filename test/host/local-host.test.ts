import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BootstrapError } from '../../src/core/errors.ts';
import type { Event } from '../../src/core/types.ts';
import { statPath, temporaryPath } from '../../src/host/files.ts';
import { createLocalHost } from '../../src/host/local-host.ts';
import { isRoot } from '../support/privileges.ts';
import { tarGz } from '../support/tar.ts';

const attributes = { mode: 0o640, owner: `${userInfo().username}:${userInfo().gid}` };

function localHost(environment: NodeJS.ProcessEnv = {}) {
  const events: Event[] = [];
  const abort = new AbortController();
  const host = createLocalHost({
    environment,
    version: '1.2.3',
    report: event => events.push(event),
    signal: abort.signal,
  });
  onTestFinished(() => host.close());
  return { host, events, abort };
}

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'host-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Serves these bodies, one after the other, the last one for ever; a number is a status. */
async function serveInTurn(...answers: readonly (Buffer | number)[]) {
  const asked: string[] = [];
  const url = await serve((request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] ?? 500;
    asked.push(request.url ?? '');
    if (typeof answer === 'number') response.writeHead(answer).end();
    else response.end(answer);
  });
  return { url, asked };
}

function pinned(url: string, content: Buffer) {
  return { url: `${url}/file.tgz`, sha256: createHash('sha256').update(content).digest('hex') };
}

describe('a download', () => {
  const content = Buffer.from('content');

  it('is there at once, with its mode and owner', async () => {
    const folder = await freshFolder();
    const { url } = await serveInTurn(content);

    await localHost().host.download(pinned(url, content), join(folder, 'file'), attributes);

    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('content');
    expect(await statPath(join(folder, 'file'))).toMatchObject({ mode: 0o640 });
    expect(await readdir(folder)).toEqual(['file']);
  });

  it('is tried again after an answer that may pass, and after other bytes', async () => {
    const folder = await freshFolder();
    const { url, asked } = await serveInTurn(503, Buffer.from('other'), content);

    await localHost().host.download(pinned(url, content), join(folder, 'file'), attributes);

    expect(asked).toHaveLength(3);
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('content');
  });

  it('is not tried again where it does not exist', async () => {
    const folder = await freshFolder();
    const { url, asked } = await serveInTurn(404);

    const download = localHost().host.download(pinned(url, content), join(folder, 'file'), attributes);

    await expect(download).rejects.toMatchObject({ code: 'upstream-refused' });
    expect(asked).toHaveLength(1);
  });

  it('leaves the old file alone when it fails, and nothing beside it', async () => {
    const folder = await freshFolder();
    writeFileSync(join(folder, 'file'), 'old');
    const { url } = await serveInTurn(content);
    const { host } = localHost();

    const foreign = host.download(pinned(url, content), join(folder, 'file'), { mode: 0o640, owner: 'no-such:root' });

    await expect(foreign).rejects.toThrow('there is no no-such');
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['file']);
  });

  it('that is interrupted while it waits for its next try ends with the interruption', async () => {
    const folder = await freshFolder();
    const { url } = await serveInTurn(503);
    const { host, abort } = localHost();
    const interrupted = new BootstrapError('interrupted', 'Ctrl-C', { hint: 'x' });

    const download = host.download(pinned(url, content), join(folder, 'file'), attributes);
    setTimeout(() => abort.abort(interrupted), 100);

    await expect(download).rejects.toBe(interrupted);
  });

  it('from a server that stands still ends with the second Ctrl-C', async () => {
    const folder = await freshFolder();
    const url = await serve((_, response) => response.writeHead(200, { 'content-length': 10 }).write('x'));
    const { host, abort } = localHost();
    const interrupted = new BootstrapError('interrupted', 'Ctrl-C', { hint: 'x' });

    const download = host.download(pinned(url, content), join(folder, 'file'), attributes);
    setTimeout(() => {
      abort.abort(interrupted);
      host.endChildren();
    }, 100);

    await expect(download).rejects.toBe(interrupted);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe.skipIf(!isRoot)('unpacking', () => {
  const archive = tarGz([{ name: './', type: '5' }, { name: './bridge', content: 'new' }, { name: './vlan' }]);

  it('moves files in one by one, replaces older ones and leaves others alone', async () => {
    const folder = await freshFolder();
    const bin = join(folder, 'bin');
    await mkdir(bin);
    writeFileSync(join(bin, 'bridge'), 'old');
    writeFileSync(join(bin, 'own'), 'own');
    const { url } = await serveInTurn(archive);

    expect(await localHost().host.unpack(pinned(url, archive), bin)).toEqual(['bridge', 'vlan']);

    expect(readFileSync(join(bin, 'bridge'), 'utf8')).toBe('new');
    expect(await readdir(bin)).toEqual(['bridge', 'own', 'vlan']);
    expect(await readdir(folder)).toEqual(['bin']);
  });

  it('starts over where a crash left something half done', async () => {
    const folder = await freshFolder();
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await mkdir(join(temporaryPath(bin), 'files', 'bridge'), { recursive: true });
    writeFileSync(join(temporaryPath(bin), 'archive'), 'half');
    const { url } = await serveInTurn(archive);

    expect(await localHost().host.unpack(pinned(url, archive), bin)).toEqual(['bridge', 'vlan']);

    expect(await readdir(folder)).toEqual(['bin']);
  });

  it('moves in nothing of an archive with other bytes, or of one that is refused', async () => {
    const folder = await freshFolder();
    const bin = join(folder, 'bin');
    await mkdir(bin);
    const hostile = tarGz([{ name: 'bridge' }, { name: '../../escaped' }]);
    const { url } = await serveInTurn(hostile);
    const { host } = localHost();

    await expect(host.unpack(pinned(url, hostile), bin)).rejects.toMatchObject({ code: 'archive-refused' });
    expect(await readdir(folder, { recursive: true })).toEqual(['bin']);
  });

  it('goes where a link leads, and says so where there is no such folder', async () => {
    const folder = await freshFolder();
    await mkdir(join(folder, 'disk', 'bin'), { recursive: true });
    await symlink('disk/bin', join(folder, 'bin'));
    const { url } = await serveInTurn(archive);
    const { host } = localHost();

    await host.unpack(pinned(url, archive), join(folder, 'bin'));

    expect(await readdir(join(folder, 'disk'))).toEqual(['bin']);
    expect(await readdir(join(folder, 'disk', 'bin'))).toEqual(['bridge', 'vlan']);
    await expect(host.unpack(pinned(url, archive), join(folder, 'nothing'))).rejects.toMatchObject({
      code: 'file-refused',
    });
  });
});

describe('a sleep', () => {
  it('takes its time', async () => {
    const startedAt = performance.now();

    await localHost().host.sleep(50);

    expect(performance.now() - startedAt).toBeGreaterThan(45);
  });

  it('ends with the interruption, and does not begin after one', async () => {
    const { host, abort } = localHost();
    const interrupted = new BootstrapError('interrupted', 'Ctrl-C', { hint: 'x' });

    const sleep = host.sleep(60_000);
    abort.abort(interrupted);

    await expect(sleep).rejects.toBe(interrupted);
    await expect(host.sleep(1)).rejects.toBe(interrupted);
  });
});

describe('this machine', () => {
  it('has the addresses that the kernel tells, each with its network', () => {
    const addresses = localHost().host.addresses();

    expect(addresses).toContainEqual({ interface: 'lo', address: '127.0.0.1', prefixLength: 8, family: 4 });
    expect(new Set(addresses.map(address => address.interface))).toEqual(new Set(Object.keys(networkInterfaces())));
  });

  it('has a kind of processor', () => {
    expect(localHost().host.machine()).toMatch(/^(x86_64|aarch64)$/);
  });

  it('is read as text or bytes', async () => {
    const path = join(await freshFolder(), 'file');
    writeFileSync(path, 'ü');
    const { host } = localHost();

    expect(await host.readText(path)).toBe('ü');
    expect(await host.readFile(path)).toHaveLength(2);
    expect(await host.readText(`${path}.not`)).toBeUndefined();
  });
});

describe('the proxy of the environment', () => {
  it.each([
    ['http_proxy', {}],
    ['HTTP_PROXY', {}],
    ['http_proxy', { HTTP_PROXY: 'http://127.0.0.1:1' }],
  ])('is taken from %s %j', async (name, others) => {
    const proxy = await serve((_, response) => response.end('through the proxy'));
    const { host } = localHost({ ...others, [name]: proxy });

    const { body } = await host.request('http://upstream.invalid/');

    expect(new TextDecoder().decode(body)).toBe('through the proxy');
  });
});

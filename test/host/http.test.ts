import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { BootstrapError } from '../../src/core/errors.ts';
import type { Event } from '../../src/core/types.ts';
import { createHttp, type HttpProxies, type HttpSettings } from '../../src/host/http.ts';
import { type Certificate, makeAuthority } from '../support/certificates.ts';
import { mountedTmpfs } from '../support/mounts.ts';
import { mayMount } from '../support/privileges.ts';

const authority = makeAuthority(['IP:127.0.0.1', 'DNS:localhost']);

interface Setup {
  readonly proxies?: HttpProxies;
  readonly settings?: Partial<HttpSettings>;
}

function http({ proxies = {}, settings }: Setup = {}) {
  const events: Event[] = [];
  const usual = { connectTimeoutMs: 2000, stallTimeoutMs: 5000, authorities: [] };
  const client = createHttp(proxies, 'nomad-bootstrap/1.2.3', event => events.push(event), { ...usual, ...settings });
  onTestFinished(() => client.close());
  return { ...client, events };
}

async function listen(server: Server, path?: string): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', socket => sockets.add(socket));
  server.on('secureConnection', socket => sockets.add(socket));
  if (path === undefined) server.listen(0, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path === undefined ? (server.address() as AddressInfo).port : 0;
}

/** A server on this machine; its address. */
async function serve(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(listener))}`;
}

async function serveSecurely(listener: RequestListener, certificate: Certificate = authority.server): Promise<string> {
  return `https://127.0.0.1:${await listen(createSecureServer(certificate, listener))}`;
}

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'http-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

function text(response: { readonly body: Uint8Array }): string {
  return new TextDecoder().decode(response.body);
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

describe('an answer', () => {
  it.each([200, 204, 404, 429, 500, 503])('of status %i is data', async status => {
    const url = await serve((_, response) => response.writeHead(status, { 'X-Thing': ['a', 'b'] }).end());

    expect(await http().request(url)).toMatchObject({ status, headers: { 'x-thing': 'a, b' } });
  });

  it('has its body whole, byte by byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 256));
    const url = await serve((_, response) => response.end(bytes));

    expect(Buffer.from((await http().request(url)).body).equals(bytes)).toBe(true);
  });

  it('comes to a question with our name, the headers and the body that were given', async () => {
    const url = await serve(async (request, response) => {
      const { method, headers } = request;
      response.end(JSON.stringify([method, headers['user-agent'], headers['x-consul-token'], await bodyOf(request)]));
    });

    const answer = await http().request(url, { method: 'PUT', headers: { 'X-Consul-Token': 'x' }, body: '{"a":1}' });

    expect(JSON.parse(text(answer))).toEqual(['PUT', 'nomad-bootstrap/1.2.3', 'x', '{"a":1}']);
  });

  it('is reported with its status and how long it took', async () => {
    const url = await serve((_, response) => response.writeHead(404).end());
    const { request, events } = http();

    await request(url);

    expect(events).toEqual([{ type: 'request', method: 'GET', url, status: 404, durationMs: expect.any(Number) }]);
  });

  it('may come over a Unix socket', async () => {
    const socketPath = join(await freshFolder(), 'socket');
    await listen(
      createServer((request, response) => response.end(request.url)),
      socketPath,
    );

    expect(text(await http().request('http://localhost/v1/info', { socketPath }))).toBe('/v1/info');
  });
});

describe('a file of this machine', () => {
  it('is answered like that of a server, and so is one that is not there', async () => {
    const folder = await freshFolder();
    await writeFile(join(folder, 'Packages'), 'index');

    expect(text(await http().request(`file://${folder}/Packages`))).toBe('index');
    expect((await http().request(`file://${folder}/Release`)).status).toBe(404);
    expect((await http().request(`file://${folder}`)).status).toBe(404);
  });

  it('is copied when it is what it should be', async () => {
    const folder = await freshFolder();
    await writeFile(join(folder, 'from'), 'plug-ins');
    const url = `file://${folder}/from`;

    await http().fetchTo({ url, sha256: createHash('sha256').update('plug-ins').digest('hex') }, join(folder, 'to'));
    expect(readFileSync(join(folder, 'to'), 'utf8')).toBe('plug-ins');
    await expect(http().fetchTo({ url, sha256: '0'.repeat(64) }, join(folder, 'bad'))).rejects.toMatchObject({
      code: 'checksum-mismatch',
    });
    await expect(
      http().fetchTo({ url: `${url}-not`, sha256: '0'.repeat(64) }, join(folder, 'none')),
    ).rejects.toMatchObject({ code: 'upstream-refused' });
    expect((await readdir(folder)).sort()).toEqual(['from', 'to']);
  });
});

describe('a redirection', () => {
  it('is followed, five times, and forgets what was meant for the first server alone', async () => {
    const other = await serve((request, response) => response.end(JSON.stringify(request.headers)));
    const url = await serve((request, response) => {
      const hops = Number(request.url?.slice(1));
      const location = hops < 4 ? `/${hops + 1}` : `${other}/end`;
      if (request.headers['metadata-token'] !== 'x') response.writeHead(403).end();
      else response.writeHead([301, 302, 303, 307, 308][hops] ?? 500, { location }).end('moved');
    });

    const answer = await http().request(`${url}/0`, { headers: { 'Metadata-Token': 'x' } });

    expect(answer.status).toBe(200);
    expect(JSON.parse(text(answer))).not.toHaveProperty('metadata-token');
    expect(JSON.parse(text(answer))).toHaveProperty('user-agent', 'nomad-bootstrap/1.2.3');
  });

  it('in a circle is a clear error', async () => {
    const url = await serve((_, response) => response.writeHead(302, { location: '/' }).end());

    await expect(http().request(`${url}/`)).rejects.toMatchObject({
      code: 'upstream-refused',
      message: `${url}/ redirects more than 5 times`,
    });
  });

  it('may lead from http to an https server that the host trusts', async () => {
    const authorities = [join(await freshFolder(), 'ca')];
    await writeFile(authorities[0] ?? '', authority.ca);
    const secure = await serveSecurely((_, response) => response.end('secure'));
    const url = await serve((_, response) => response.writeHead(301, { location: secure }).end());

    expect(text(await http({ settings: { authorities } }).request(url))).toBe('secure');
  });

  it.each([{ location: 'http://[' }, {}])('to nowhere (%j) is an answer like any other', async headers => {
    const url = await serve((_, response) => response.writeHead(302, headers).end('moved'));

    expect(await http().request(url)).toMatchObject({ status: 302 });
  });

  it('of a request that changes something is not followed', async () => {
    const url = await serve((_, response) => response.writeHead(307, { location: '/elsewhere' }).end());

    expect(await http().request(url, { method: 'PUT', body: 'x' })).toMatchObject({ status: 307 });
  });
});

describe('no answer', () => {
  it('is an error that names the address and what to try', async () => {
    const port = await listen(createTcpServer().on('connection', socket => socket.destroy()));

    for (const url of [`http://127.0.0.1:${port}/a`, 'http://127.0.0.1:1/b']) {
      await expect(http().request(url)).rejects.toMatchObject({
        code: 'unreachable',
        exitCode: 1,
        message: expect.stringMatching(`^${url} could not be reached: .`),
        hint: expect.stringContaining('--mirror URL'),
      });
    }
  });

  it('is an error once the time is over, also in the midst of a body', async () => {
    const silent = await serve(() => {});
    const halting = await serve((_, response) => response.writeHead(200, { 'content-length': 10 }).write('half'));

    for (const url of [silent, halting]) {
      await expect(http().request(url, { timeoutMs: 200 })).rejects.toMatchObject({
        code: 'unreachable',
        message: `${url} could not be reached: no answer within 0.2 s`,
      });
    }
  });

  it('is another thing than a body that stops in the middle', async () => {
    const halting = await serve((_, response) => response.writeHead(200, { 'content-length': 10 }).write('half'));
    const { request } = http({ settings: { stallTimeoutMs: 200 } });

    await expect(request(halting, { timeoutMs: 20_000 })).rejects.toMatchObject({
      message: `${halting} could not be reached: no more of it within 0.2 s`,
    });
  });

  it('counts the time over all redirections', async () => {
    const url = await serve((_, response) => {
      setTimeout(() => response.writeHead(302, { location: '/' }).end(), 100);
    });

    await expect(http().request(url, { timeoutMs: 250 })).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('is what a body that was cut short is', async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 10 }).write('half');
      setTimeout(() => response.socket?.destroy(), 50);
    });

    await expect(http().request(url)).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('is reported without a status', async () => {
    const { request, events } = http();

    await request('http://127.0.0.1:1/').catch(() => undefined);

    expect(events).toEqual([
      { type: 'request', method: 'GET', url: 'http://127.0.0.1:1/', durationMs: expect.any(Number) },
    ]);
  });
});

describe('https', () => {
  it('is believed where the host trusts the authority, though Node does not', async () => {
    const authorities = [join(await freshFolder(), 'ca'), '/nowhere/ca'];
    await writeFile(authorities[0] ?? '', authority.ca);
    const url = await serveSecurely((_, response) => response.end('hello'));

    expect(process.env['NODE_EXTRA_CA_CERTS']).toBeUndefined();
    expect(text(await http({ settings: { authorities } }).request(url))).toBe('hello');
  });

  it('is believed where the caller names the authority, and shows the certificate that the caller has', async () => {
    const server = createSecureServer(
      { ...authority.server, ca: authority.ca, requestCert: true, rejectUnauthorized: true },
      (_, response) => response.end('hello'),
    );
    const url = `https://127.0.0.1:${await listen(server)}`;
    const { request } = http();

    expect(text(await request(url, { tls: { ca: authority.ca, ...authority.server } }))).toBe('hello');
    await expect(request(url, { tls: { ca: authority.ca } })).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('may go by another name than the address has', async () => {
    const { ca, server } = makeAuthority(['DNS:server.global.nomad']);
    const url = await serveSecurely((_, response) => response.end('hello'), server);
    const { request } = http();

    expect(text(await request(url, { tls: { ca, serverName: 'server.global.nomad' } }))).toBe('hello');
    await expect(request(url, { tls: { ca } })).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('of an unknown authority is refused, and the hint speaks of trust and of the clock', async () => {
    const url = await serveSecurely((_, response) => response.end('hello'));
    const { request } = http();

    await expect(request(url)).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining(url),
      hint: expect.stringMatching(/clock.*trust store/),
    });
    await expect(request(url, { tls: { ca: makeAuthority(['DNS:a']).ca } })).rejects.toMatchObject({
      code: 'unreachable',
    });
  });

  it('of the authority that one caller names is not believed for another', async () => {
    const url = await serveSecurely((_, response) => response.end('hello'));
    const { request } = http();

    await request(url, { tls: { ca: authority.ca } });

    await expect(request(url)).rejects.toMatchObject({ code: 'unreachable' });
  });
});

describe('a proxy', () => {
  /** Answers requests itself, and passes connections on. */
  async function proxy() {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.end('through the proxy');
    });
    server.on('connect', (request, socket, head) => {
      asked.push(`CONNECT ${request.url}`);
      const [, port] = (request.url ?? '').split(':');
      const upstream = connect(Number(port), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.write(head);
        upstream.pipe(socket).pipe(upstream);
      });
      for (const end of [upstream, socket]) end.on('error', () => {});
      onTestFinished(() => void upstream.destroy());
    });
    return { url: `http://127.0.0.1:${await listen(server)}`, asked };
  }

  it('is asked for https, and sees no more than the name', async () => {
    const { ca, server } = makeAuthority(['DNS:upstream.invalid']);
    const { port } = new URL(await serveSecurely((_, response) => response.end('hello'), server));
    const { url, asked } = await proxy();

    const answer = await http({ proxies: { httpsProxy: url } }).request(`https://upstream.invalid:${port}/secret`, {
      tls: { ca },
    });

    expect(text(answer)).toBe('hello');
    expect(asked).toEqual([`CONNECT upstream.invalid:${port}`]);
  });

  it('that is not there is named, without its password, and not the upstream blamed', async () => {
    const { request } = http({ proxies: { httpsProxy: 'http://me:secret@127.0.0.1:1' } });

    const error = await request('https://upstream.invalid/').catch((thrown: BootstrapError) => thrown);

    expect(error).toMatchObject({ code: 'unreachable', hint: expect.stringContaining('the proxy 127.0.0.1:1 of') });
    expect((error as BootstrapError).hint).not.toMatch(/secret|set HTTPS_PROXY/);
  });

  it.each([
    ['refuses', (socket: Duplex) => socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')],
    ['does not answer', () => {}],
  ])('that %s does not keep anyone waiting', async (_, answer: (socket: Duplex) => void) => {
    const server = createServer().on('connect', (_request, socket) => answer(socket));
    const proxies = { httpsProxy: `http://127.0.0.1:${await listen(server)}` };
    const { request, fetchTo } = http({ proxies, settings: { connectTimeoutMs: 200, stallTimeoutMs: 200 } });
    const url = 'https://upstream.invalid/';

    await expect(request(url, { timeoutMs: 200 })).rejects.toMatchObject({ code: 'unreachable' });
    await expect(fetchTo({ url, sha256: '' }, join(await freshFolder(), 'file'))).rejects.toMatchObject({
      code: 'unreachable',
      hint: expect.stringContaining('HTTPS_PROXY'),
    });
  });

  it('is asked for http', async () => {
    const { url, asked } = await proxy();

    const answer = await http({ proxies: { httpProxy: url } }).request('http://upstream.invalid/a');

    expect(text(answer)).toBe('through the proxy');
    expect(asked.join()).toMatch(/upstream\.invalid/);
  });

  it.each(['127.0.0.9', '*', 'x, 127.0.0.9:1'])('is left alone for NO_PROXY=%s', async noProxy => {
    const { url, asked } = await proxy();

    const asking = http({ proxies: { httpProxy: url, noProxy } }).request('http://127.0.0.9:1/a');

    await expect(asking).rejects.toMatchObject({ code: 'unreachable' });
    expect(asked).toEqual([]);
  });

  it('is never asked for what is on this host', async () => {
    const { url, asked } = await proxy();
    const local = await serve((_, response) => response.end('local'));
    const { request } = http({ proxies: { httpProxy: url, httpsProxy: url, noProxy: 'elsewhere' } });

    expect(text(await request(local))).toBe('local');
    expect(text(await request(local.replace('127.0.0.1', 'localhost')))).toBe('local');
    for (const unheard of ['http://[::1]:1/', 'http://169.254.169.254:1/', 'http://[fd00:a9fe:a9fe::1]:1/']) {
      await request(unheard, { timeoutMs: 100 }).catch(() => undefined);
    }
    expect(asked).toEqual([]);
  });

  it('that is no address is an error like any other, and no other proxy is taken from our own environment', async () => {
    const client = http({ proxies: { httpProxy: 'no address' } });

    await expect(client.request('http://upstream.invalid/')).rejects.toMatchObject({ code: 'unreachable' });
    await client.close();
  });
});

describe('a download', () => {
  const content = Buffer.from('x'.repeat(200_000));
  const digest = sha256(content);

  it('is the whole file, for its owner alone, and is told as it comes', async () => {
    const path = join(await freshFolder(), 'file');
    const url = await serve((_, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000));
      setTimeout(() => response.end(content.subarray(1000)), 50);
    });
    const { fetchTo, events } = http();

    await fetchTo({ url: `${url}/cni/plugins.tgz`, sha256: digest.toUpperCase() }, path);

    expect(readFileSync(path).equals(content)).toBe(true);
    const progress = events.filter(event => event.type === 'progress');
    expect(progress.at(0)).toEqual({ type: 'progress', subject: 'plugins.tgz', doneBytes: 1000, totalBytes: 200_000 });
    expect(progress.at(-1)).toMatchObject({ doneBytes: 200_000 });
  });

  it('may lead over redirections, and is called by its first name', async () => {
    const path = join(await freshFolder(), 'file');
    const url = await serve((request, response) => {
      if (request.url === '/blob?id=1') response.end(content);
      else response.writeHead(302, { location: '/blob?id=1' }).end();
    });
    const { fetchTo, events } = http();

    await fetchTo({ url: `${url}/plugins.tgz`, sha256: digest }, path);

    expect(readFileSync(path).equals(content)).toBe(true);
    expect(events.find(event => event.type === 'progress')).toMatchObject({ subject: 'plugins.tgz' });
  });

  it.each<[string, string, RequestListener]>([
    ['has other content', 'checksum-mismatch', (_, response) => response.end('something else')],
    ['is empty', 'checksum-mismatch', (_, response) => response.end()],
    ['is not there', 'upstream-refused', (_, response) => response.writeHead(404).end('no such file')],
    ['is not ready', 'upstream-refused', (_, response) => response.writeHead(503, { 'retry-after': '7' }).end()],
    ['comes in part only', 'upstream-refused', (_, response) => response.writeHead(206).end(content)],
    [
      'is cut short',
      'unreachable',
      (_, response) => {
        response.writeHead(200, { 'content-length': content.length }).write(content.subarray(0, 1000));
        setTimeout(() => response.socket?.destroy(), 50);
      },
    ],
    [
      'stands still',
      'unreachable',
      (_, response) => response.writeHead(200, { 'content-length': content.length }).write('x'),
    ],
  ])('that %s leaves nothing behind', async (_, code, listener) => {
    const folder = await freshFolder();
    const url = await serve(listener);
    const { fetchTo } = http({ settings: { stallTimeoutMs: 300 } });

    await expect(fetchTo({ url, sha256: digest }, join(folder, 'file'))).rejects.toMatchObject({ code });

    expect(await readdir(folder)).toEqual([]);
  });

  it('says what was expected and what came', async () => {
    const url = await serve((_, response) => response.end('something else'));

    const fetching = http().fetchTo({ url, sha256: digest }, join(await freshFolder(), 'file'));

    await expect(fetching).rejects.toMatchObject({
      message: `${url} is not what it should be`,
      detail: `expected sha256 ${digest}\nreceived sha256 ${sha256('something else')} (14 bytes)`,
    });
  });

  it('carries the status and when to come back', async () => {
    const url = await serve((_, response) => response.writeHead(503, { 'retry-after': '7' }).end());

    const fetching = http().fetchTo({ url, sha256: digest }, join(await freshFolder(), 'file'));

    await expect(fetching).rejects.toMatchObject({ cause: { status: 503, retryAfterSeconds: 7 } });
  });

  it('takes the place of what a crash left there', async () => {
    const path = join(await freshFolder(), 'file');
    await writeFile(path, 'y'.repeat(300_000));
    const url = await serve((_, response) => response.end(content));

    await http().fetchTo({ url, sha256: digest }, path);

    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it.skipIf(!mayMount)('that does not fit is a matter of the disk, not of the server', async () => {
    const folder = mountedTmpfs('64k');
    const url = await serve((_, response) => response.end(content));

    await expect(http().fetchTo({ url, sha256: digest }, join(folder, 'file'))).rejects.toMatchObject({
      code: 'disk-full',
    });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('the end', () => {
  it('breaks off what still goes on, so that a second Ctrl-C need not wait for a slow server', async () => {
    const silent = await serve(() => {});
    const client = http();
    const asking = expect(client.request(silent)).rejects.toMatchObject({ code: 'unreachable' });
    await new Promise(resolve => setTimeout(resolve, 100));

    await client.close();

    await asking;
  });
});

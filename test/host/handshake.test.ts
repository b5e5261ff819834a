import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket, type TLSSocketOptions } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { handshake } from '../../src/host/handshake.ts';
import { makeAuthority } from '../support/certificates.ts';

const cluster = makeAuthority(['DNS:server.global.nomad']);
const stranger = makeAuthority(['DNS:server.global.nomad']);
const preamble = 0x04;
const own = cluster.server;

/** A port as the agents have it: the first byte tells what follows. Resolves with its number. */
async function serve(options: TLSSocketOptions | undefined): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('readable', () => {
      const [first] = (socket.read(1) as Buffer | null) ?? [];
      if (first !== preamble) return void socket.destroy();
      if (options === undefined) return void socket.write('what?');
      new TLSSocket(socket, { isServer: true, ...options }).on('error', () => {});
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function shake(
  port: number,
  { serverName = 'server.global.nomad', show = true, timeoutMs = 3000, serverOnly = false } = {},
) {
  const certificate = show ? own : {};
  return handshake('127.0.0.1', port, { preamble, ca: cluster.ca, serverName, timeoutMs, serverOnly, ...certificate });
}

const mutual = { ...cluster.server, ca: cluster.ca, requestCert: true, rejectUnauthorized: true };

// What a server says to a certificate of another authority is not shown here: Node's servers judge it after the handshake, Go's within.
describe.each([
  ['that speaks all versions of TLS', {}],
  ['that speaks nothing older than TLS 1.3', { minVersion: 'TLSv1.3' }],
  ['that speaks nothing newer than TLS 1.2', { maxVersion: 'TLSv1.2' }],
] as const)('a server %s', (_, versions) => {
  const context = (options: object) => ({
    ...options,
    secureContext: createSecureContext({ ...mutual, ...options, ...versions }),
  });

  it('accepts a certificate of the cluster, and refuses whoever has none', async () => {
    const port = await serve(context(mutual));

    expect(await shake(port)).toBe('accepted');
    expect(await shake(port, { show: false })).toBe('refused');
  });

  it('that asks for no certificate accepts whoever has none', async () => {
    const port = await serve(context({ ...mutual, requestCert: false, rejectUnauthorized: false }));

    expect(await shake(port, { show: false })).toBe('accepted');
  });

  it('of another authority or name is foreign', async () => {
    const port = await serve(context({ ...mutual, ...stranger.server }));

    expect(await shake(port)).toBe('foreign');
    expect(await shake(await serve(context(mutual)), { serverName: 'server.east.nomad' })).toBe('foreign');
  });
});

it('a server that wants a certificate is known by its own also to whoever has none to show', async () => {
  const secureContext = createSecureContext(mutual);
  const ours = await serve({ ...mutual, secureContext });
  const foreign = { ...mutual, ...stranger.server, ca: stranger.ca };
  const theirs = await serve({ ...foreign, secureContext: createSecureContext(foreign) });

  expect(await shake(ours, { show: false, serverOnly: true })).toBe('accepted');
  expect(await shake(theirs, { show: false, serverOnly: true })).toBe('foreign');
  expect(await shake(await serve(undefined), { show: false, serverOnly: true })).toBe('plain');
});

describe('what is no TLS server', () => {
  it('is plain when it says something else, or nothing', async () => {
    expect(await shake(await serve(undefined))).toBe('plain');
    const mute = createServer(() => {});
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    onTestFinished(() => void mute.close());

    expect(await shake((mute.address() as AddressInfo).port, { timeoutMs: 200 })).toBe('plain');
  });

  it('is silent when nobody listens', async () => {
    expect(await shake(1)).toBe('silent');
  });
});

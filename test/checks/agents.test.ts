import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import * as z from 'zod';
import { type Agent, readAgent } from '../../src/checks/agents.ts';
import type { HostReader } from '../../src/core/types.ts';
import { createHttp } from '../../src/host/http.ts';
import { type Certificate, makeAuthority } from '../support/certificates.ts';

const cluster = makeAuthority(['DNS:localhost', 'IP:127.0.0.1']);
const stranger = makeAuthority(['DNS:localhost', 'IP:127.0.0.1']);
const elsewhere = makeAuthority(['DNS:elsewhere.invalid']);

/** What is asked of an agent that really answers like this, as a node of the cluster that `cluster` is the authority of. */
async function ask(server: Server, { secure = false, ca = cluster.ca } = {}): Promise<unknown> {
  const sockets = new Set<Socket>();
  server.on('connection', socket => sockets.add(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { request, close } = createHttp({}, 'test', () => {});
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await close();
  });
  const host = {
    request: (url: string, options: object) => request(url, secure ? { ...options, tls: { ca } } : options),
  } as HostReader;
  const scheme = secure ? 'https' : 'http';
  const agent: Agent = {
    name: 'Nomad',
    unit: 'nomad',
    url: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`,
  };
  return readAgent(host, agent, '/v1/agent/self', z.string()).catch((error: unknown) => error);
}

function tls(certificate: Certificate, options: object = {}): Server {
  return createSecureServer({ ...certificate, ...options }, (_, response) => response.end('"well"'));
}

test.each<[string, () => Server, object, string, RegExp, RegExp]>([
  [
    'a certificate of another authority',
    () => tls(stranger.server),
    { secure: true },
    'agent-silent',
    /cannot be asked over TLS: .*(certificate|verify)/,
    /verify --only certificates/,
  ],
  [
    'a certificate of another name',
    () => tls(elsewhere.server),
    { secure: true, ca: elsewhere.ca },
    'agent-silent',
    /cannot be asked over TLS: .*(altnames|IP)/,
    /tls block/,
  ],
  [
    'plain HTTP where TLS was expected',
    () => createServer((_, response) => response.end('"x"')),
    { secure: true },
    'agent-silent',
    /cannot be asked over TLS: (?!.*\.c:)/,
    /tls block/,
  ],
  [
    'TLS where plain HTTP was expected',
    () => tls(cluster.server),
    {},
    'agent-silent',
    /gave no answer|cannot be read/,
    /ss -ltnp/,
  ],
  [
    'the greeting of another protocol',
    () => createTcpServer(socket => socket.end('SSH-2.0-OpenSSH_9.2\r\n')),
    {},
    'agent-silent',
    /does not speak HTTP/,
    /ss -ltnp/,
  ],
  [
    'nothing, and the end of the connection',
    () => createTcpServer(socket => socket.destroy()),
    {},
    'agent-silent',
    /gave no answer/,
    /ss -ltnp/,
  ],
  [
    'a redirection to itself',
    () => createServer(({ url }, response) => response.writeHead(302, { location: url ?? '' }).end()),
    {},
    'agent-silent',
    /gave no answer to .*: it redirects more than 5 times/,
    /ss -ltnp/,
  ],
  ['a body without end', () => endless(), {}, 'agent-silent', /more than 64 MiB|within 4 s/, /./],
  ['a byte now and then', () => trickle(), {}, 'agent-silent', /did not answer .* within 4 s/, /journalctl/],
])(
  'an agent that answers with %s is a reason and a way on, and keeps nobody waiting',
  async (_, make, options, code, message, hint) => {
    const error = await ask(make(), options);

    expect(error).toMatchObject({ code, message: expect.stringMatching(message), hint: expect.stringMatching(hint) });
  },
  20_000,
);

function endless(): Server {
  const chunk = Buffer.alloc(2 ** 20, ' ');
  const more: RequestListener = (_, response) => {
    const write = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', write);
    write();
  };
  return createServer(more);
}

function trickle(): Server {
  return createServer((_, response) => {
    const timer = setInterval(() => response.write(' '), 100);
    response.on('close', () => clearInterval(timer));
  });
}

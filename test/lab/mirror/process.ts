// The mirror's process: `process.ts SETTINGS.json`, run inside a lab's network namespace. File descriptor 3 is the network
// namespace of the machine, in which the distribution's archive is reached.
import { createReadStream, readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import path from 'node:path';
import { Readable } from 'node:stream';
import { metadataAddress, mirroredHosts, networks } from '../hosts.ts';
import { type Answer, fileAnswer, type Question, redirectAnswer, textAnswer } from './answers.ts';
import { archiveSite } from './archive.ts';
import { linodeApiAnswer } from './linode-api.ts';
import { type MetadataTokens, metadataAnswer } from './metadata.ts';
import type { Fault, LinodeInstance, MetadataAnswer, MirrorControl, MirrorSettings, RequestRecord } from './types.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** How an answer is spoiled on its way out. */
interface Behaviour {
  delayMs: number;
  bytesPerSecond: number;
  stallAt: number;
  cutAt: number;
  corrupt: boolean;
}

const settings = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as MirrorSettings;
const records: Mutable<RequestRecord>[] = [];
const faults = new Map<number, Mutable<Fault>>();
const metadata = new Map<string, MetadataAnswer>();
const tokens: MetadataTokens = new Map();
const archive = archiveSite(settings.archive, `/proc/${process.pid}/fd/3`);
/** The connections under TLS, by the client's port: only there a reset is a reset. */
const connections = new Map<number, Socket>();
let faultsMade = 0;

const control: MirrorControl = {
  requests: () => records,
  forgetRequests: () => {
    records.length = 0;
    return null;
  },
  addFault: fault => {
    faultsMade += 1;
    faults.set(faultsMade, { ...fault });
    return faultsMade;
  },
  removeFault: id => {
    faults.delete(id);
    return null;
  },
  clearFaults: () => {
    faults.clear();
    return null;
  },
  setMetadata: (address, answer) => {
    metadata.set(address, answer);
    return null;
  },
};

function handle(scheme: 'http' | 'https') {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const started = performance.now();
    const record = recordOf(request, (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase(), scheme);
    records.push(record);
    response.once('close', () => {
      record.durationMs = Math.round(performance.now() - started);
    });
    respond(request, response, record).catch((error: unknown) => {
      process.stderr.write(`${record.host}${record.path}: ${error instanceof Error ? error.stack : String(error)}\n`);
      response.destroy();
    });
  };
}

function recordOf(request: IncomingMessage, host: string, scheme: 'http' | 'https' = 'http'): Mutable<RequestRecord> {
  return {
    time: new Date().toISOString(),
    client: request.socket.remoteAddress ?? '',
    method: request.method ?? '',
    scheme,
    host,
    path: request.url ?? '',
    status: 0,
    bytes: 0,
    durationMs: 0,
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  record: Mutable<RequestRecord>,
): Promise<void> {
  const question = understand(request, record);
  if (question === undefined) return send(response, record, textAnswer(400, 'Bad Request\n'), newBehaviour());
  const striking = strikingFaults(question);
  const behaviour = newBehaviour();
  const variants: string[] = [];
  let answer: Answer | undefined;
  for (const fault of striking) {
    switch (fault.kind) {
      case 'status': {
        const retry = fault.retryAfterSeconds === undefined ? {} : { 'retry-after': String(fault.retryAfterSeconds) };
        answer ??= textAnswer(fault.status, `${fault.status}\n`, retry);
        break;
      }
      case 'redirect-loop':
        answer ??= redirectAnswer(302, `${question.scheme}://${question.host}${record.path}`);
        break;
      case 'reset':
        (connections.get(request.socket.remotePort ?? 0) ?? request.socket).resetAndDestroy();
        return;
      case 'stall':
        if (fault.afterBytes === undefined) return; // the connection stays open, and silent
        behaviour.stallAt = fault.afterBytes;
        break;
      case 'truncate':
        behaviour.cutAt = fault.afterBytes;
        break;
      case 'corrupt':
        behaviour.corrupt = true;
        break;
      case 'delay':
        behaviour.delayMs += fault.milliseconds;
        break;
      case 'rate':
        behaviour.bytesPerSecond = Math.min(behaviour.bytesPerSecond, fault.bytesPerSecond);
        break;
      case 'rotated-key':
      case 'wrong-key':
        variants.push(fault.kind);
        break;
    }
  }
  answer ??= await answerFor(question, variants);
  await send(response, record, answer, behaviour);
}

function understand(request: IncomingMessage, record: RequestRecord): Question | undefined {
  let name: string;
  try {
    name = decodeURIComponent((request.url ?? '').replace(/[?#].*$/, ''));
  } catch {
    return undefined;
  }
  if (!name.startsWith('/') || path.posix.normalize(name) !== name) return undefined;
  const question = {
    method: record.method,
    scheme: record.scheme,
    path: name,
    headers: request.headers as Record<string, string | undefined>,
    client: record.client,
  };
  if (record.host !== 'mirror.lab') return { ...question, host: record.host };
  // A private mirror of everything: /<upstream's host>/<path>.
  const [, host = '', ...rest] = name.split('/');
  return { ...question, host, path: `/${rest.join('/')}` };
}

function strikingFaults(question: Question): readonly Fault[] {
  const striking: Fault[] = [];
  for (const [id, fault] of faults) {
    const matches = (fault.host ?? question.host) === question.host && question.path.startsWith(fault.path ?? '/');
    if (!matches) continue;
    striking.push(fault);
    if (fault.times === undefined) continue;
    if (fault.times <= 1) faults.delete(id);
    else fault.times -= 1;
  }
  return striking.reverse(); // the newest decides
}

async function answerFor(question: Question, variants: readonly string[]): Promise<Answer> {
  if (question.method !== 'GET' && question.method !== 'HEAD') return textAnswer(405, 'Method Not Allowed\n');
  if (question.host === 'archive.lab') return archive(question);
  if (question.host === 'api.linode.com') return linodeApiAnswer(question, linodes());
  const root = settings.sites[question.host];
  if (root === undefined) return textAnswer(404, `The lab's mirror does not stand for ${question.host}.\n`);
  const throughMirror = question.headers['host']?.startsWith('mirror.lab') ?? false;
  const production = !throughMirror && !question.host.endsWith('.lab');
  if (question.scheme === 'http' && production) return redirectAnswer(301, `https://${question.host}${question.path}`);
  if (question.host === 'github.com' && production && fileAnswer([root], question).status === 200) {
    return redirectAnswer(302, `https://release-assets.githubusercontent.com${question.path}`); // as GitHub does
  }
  const replaced = variants.flatMap(variant => settings.variants[variant]?.[question.host] ?? []);
  return fileAnswer([...replaced, root], question);
}

/** The account's Linodes: every node that is one. */
function linodes(): readonly LinodeInstance[] {
  return [...metadata.values()].flatMap(answer => (answer.kind === 'linode' ? [answer.instance] : []));
}

function newBehaviour(): Behaviour {
  const never = Number.POSITIVE_INFINITY;
  return { delayMs: 0, bytesPerSecond: never, stallAt: never, cutAt: never, corrupt: false };
}

async function send(
  response: ServerResponse,
  record: Mutable<RequestRecord>,
  answer: Answer,
  behaviour: Behaviour,
): Promise<void> {
  if (behaviour.delayMs > 0) await sleep(behaviour.delayMs);
  const size = typeof answer.body === 'string' ? Buffer.byteLength(answer.body) : answer.body.size;
  const headers: Record<string, string> = { ...answer.headers };
  if (answer.status !== 304) headers['content-length'] = String(size);
  response.writeHead(answer.status, headers);
  record.status = answer.status;
  response.flushHeaders();
  if (record.method === 'HEAD' || size === 0) {
    response.end();
    return;
  }
  const source =
    typeof answer.body === 'string' ? Readable.from([Buffer.from(answer.body)]) : createReadStream(answer.body.file);
  const spoilt = behaviour.corrupt ? Math.floor(size / 2) : -1;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    if (response.destroyed) return;
    const start = record.bytes;
    if (spoilt >= start && spoilt < start + chunk.length) chunk[spoilt - start] = (chunk[spoilt - start] ?? 0) ^ 0xff;
    const end = Math.min(start + chunk.length, behaviour.stallAt, behaviour.cutAt);
    await write(response, record, chunk.subarray(0, end - start), behaviour.bytesPerSecond);
    if (end === behaviour.stallAt) return;
    if (end === behaviour.cutAt) {
      await new Promise(resolve => response.write('', resolve)); // what was sent shall arrive
      response.destroy();
      return;
    }
  }
  response.end();
}

async function write(
  response: ServerResponse,
  record: Mutable<RequestRecord>,
  data: Buffer,
  bytesPerSecond: number,
): Promise<void> {
  const piece = Number.isFinite(bytesPerSecond) ? Math.max(1, Math.floor(bytesPerSecond / 20)) : data.length || 1;
  for (let offset = 0; offset < data.length && !response.destroyed; offset += piece) {
    const part = data.subarray(offset, offset + piece);
    const drained = response.write(part);
    record.bytes += part.length;
    if (Number.isFinite(bytesPerSecond)) await sleep((part.length / bytesPerSecond) * 1000);
    else if (!drained) {
      await new Promise<void>(resolve => {
        const proceed = () => {
          response.off('drain', proceed);
          response.off('close', proceed);
          resolve();
        };
        response.once('drain', proceed);
        response.once('close', proceed);
      });
    }
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds));
}

const metadataServer = createHttpServer((request, response) => {
  const client = request.socket.remoteAddress ?? '';
  const answer = metadata.get(client);
  const record = recordOf(request, metadataAddress);
  records.push(record);
  const question = understand(request, record);
  if (question === undefined || answer?.kind !== 'linode') return;
  const behaviour = { ...newBehaviour(), delayMs: answer.delayMs ?? 0 };
  void send(response, record, metadataAnswer(question, answer.instance, tokens), behaviour);
});

/** Decides per connection, since a node without the service must not even get through. */
function admit(socket: Socket): void {
  const answer = metadata.get(socket.remoteAddress ?? '') ?? { kind: 'absent' };
  if (answer.kind === 'absent') socket.resetAndDestroy();
  else metadataServer.emit('connection', socket);
}

/** A proxy for everything that the mirror stands for. Faults of the host `proxy` strike it. */
const proxyServer = createHttpServer((request, response) => {
  const [, host = '', file = '/'] = /^http:\/\/([^/]+)(\/.*)?$/.exec(request.url ?? '') ?? [];
  request.headers.host = host;
  request.url = file;
  handle('http')(request, response);
});
proxyServer.on('connect', (request: IncomingMessage, client: Socket) => {
  const [host = '', port = '443'] = (request.url ?? '').split(':');
  const answer = { ...recordOf(request, host), method: 'CONNECT' };
  records.push(answer);
  client.on('error', () => client.destroy());
  const [fault] = strikingFaults({
    method: 'CONNECT',
    scheme: 'http',
    host: 'proxy',
    path: '/',
    headers: {},
    client: '',
  });
  const status = fault?.kind === 'status' ? fault.status : mirroredHosts.includes(host) ? 200 : 502;
  answer.status = status;
  client.write(`HTTP/1.1 ${status} ${status === 200 ? 'Connection established' : 'No'}\r\n\r\n`);
  if (status !== 200) {
    client.end();
    return;
  }
  const tunnel = connect(Number(port), networks.public.gateway);
  tunnel.on('error', () => client.destroy());
  client.pipe(tunnel).pipe(client);
});

const controlServer = createHttpServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const [method, args] = JSON.parse(Buffer.concat(chunks).toString()) as [keyof MirrorControl, never[]];
    const call = control[method] as (...args: never[]) => unknown;
    response.end(JSON.stringify(call(...args)));
  });
});

const certificate = {
  cert: readFileSync(path.join(settings.certificates, 'server.crt')),
  key: readFileSync(path.join(settings.certificates, 'server.key')),
};
const { gateway } = networks.public;
const httpsServer = createHttpsServer(certificate, handle('https')).on('connection', (socket: Socket) => {
  const port = socket.remotePort ?? 0;
  connections.set(port, socket);
  socket.once('close', () => connections.delete(port));
});
const listening = [
  createHttpServer(handle('http')).listen(80, gateway),
  httpsServer.listen(443, gateway),
  createTcpServer(admit).listen(80, metadataAddress),
  proxyServer.listen(3128, gateway),
];
await Promise.all(listening.map(server => new Promise(resolve => server.once('listening', resolve))));
controlServer.listen(settings.socket); // last: whoever reaches it finds the rest ready

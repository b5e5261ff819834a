import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Dispatcher } from 'undici';
import { BootstrapError, type Obstacle } from '../core/errors.ts';
import { refused } from '../core/retry.ts';
import type {
  Event,
  HttpResponse,
  MutatingRequestOptions,
  Path,
  Pinned,
  RequestOptions,
  TlsOptions,
} from '../core/types.ts';
import { createAnew, writing } from './files.ts';

/**
 * Speaks HTTP: the only file that uses undici, which is loaded at the first request. A `file:` address is answered like a server's: a
 * mirror may be a folder of this machine.
 */
export interface Http {
  request(url: string, options?: RequestOptions | MutatingRequestOptions): Promise<HttpResponse>;
  /** Streams the body to `path` and throws `checksum-mismatch`, leaving nothing, when it is not what it should be. */
  fetchTo(source: Pinned, path: Path): Promise<void>;
  close(): Promise<void>;
}

export interface HttpProxies {
  readonly httpProxy?: string | undefined;
  readonly httpsProxy?: string | undefined;
  readonly noProxy?: string | undefined;
}

/** What a test may want otherwise. */
export interface HttpSettings {
  readonly connectTimeoutMs: number;
  /** A download may take long, but not stand still. */
  readonly stallTimeoutMs: number;
  /** Where the host keeps the authorities that its operator trusts, in PEM; those that are not there are left out. */
  readonly authorities: readonly Path[];
}

const usualSettings: HttpSettings = {
  connectTimeoutMs: 10_000,
  stallTimeoutMs: 30_000,
  // Debian's, and Red Hat's.
  authorities: ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'],
};
/** For a whole exchange, where its caller does not say. */
const usualTimeoutMs = 10_000;
/** Of an answer that is kept in memory. */
const mostBytes = 64 * 2 ** 20;
const maxRedirections = 5;
/** The agents on this host, and its metadata service, are never asked through a proxy. */
const neverProxied = ['localhost', '127.0.0.1', '::1', '169.254.169.254', 'fd00:a9fe:a9fe::1'];

export function createHttp(
  proxies: HttpProxies,
  userAgent: string,
  report: (event: Event) => void,
  settings: HttpSettings = usualSettings,
): Http {
  const dispatchers = new Map<string, Promise<Dispatcher>>();

  /** One dispatcher for each way of connecting, so that connections are kept and the authorities are read once. */
  function dispatcherFor(url: string, options: RequestOptions): Promise<Dispatcher> {
    const secure = url.startsWith('https:');
    const key = JSON.stringify([options.socketPath, secure, secure && options.tls]);
    const known = dispatchers.get(key) ?? makeDispatcher(secure, options);
    dispatchers.set(key, known);
    return known;
  }

  async function makeDispatcher(secure: boolean, { socketPath, tls }: RequestOptions): Promise<Dispatcher> {
    const { Agent, EnvHttpProxyAgent } = await import('undici');
    const timeouts = { headersTimeout: settings.stallTimeoutMs, bodyTimeout: settings.stallTimeoutMs };
    const connect = {
      timeout: settings.connectTimeoutMs,
      ...(socketPath === undefined ? {} : { socketPath }),
      ...(secure ? await tlsSettings(tls ?? {}, settings.authorities) : {}),
    };
    if (socketPath !== undefined) return new Agent({ connect, ...timeouts });
    const { httpProxy = '', httpsProxy = '', noProxy } = proxies;
    const throughTls = [httpProxy, httpsProxy].some(proxy => proxy.startsWith('https:'));
    return new EnvHttpProxyAgent({
      connect,
      requestTls: connect,
      ...(throughTls ? { proxyTls: await tlsSettings({}, settings.authorities) } : {}),
      ...timeouts,
      httpProxy,
      httpsProxy,
      noProxy: [...(noProxy ? [noProxy] : []), ...neverProxied].join(','),
    });
  }

  async function exchange<T>(
    url: string,
    options: RequestOptions | MutatingRequestOptions,
    consume: (response: Dispatcher.ResponseData) => Promise<T>,
  ): Promise<T> {
    const method = 'method' in options ? options.method : 'GET';
    const limitMs = options.timeoutMs ?? settings.connectTimeoutMs + settings.stallTimeoutMs;
    const startedAt = performance.now();
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(timeIsOver()), limitMs);
    let status: number | undefined;
    try {
      const { origin, pathname, search } = new URL(url);
      const dispatcher = await dispatcherFor(url, options);
      const asked = dispatcher.request({
        origin,
        path: `${pathname}${search}`,
        method,
        headers: { 'user-agent': userAgent, ...options.headers },
        ...('body' in options && options.body !== undefined ? { body: options.body } : {}),
        signal: limit.signal,
      });
      // undici heeds no limit of its own while a proxy does not answer.
      const response = await Promise.race([asked, rejectedBy(limit.signal)]);
      if (options.timeoutMs === undefined) clearTimeout(timer);
      status = response.statusCode;
      return await consume(response);
    } catch (error) {
      if (error instanceof BootstrapError) throw error;
      const proxy = options.socketPath === undefined ? proxyOf(url, proxies) : undefined;
      throw unreachable(url, limit.signal.aborted ? limit.signal.reason : error, limitMs, settings, proxy);
    } finally {
      clearTimeout(timer);
      const durationMs = Math.round(performance.now() - startedAt);
      report({ type: 'request', method, url, durationMs, ...(status === undefined ? {} : { status }) });
    }
  }

  /** Follows redirections of a GET, each by its own way of connecting. */
  async function follow<T>(
    url: string,
    options: RequestOptions | MutatingRequestOptions,
    consume: (response: Dispatcher.ResponseData) => Promise<T>,
  ): Promise<T> {
    const endsAt = performance.now() + (options.timeoutMs ?? 0);
    let current = url;
    let headers = options.headers ?? {};
    for (let hops = 0; hops <= maxRedirections; hops += 1) {
      const remaining = hops === 0 || options.timeoutMs === undefined ? {} : { timeoutMs: timeLeft(endsAt) };
      const answer = await exchange(current, { ...options, ...remaining, headers }, async response => {
        const location = 'method' in options ? undefined : redirection(current, response);
        if (location === undefined) return { value: await consume(response) };
        await response.body.dump();
        return { location };
      });
      if ('value' in answer) return answer.value;
      // What was meant for one server, a token say, is nothing for another.
      if (new URL(answer.location).origin !== new URL(current).origin) headers = {};
      current = answer.location;
    }
    const reason = `redirects more than ${maxRedirections} times`;
    throw new BootstrapError('upstream-refused', `${url} ${reason}`, {
      cause: { obstacle: 'other', reason: `it ${reason}` } satisfies Obstacle,
      hint: 'a proxy or mirror in between may be configured to redirect in a circle: ask it with curl -IL, or name a mirror that answers with --mirror URL',
    });
  }

  return {
    async request(url, options = {}) {
      if (url.startsWith('file:')) return answerOfFile(url, await readPlace(url));
      return follow(url, { timeoutMs: usualTimeoutMs, ...options }, async response => ({
        status: response.statusCode,
        headers: flatten(response.headers),
        body: await readBody(url, response.body),
      }));
    },
    async fetchTo(source, path) {
      try {
        const { digest, sizeBytes } = await (source.url.startsWith('file:')
          ? copy(source.url, path)
          : follow(source.url, {}, response => store(source.url, response, path)));
        if (digest === source.sha256.toLowerCase()) return;
        throw new BootstrapError('checksum-mismatch', `${source.url} is not what it should be`, {
          detail: `expected sha256 ${source.sha256}\nreceived sha256 ${digest} (${sizeBytes} bytes)`,
          hint: 'try again later; a mirror that carries another build needs its digest told with --cni-sha256',
        });
      } catch (error) {
        await rm(path, { force: true });
        throw error;
      }
    },
    async close() {
      await Promise.allSettled(Array.from(dispatchers.values(), async dispatcher => (await dispatcher).destroy()));
    },
  };

  /** Writes a body to the disk as it comes. */
  async function store(url: string, response: Dispatcher.ResponseData, path: Path) {
    if (response.statusCode !== 200) {
      await response.body.dump();
      throw refused(url, { status: response.statusCode, headers: flatten(response.headers) });
    }
    const announced = Number(response.headers['content-length'] ?? Number.NaN);
    return save(url, response.body as AsyncIterable<Uint8Array>, announced, path);
  }

  async function copy(url: string, path: Path) {
    const place = await readPlace(url);
    if (place === undefined) throw refused(url, { status: 404, headers: {} });
    return save(url, createReadStream(place.path) as AsyncIterable<Uint8Array>, place.sizeBytes, path);
  }

  async function save(url: string, body: AsyncIterable<Uint8Array>, announced: number, path: Path) {
    const totalBytes = Number.isFinite(announced) ? { totalBytes: announced } : {};
    const subject = new URL(url).pathname.split('/').at(-1) ?? url;
    const hash = createHash('sha256');
    let doneBytes = 0;
    const file = await writing(path, () => createAnew(path));
    try {
      for await (const chunk of body) {
        hash.update(chunk);
        await writing(path, () => file.writeFile(chunk));
        doneBytes += chunk.length;
        report({ type: 'progress', subject, doneBytes, ...totalBytes });
      }
      await writing(path, () => file.sync());
    } finally {
      await file.close();
    }
    return { digest: hash.digest('hex'), sizeBytes: doneBytes };
  }
}

/** The file that a `file:` address names; `undefined` where there is none. */
async function readPlace(url: string): Promise<{ readonly path: Path; readonly sizeBytes: number } | undefined> {
  const path = fileURLToPath(url);
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? { path, sizeBytes: found.size } : undefined;
}

async function answerOfFile(url: string, place: { readonly path: Path } | undefined): Promise<HttpResponse> {
  if (place === undefined) return { status: 404, headers: {}, body: new Uint8Array() };
  try {
    return { status: 200, headers: {}, body: await readFile(place.path) };
  } catch (error) {
    throw new BootstrapError('unreachable', `${url} could not be read: ${(error as Error).message}`, {
      hint: 'let this user read the folder that --mirror names',
      cause: error,
    });
  }
}

/** A body without end must not fill the machine's memory. */
async function readBody(url: string, body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    if (sizeBytes > mostBytes) {
      const reason = `the answer has more than ${mostBytes / 2 ** 20} MiB`;
      throw new BootstrapError('unreachable', `${url} could not be read: ${reason}`, {
        hint: 'see what answers at this address: it is no server of packages and no agent',
        cause: { obstacle: 'other', reason } satisfies Obstacle,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function timeIsOver(): DOMException {
  return new DOMException('time is over', 'TimeoutError');
}

function timeLeft(endsAt: number): number {
  return Math.max(1, Math.round(endsAt - performance.now()));
}

/** Where an answer sends its reader. */
function redirection(url: string, { statusCode, headers }: Dispatcher.ResponseData): string | undefined {
  const { location } = headers;
  if (![301, 302, 303, 307, 308].includes(statusCode) || typeof location !== 'string') return undefined;
  return URL.canParse(location, url) ? new URL(location, url).href : undefined;
}

/**
 * Node trusts its own list of authorities; a mirror, a proxy that inspects TLS and a laboratory are in the host's. Made
 * once for all connections: reading all those certificates takes 20 ms.
 */
async function tlsSettings({ ca, cert, key, serverName }: TlsOptions, authorities: readonly Path[]) {
  const { createSecureContext, rootCertificates } = await import('node:tls');
  const secureContext = createSecureContext({
    ca: ca ?? [...rootCertificates, ...(await readEach(authorities))],
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  });
  return { secureContext, ...(serverName === undefined ? {} : { servername: serverName }) };
}

async function readEach(paths: readonly Path[]): Promise<readonly string[]> {
  const contents = await Promise.all(paths.map(path => readFile(path, 'utf8').catch(() => undefined)));
  return contents.filter(content => content !== undefined);
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}

const certificateCodes = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/;

/** The library's limits, in words. */
function limits({ connectTimeoutMs, stallTimeoutMs }: HttpSettings): Readonly<Record<string, string>> {
  return {
    UND_ERR_CONNECT_TIMEOUT: `no connection within ${connectTimeoutMs / 1000} s`,
    UND_ERR_HEADERS_TIMEOUT: `no answer within ${stallTimeoutMs / 1000} s`,
    UND_ERR_BODY_TIMEOUT: `no more of it within ${stallTimeoutMs / 1000} s`,
  };
}

/** Where a proxy is set for an address, HOST:PORT of it: whether NO_PROXY leaves it out is the library's to know. */
function proxyOf(url: string, { httpProxy, httpsProxy }: HttpProxies): string | undefined {
  const { hostname, protocol } = new URL(url);
  const proxy = (protocol === 'https:' ? httpsProxy : undefined) || httpProxy || '';
  const reaches = URL.canParse(proxy) && !neverProxied.includes(hostname.replace(/^\[|\]$/g, ''));
  return reaches ? new URL(proxy).host : undefined;
}

function unreachable(
  url: string,
  error: unknown,
  limitMs: number,
  settings: HttpSettings,
  proxy: string | undefined,
): BootstrapError {
  const found = obstacleIn(error, limitMs, settings);
  const { code = '', message = '' } = causeOf(error);
  const hint = /Proxy response|\(407\)/.test(message)
    ? 'the proxy refuses: set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT, or name what needs no proxy in NO_PROXY'
    : certificateCodes.test(code)
      ? "check this machine's clock (date); if a mirror or proxy of yours signs with its own authority, add that to the system's trust store"
      : proxy !== undefined
        ? `see that the proxy ${proxy} of HTTPS_PROXY and HTTP_PROXY answers, or name what needs none in NO_PROXY; without internet name a mirror that this machine can reach with --mirror URL`
        : 'check the address, the DNS and the firewall of this machine; behind a proxy set HTTPS_PROXY; without internet name a mirror that this machine can reach with --mirror URL';
  return new BootstrapError('unreachable', `${url} could not be reached: ${found.reason}`, { hint, cause: found });
}

function causeOf(error: unknown): Partial<NodeJS.ErrnoException> & { readonly reason?: string } {
  return ((error as { cause?: unknown }).cause ?? error) as NodeJS.ErrnoException;
}

function obstacleIn(error: unknown, limitMs: number, settings: HttpSettings): Obstacle {
  const { code = '', name, message = '', reason } = causeOf(error);
  const obstacle = (kind: Obstacle['obstacle'], words: string): Obstacle => ({
    obstacle: kind,
    reason: words,
    cause: error,
  });
  if (name === 'TimeoutError') return obstacle('late', `no answer within ${limitMs / 1000} s`);
  const late = limits(settings)[code];
  if (late !== undefined) return obstacle('late', late);
  if (certificateCodes.test(code)) return obstacle('tls', message || code);
  // OpenSSL's message is full of its own file names: `...:SSL routines:function:reason:file:line:`.
  const opensslReason = /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1];
  if (/^EPROTO$|^ERR_SSL/.test(code)) return obstacle('tls', reason ?? opensslReason ?? message);
  if (name === 'HTTPParserError') return obstacle('other', 'what answers does not speak HTTP');
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return obstacle('nobody', message || code);
  return obstacle('other', message || code);
}

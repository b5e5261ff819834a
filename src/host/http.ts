import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import tls from 'node:tls';
import type { Dispatcher } from 'undici';
import { BootstrapError } from '../core/errors.ts';
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

/** Speaks HTTP: the only file that uses undici, which is loaded at the first request. */
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

/** Where the supported distributions keep the authorities that the operator trusts. */
const systemAuthorities = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt'];
const connectTimeoutMs = 10_000;
/** A download may take long, but not stand still. */
const stallTimeoutMs = 30_000;
const maxRedirections = 5;

export function createHttp(proxies: HttpProxies, userAgent: string, report: (event: Event) => void): Http {
  const dispatchers = new Map<string, Promise<Dispatcher>>();

  /** One dispatcher for each way of connecting, so that connections are kept and the authorities are read once. */
  function dispatcherFor(url: string, options: RequestOptions): Promise<Dispatcher> {
    const key =
      url.startsWith('https:') || options.tls
        ? `tls ${JSON.stringify(options.tls ?? {})}`
        : `plain ${options.socketPath ?? ''}`;
    const known = dispatchers.get(key) ?? makeDispatcher(key.startsWith('tls'), options);
    dispatchers.set(key, known);
    return known;
  }

  async function makeDispatcher(secure: boolean, options: RequestOptions): Promise<Dispatcher> {
    const { Agent, EnvHttpProxyAgent, interceptors } = await import('undici');
    const connect = {
      timeout: connectTimeoutMs,
      ...(options.socketPath === undefined ? {} : { socketPath: options.socketPath }),
      ...(secure ? await tlsSettings(options.tls) : {}),
    };
    const timeouts = { headersTimeout: stallTimeoutMs, bodyTimeout: stallTimeoutMs };
    const agent =
      options.socketPath === undefined
        ? new EnvHttpProxyAgent({
            connect,
            requestTls: connect,
            ...timeouts,
            httpProxy: proxies.httpProxy ?? '',
            httpsProxy: proxies.httpsProxy ?? '',
            // The agents on this host are never asked through a proxy.
            noProxy: [proxies.noProxy, 'localhost', '127.0.0.1', '169.254.169.254', '[fd00:a9fe:a9fe::1]']
              .filter(Boolean)
              .join(','),
          })
        : new Agent({ connect, ...timeouts });
    return agent.compose(interceptors.redirect({ maxRedirections, throwOnMaxRedirect: true }));
  }

  async function exchange<T>(
    url: string,
    options: RequestOptions | MutatingRequestOptions,
    signal: AbortSignal | undefined,
    consume: (response: Dispatcher.ResponseData) => Promise<T>,
  ): Promise<T> {
    const method = 'method' in options ? options.method : 'GET';
    const startedAt = performance.now();
    let status: number | undefined;
    try {
      const { request } = await import('undici');
      const response = await request(url, {
        method,
        dispatcher: await dispatcherFor(url, options),
        headers: { 'user-agent': userAgent, ...options.headers },
        ...('body' in options && options.body !== undefined ? { body: options.body } : {}),
        ...(signal ? { signal } : {}),
      });
      status = response.statusCode;
      return await consume(response);
    } catch (error) {
      if (error instanceof BootstrapError) throw error;
      throw unreachable(url, error);
    } finally {
      const durationMs = Math.round(performance.now() - startedAt);
      report({ type: 'request', method, url, durationMs, ...(status === undefined ? {} : { status }) });
    }
  }

  return {
    request(url, options = {}) {
      return exchange(url, options, AbortSignal.timeout(options.timeoutMs ?? 10_000), async response => ({
        status: response.statusCode,
        headers: flatten(response.headers),
        body: await response.body.bytes(),
      }));
    },
    async fetchTo(source, path) {
      const subject = new URL(source.url).pathname.split('/').at(-1) ?? source.url;
      const hash = createHash('sha256');
      let doneBytes = 0;
      try {
        await exchange(source.url, {}, undefined, async response => {
          if (response.statusCode !== 200) {
            await response.body.dump();
            throw refused(source.url, { status: response.statusCode, headers: flatten(response.headers) });
          }
          const announced = Number(response.headers['content-length'] ?? Number.NaN);
          const totalBytes = Number.isFinite(announced) ? { totalBytes: announced } : {};
          const meter = new Transform({
            transform(chunk: Uint8Array, _encoding, done) {
              hash.update(chunk);
              doneBytes += chunk.length;
              report({ type: 'progress', subject, doneBytes, ...totalBytes });
              done(null, chunk);
            },
          });
          await pipeline(response.body, meter, createWriteStream(path, { mode: 0o600, flush: true }));
        });
        const found = hash.digest('hex');
        if (found !== source.sha256.toLowerCase()) {
          throw new BootstrapError('checksum-mismatch', `${source.url} is not what it should be`, {
            detail: `expected sha256 ${source.sha256}\nreceived sha256 ${found} (${doneBytes} bytes)`,
            hint: 'try again later; a mirror that carries another build needs its digest told with --cni-sha256',
          });
        }
      } catch (error) {
        await rm(path, { force: true });
        throw error;
      }
    },
    async close() {
      for (const dispatcher of dispatchers.values()) await (await dispatcher).destroy();
    },
  };
}

/** Node trusts its own list of authorities; a mirror, a proxy that inspects TLS and a laboratory are in the host's. */
async function tlsSettings(
  options: TlsOptions | undefined,
): Promise<Pick<tls.SecureContextOptions, 'ca' | 'cert' | 'key'> & { servername?: string }> {
  if (options?.ca !== undefined) {
    const { ca, cert, key, serverName } = options;
    return {
      ca,
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
      ...(serverName ? { servername: serverName } : {}),
    };
  }
  const bundles = await Promise.all(systemAuthorities.map(path => readFile(path, 'utf8').catch(() => undefined)));
  return { ca: [...tls.rootCertificates, ...bundles.filter(bundle => bundle !== undefined)] };
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}

const certificateCodes = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/;

function unreachable(url: string, error: unknown): BootstrapError {
  const cause = (error as { cause?: unknown }).cause ?? error;
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const reason = message === '' ? code : message;
  const hint = certificateCodes.test(code)
    ? "if a mirror or proxy of yours signs with its own authority, add it to the system's trust store; otherwise check this machine's clock (date)"
    : 'check the address, the DNS and the firewall of this machine; behind a proxy set HTTPS_PROXY; without internet name a mirror with --mirror URL';
  return new BootstrapError('unreachable', `${url} could not be reached: ${reason}`, { hint, cause: error });
}

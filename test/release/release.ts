import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

/** The names under which a release has its executables. */
export const executableNames = ['nomad-bootstrap-linux-amd64', 'nomad-bootstrap-linux-arm64'] as const;

/** Makes a release folder as `make dist RELEASE_URL=...` does, with this content for every executable. */
export function makeRelease(
  folder: string,
  url: string,
  executable: Buffer,
  names: readonly string[] = executableNames,
): void {
  mkdirSync(folder, { recursive: true });
  const sums: string[] = [];
  const put = (name: string, content: Buffer) => {
    writeFileSync(path.join(folder, name), content);
    sums.push(`${createHash('sha256').update(content).digest('hex')}  ${name}\n`);
  };
  const xz = execFileSync('xz', ['-0', '-T0', '-c'], { input: executable, maxBuffer: 2 ** 30 });
  const gz = gzipSync(executable, { level: 1 });
  for (const name of names) {
    put(name, executable);
    put(`${name}.xz`, xz);
    put(`${name}.gz`, gz);
  }
  writeFileSync(path.join(folder, 'SHA256SUMS'), sums.join(''));
  execFileSync(process.execPath, ['scripts/release.ts', folder, url], { stdio: ['ignore', 'inherit', 'inherit'] });
}

/** A web server over a folder. */
export interface WebServer {
  readonly url: string;
  /** The paths that were asked for so far. */
  readonly requests: string[];
  readonly server: Server;
}

/** Serves what lies in `folder` on loopback, and 404 for the rest. Whatever a proxy is asked for is answered by its path. */
export async function serveFolder(folder: string): Promise<WebServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    const name = path.basename(request.url ?? '');
    try {
      response.end(readFileSync(path.join(folder, name)));
    } catch {
      response.writeHead(404).end('not here\n');
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, server };
}

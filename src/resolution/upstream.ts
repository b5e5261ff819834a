import type { PackagesConfig } from '../config/config.ts';
import { refused, retry } from '../core/retry.ts';
import type { HostReader } from '../core/types.ts';

/** The address of an upstream's file (`apt.releases.hashicorp.com/gpg`), below the mirror where one is set. */
export function upstream(packages: Pick<PackagesConfig, 'mirror'>, hostAndPath: string): string {
  return packages.mirror === undefined ? `https://${hostAndPath}` : `${packages.mirror}/${hostAndPath}`;
}

/**
 * The whole file as `read` makes it of its bytes, or `undefined` when the upstream does not have it (404, 410). Failures
 * that may pass, a body that `read` finds damaged among them, are tried again; after that the error is `unreachable`,
 * `upstream-refused` or `checksum-mismatch` and names the URL.
 */
export async function fetchUpstream<T>(
  host: HostReader,
  url: string,
  read: (body: Uint8Array) => T | Promise<T>,
): Promise<T | undefined> {
  return retry(host, async () => {
    const response = await host.request(url, { timeoutMs: 60_000 });
    if (response.status === 404 || response.status === 410) return undefined;
    if (response.status !== 200) throw refused(url, response);
    return read(response.body);
  });
}

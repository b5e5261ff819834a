import type { PackagesConfig } from '../config/config.ts';
import { refused } from '../core/retry.ts';
import type { HostReader, Path } from '../core/types.ts';
import type { PackageVersion, Resolution } from '../resolution/resolution.ts';
import { fetchUpstream, upstream } from '../resolution/upstream.ts';
import { type PackageManager, pendingPackages } from '../resources/packages.ts';
import type { SigningKey } from '../resources/signing-key.ts';
import { acceptedKeys } from '../versions.ts';

interface KeyOptions {
  readonly manager: PackageManager;
  readonly config: PackagesConfig;
  readonly resolution: Resolution;
  readonly path: Path;
  /** Below `https://` or the mirror. */
  readonly location: string;
}

/** HashiCorp's key for packages, needed as long as an agent is not installed at its version. */
export function hashicorpKey(options: KeyOptions): SigningKey {
  const { nomad, consul } = options.resolution;
  return {
    owner: 'HashiCorp',
    flag: '--hashicorp-key-fingerprint',
    accepted: accepted(acceptedKeys.hashicorp, options.config.hashicorpKeyFingerprints),
    ...commonParts(options, [
      { name: 'nomad', version: nomad.packageVersion },
      { name: 'consul', version: consul.packageVersion },
    ]),
  };
}

/** Docker's key for packages, needed as long as one of its packages is missing. */
export function dockerKey(options: KeyOptions, packages: readonly PackageVersion[]): SigningKey {
  const own = options.manager.id === 'apt' ? acceptedKeys.dockerApt : acceptedKeys.dockerDnf;
  return {
    owner: 'Docker',
    flag: '--docker-key-fingerprint',
    accepted: accepted(own, options.config.dockerKeyFingerprints),
    ...commonParts(options, packages),
  };
}

function commonParts({ manager, config, path, location }: KeyOptions, packages: readonly PackageVersion[]) {
  const url = upstream(config, location);
  return {
    path,
    url,
    needed: async (host: HostReader) => (await pendingPackages(host, manager, packages)).length > 0,
    async download(host: HostReader) {
      const key = await fetchUpstream(host, url, body => body);
      if (key === undefined) throw refused(url, { status: 404, headers: {} });
      return key;
    },
  };
}

function accepted(own: readonly string[], added: readonly string[]): readonly string[] {
  return [...own, ...added.map(fingerprint => fingerprint.replaceAll(/[\s:]/g, '').toUpperCase())];
}

import { mkdir, realpath } from 'node:fs/promises';
import { machine, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { retry } from '../core/retry.ts';
import type { Event, Host, InterfaceAddress } from '../core/types.ts';
import { unpackTarGz } from './archive.ts';
import { createExec } from './exec.ts';
import {
  listDirectory,
  makeDirectory,
  makeSymlink,
  movePath,
  readText,
  readWhole,
  removePath,
  setAttributes,
  spaceAt,
  statPath,
  temporaryPath,
  writeAtomically,
  writing,
} from './files.ts';
import { handshake } from './handshake.ts';
import { createHttp } from './http.ts';
import { inspectHost } from './inspect.ts';
import { readLinodeMetadata } from './linode-metadata.ts';
import { withProxies } from './proxies.ts';

export interface LocalHostOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly version: string;
  readonly report: (event: Event) => void;
  /** Aborted by a signal: sleeps end with its reason. */
  readonly signal: AbortSignal;
}

export interface LocalHost extends Host {
  /** Ends what still runs, programs and downloads: for the second Ctrl-C. False where no program ran. */
  endChildren(): boolean;
  /** Lets go of connections, so that the process can end. */
  close(): Promise<void>;
}

/** The machine that this process runs on. Throws `bad-setting` for a proxy variable that is no address. */
export function createLocalHost(options: LocalHostOptions): LocalHost {
  const { report, signal } = options;
  const environment = withProxies(options.environment);
  const exec = createExec(environment, report);
  const http = createHttp(
    {
      httpProxy: environment['http_proxy'] ?? environment['HTTP_PROXY'],
      httpsProxy: environment['https_proxy'] ?? environment['HTTPS_PROXY'],
      noProxy: environment['no_proxy'] ?? environment['NO_PROXY'],
    },
    `nomad-bootstrap/${options.version}`,
    report,
  );

  const host: LocalHost = {
    query: exec.query,
    run: exec.run,
    waiting: (message, waitedSeconds) => report({ type: 'waiting', message, waitedSeconds }),
    endChildren() {
      const ended = exec.endChildren();
      void http.close();
      return ended;
    },
    close: http.close,
    readFile: readWhole,
    readText,
    list: listDirectory,
    stat: statPath,
    request: http.request,
    send: http.request,
    handshake,
    linodeMetadata: timeoutMs => readLinodeMetadata(http.request, timeoutMs),
    addresses: localAddresses,
    machine,
    space: spaceAt,
    inspect: inspectHost,
    now: () => new Date(),
    sleep: async ms => {
      signal.throwIfAborted();
      await setTimeout(ms, undefined, { signal }).catch((error: unknown) => {
        signal.throwIfAborted();
        throw error;
      });
    },
    writeFile: writeAtomically,
    setAttributes,
    symlink: makeSymlink,
    replace: movePath,
    remove: removePath,
    makeDirectory,
    async download(source, path, attributes) {
      const temporary = temporaryPath(path);
      await retry(host, () => http.fetchTo(source, temporary));
      try {
        // The attributes come before it is seen.
        await setAttributes(temporary, attributes);
        await movePath(temporary, path);
      } catch (error) {
        await removePath(temporary);
        throw error;
      }
    },
    async unpack(archive, directory) {
      // Where the directory really is, so that moving does not lead to another file system.
      const destination = await writing(directory, () => realpath(directory));
      const workplace = temporaryPath(destination);
      const unpacked = join(workplace, 'files');
      await removePath(workplace);
      try {
        await writing(workplace, () => mkdir(unpacked, { recursive: true, mode: 0o700 }));
        const file = join(workplace, 'archive');
        await retry(host, () => http.fetchTo(archive, file));
        const names = await unpackTarGz(file, unpacked);
        for (const name of names) await movePath(join(unpacked, name), join(destination, name));
        return names;
      } finally {
        await removePath(workplace);
      }
    },
  };
  return host;
}

function localAddresses(): readonly InterfaceAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.map(({ address, cidr, family }) => ({
      interface: name,
      address,
      prefixLength: Number(cidr?.split('/')[1] ?? (family === 'IPv4' ? 32 : 128)),
      family: family === 'IPv4' ? (4 as const) : (6 as const),
    })),
  );
}

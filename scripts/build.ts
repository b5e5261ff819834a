// build.ts OUTPUT [amd64|arm64]: makes one executable file of the program and the Node.js that runs it.
import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { bundle } from './bundle.ts';
import { type Architecture, hostArchitecture, prepareRuntime } from './runtime.ts';

const execute = promisify(execFile);
const workspace = '.build';

/** Writes the executable for an architecture. The same sources give the same bytes. */
async function buildExecutable(output: string, architecture: Architecture): Promise<void> {
  const main = `${workspace}/nomad-bootstrap-${architecture}.cjs`;
  await mkdir(workspace, { recursive: true });
  await mkdir(dirname(output), { recursive: true });
  const [executable, assets] = await Promise.all([prepareRuntime(architecture, workspace), assetPaths(), bundle(main)]);
  const unfinished = `${output}.${process.pid}`;
  const configuration = `${workspace}/sea-${architecture}.json`;
  await writeFile(
    configuration,
    JSON.stringify({
      main,
      executable,
      output: unfinished,
      disableExperimentalSEAWarning: true,
      // That signal would open a debugger. And buffers of downloads are kept until the next small collection: with the usual 16 MiB
      // between two of them, a client's bootstrap had 165 MiB in use, with one 120.
      execArgv: ['--disable-sigusr1', '--max-semi-space-size=1'],
      execArgvExtension: 'none', // NODE_OPTIONS must not reach a program that runs as root
      // V8 takes a code cache only on the kind of machine that made it, and warns at every start otherwise.
      useCodeCache: architecture === hostArchitecture(),
      assets: Object.fromEntries(assets.map(path => [path, path])),
    }),
  );
  try {
    // The seed makes the code cache the same on every build; V8 accepts it under any other seed.
    await execute(process.execPath, ['--random-seed=1', '--build-sea', configuration]);
    await rename(unfinished, output);
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function assetPaths(): Promise<string[]> {
  const folders = ['templates', 'systemd'].map(folder => readdir(folder, { recursive: true, withFileTypes: true }));
  const files = (await Promise.all(folders)).flat().filter(file => file.isFile());
  const paths = files.map(file => `${file.parentPath}/${file.name}`);
  // What a release is made with is not part of what it is.
  return paths.filter(path => !path.startsWith('templates/release/')).sort();
}

const [output = 'dist/nomad-bootstrap', architecture = hostArchitecture()] = process.argv.slice(2);
if (architecture !== 'amd64' && architecture !== 'arm64') throw new Error(`amd64 or arm64, not ${architecture}`);
await buildExecutable(output, architecture);

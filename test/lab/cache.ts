import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/**
 * Where the lab keeps what is dear to make (root file systems, packages, keys) and what lives (labs/).
 * NOMAD_BOOTSTRAP_LAB_HOME moves it; the default is ~/.cache/nomad-bootstrap/lab.
 */
export function labHome(): string {
  return process.env['NOMAD_BOOTSTRAP_LAB_HOME'] ?? path.join(homedir(), '.cache', 'nomad-bootstrap', 'lab');
}

/** A short digest that names a cached thing by what it is made of. */
export function recipeDigest(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12);
}

/**
 * Runs `action` while holding the lock file `name`, which excludes other labs on this machine.
 * The kernel frees the lock when this process ends, however it ends.
 */
export async function withLock<T>(name: string, action: () => Promise<T>): Promise<T> {
  const directory = path.join(labHome(), 'locks');
  mkdirSync(directory, { recursive: true });
  // Node has no flock: a flock(1) child holds it until its standard input, our end of a pipe, is closed.
  const holder = spawn('flock', [path.join(directory, `${name}.lock`), 'sh', '-c', 'echo held; cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true, // Ctrl-C must reach it through us, after the cleaning up
  });
  await new Promise<void>((resolve, reject) => {
    holder.stdout.once('data', () => resolve());
    holder.once('error', reject);
    holder.once('exit', code => reject(new Error(`flock ended with ${code} for ${name}`)));
  });
  try {
    return await action();
  } finally {
    const ended = new Promise(resolve => holder.once('exit', resolve));
    holder.stdin.end();
    await ended;
  }
}

/**
 * The directory `<kind>/<name>` of the cache, made by `build` when it is not there yet.
 * `build` fills a staging directory that gets its name only when it is complete, so a half-made one is never used.
 */
export async function madeOnce(kind: string, name: string, build: (staging: string) => Promise<void>): Promise<string> {
  const directory = path.join(labHome(), kind, name);
  if (existsSync(directory)) {
    utimesSync(directory, new Date(), new Date());
    return directory;
  }
  return withLock(`${kind}-${name}`, async () => {
    if (existsSync(directory)) return directory;
    const staging = `${directory}.making`;
    rmSync(staging, { recursive: true, force: true });
    mkdirSync(staging, { recursive: true });
    await build(staging);
    renameSync(staging, directory);
    forgetOld(path.dirname(directory), name);
    return directory;
  });
}

/** Removes what `name` replaces: same prefix up to the recipe's digest, unused for three days (a lab may still run on it). */
function forgetOld(directory: string, name: string): void {
  const prefix = name.slice(0, name.lastIndexOf('-') + 1);
  if (prefix === '') return;
  for (const sibling of readdirSync(directory)) {
    if (!sibling.startsWith(prefix) || sibling === name || sibling.endsWith('.making')) continue;
    const unusedMs = Date.now() - statSync(path.join(directory, sibling)).mtimeMs;
    if (unusedMs > 3 * 24 * 3600 * 1000) rmSync(path.join(directory, sibling), { recursive: true, force: true });
  }
}

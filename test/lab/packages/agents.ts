import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { madeOnce, recipeDigest } from '../cache.ts';
import { runCommand } from '../commands.ts';
import { downloadPackages } from './distribution.ts';

/** A program that the lab packages as an agent. */
export interface Agent {
  readonly name: 'nomad' | 'consul';
  /** The executable on this machine. */
  readonly file: string;
  /** As `<agent> version` says it, without the v and without build metadata: 2.0.5. */
  readonly version: string;
  /** True for the lab's imitation of Nomad, which runs no jobs. Reports that used it say so. */
  readonly standIn: boolean;
  /** True for what the distribution has, where no agent was given: an old release. */
  readonly fallback: boolean;
  /** Changes when the executable does. */
  readonly digest: string;
}

/** Where real agents are looked for: NOMAD_BOOTSTRAP_LAB_AGENTS, else ~/.cache/nomad-bootstrap/agents. */
export function agentsDirectory(): string {
  return process.env['NOMAD_BOOTSTRAP_LAB_AGENTS'] ?? path.join(homedir(), '.cache', 'nomad-bootstrap', 'agents');
}

function given(name: Agent['name']): string | undefined {
  const file = path.join(agentsDirectory(), name);
  return existsSync(file) ? file : undefined;
}

/**
 * Why jobs cannot run and no cluster can have a token here, or undefined where both can: the stand-in for Nomad runs none, and the
 * distribution's old Consul knows none of the keys of its configuration that a token needs.
 */
export function whyNoRealAgents(): string | undefined {
  const missing = (['nomad', 'consul'] as const).filter(name => given(name) === undefined);
  return missing.length === 0 ? undefined : `it needs a real ${missing.join(' and a current ')} (test/lab/README.md)`;
}

/** The agents that the lab's repositories offer: real ones where they are at hand, see test/lab/README.md. */
export async function agents(): Promise<{ readonly nomad: Agent; readonly consul: Agent }> {
  const [nomad, consul] = [given('nomad'), given('consul')];
  return {
    nomad: await inspect('nomad', nomad ?? path.join(import.meta.dirname, 'stand-in-nomad.py'), {
      standIn: nomad === undefined,
    }),
    consul: await inspect('consul', consul ?? (await distributionConsul()), { fallback: consul === undefined }),
  };
}

async function inspect(
  name: Agent['name'],
  file: string,
  origin: Partial<Pick<Agent, 'standIn' | 'fallback'>>,
): Promise<Agent> {
  const { standIn = false, fallback = false } = origin;
  const { stdout } = await runCommand(standIn ? ['python3', file, 'version'] : [file, 'version'], {
    timeoutMs: 30_000,
  });
  const version = /^(?:Nomad|Consul) v(\d+\.\d+\.\d+)/m.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${file} does not say its version: ${stdout}`);
  return { name, file, version, standIn, fallback, digest: contentMark(file) };
}

/** Small files by content, big ones by size and time: hashing 100 MB at every start would be felt. */
function contentMark(file: string): string {
  const { size, mtimeMs } = statSync(file);
  return size < 1_000_000 ? createHash('sha256').update(readFileSync(file)).digest('hex') : `${size}-${mtimeMs}`;
}

/** A real, old Consul: Debian 11 packaged 1.8.7, and it runs on later releases. */
async function distributionConsul(): Promise<string> {
  const directory = await madeOnce('agents', `consul-${recipeDigest('bullseye')}`, async staging => {
    const work = path.join(staging, 'work');
    mkdirSync(work);
    const [deb = ''] = await downloadPackages('bullseye', ['consul'], work);
    await runCommand(['dpkg-deb', '-x', deb, 'unpacked'], { cwd: work });
    copyFileSync(path.join(work, 'unpacked/usr/bin/consul'), path.join(staging, 'consul'));
    await runCommand(['rm', '-rf', work]);
  });
  return path.join(directory, 'consul');
}

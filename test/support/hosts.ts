import { readdirSync, readFileSync } from 'node:fs';
import type { Facts } from '../../src/facts/facts.ts';
import { gatherFacts } from '../../src/facts/gather.ts';
import { type FixtureDescription, fixtureHost } from './fixture-host.ts';

const hosts = new URL('../fixtures/hosts/', import.meta.url);

/** Names of all described hosts: folders of test/fixtures/hosts. */
export const hostNames: readonly string[] = readdirSync(hosts).sort();

/** What a freshly booted host of this name looks like: its os-release, and the rest of it from host.json. */
export function describedHost(name: string): FixtureDescription {
  const folder = new URL(`${name}/`, hosts);
  const description: FixtureDescription = JSON.parse(readFileSync(new URL('host.json', folder), 'utf8'));
  const osRelease = readFileSync(new URL('os-release', folder), 'utf8');
  return { ...description, files: { ...description.files, '/etc/os-release': osRelease } };
}

/** The facts of a described host. */
export function factsOf(name: string): Promise<Facts> {
  return gatherFacts(fixtureHost(describedHost(name)), { metadataTimeoutMs: 60_000 });
}

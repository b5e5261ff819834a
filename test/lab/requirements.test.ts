import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommand } from './commands.ts';
import { whyNoLab } from './lab.ts';

const reason = whyNoLab();
const directory = mkdtempSync(path.join(tmpdir(), 'nomad-bootstrap-requirements-'));
afterAll(() => rmSync(directory, { recursive: true }));

/**
 * Runs a script as on a machine without mmdebstrap, and tells what it called: this machine's /usr/bin is covered, for that script
 * alone, by one where `mmdebstrap` appears only when apt-get (a fake one: the real one would say that it is installed already) installs it.
 */
async function callsWithoutMmdebstrap(script: string): Promise<readonly string[]> {
  const calls = path.join(directory, 'calls');
  writeFileSync(calls, '');
  const program = (name: string, lines: readonly string[]) => {
    writeFileSync(path.join(directory, name), ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 });
  };
  program('mmdebstrap', [`echo mmdebstrap >> ${calls}`, 'exit 1']);
  program('apt-get', [
    'case $1 in update | install) ;; *) exec /usr/bin/real-apt-get "$@" ;; esac',
    `echo "apt-get $1" >> ${calls}`,
    `[ "$1" != install ] || cp ${directory}/mmdebstrap /usr/bin/`,
  ]);
  const cover = [
    `mount -t tmpfs none ${directory}/cover`,
    `mkdir ${directory}/cover/upper ${directory}/cover/work`,
    `mount -t overlay overlay -o lowerdir=/usr/bin,upperdir=${directory}/cover/upper,workdir=${directory}/cover/work /usr/bin`,
    'rm -f /usr/bin/mmdebstrap',
    'mv /usr/bin/apt-get /usr/bin/real-apt-get',
    `cp ${directory}/apt-get /usr/bin/`,
  ];
  await runCommand(
    [
      ...['unshare', '--mount', 'sh', '-ec', `mkdir ${directory}/cover; ${cover.join('; ')}; exec "$@"`, 'sh'],
      ...[process.execPath, '--input-type=module', '-e', script],
    ],
    {
      check: false,
      env: { ...process.env, NOMAD_BOOTSTRAP_LAB_HOME: path.join(directory, 'home') } as Record<string, string>,
    },
  );
  return readFileSync(calls, 'utf8').trimEnd().split('\n');
}

describe.skipIf(reason !== undefined)('what the lab needs of this machine', () => {
  // `make demo` on a fresh machine makes root file systems before it opens its lab.
  it('is installed before a root file system is made, whoever asks for that first', async () => {
    const bases = pathToFileURL(path.join(import.meta.dirname, 'bases.ts')).href;
    const calls = await callsWithoutMmdebstrap(`import { baseFor } from '${bases}'; await baseFor('debian12');`);
    expect(calls.filter(call => call !== 'apt-get update')).toEqual(['apt-get install', 'mmdebstrap']);
  });
});

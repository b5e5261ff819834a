import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Metafile } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { externals } from '../scripts/bundle.ts';
import { withoutLibatomic } from '../scripts/elf.ts';
import { hostArchitecture } from '../scripts/runtime.ts';

const executable = 'dist/nomad-bootstrap';
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };

/** glibc, and what apt and dnf themselves are linked with. */
const alwaysThere = new Set([
  'libc.so.6',
  'libdl.so.2',
  'libm.so.6',
  'libpthread.so.0',
  'libgcc_s.so.1',
  'libstdc++.so.6',
  'ld-linux-x86-64.so.2',
  'ld-linux-aarch64.so.1',
]);

function run(options: readonly string[], env: Record<string, string>) {
  const { status, stdout, stderr } = spawnSync(executable, options, { encoding: 'utf8', env });
  return { status, stdout, stderr };
}

describe('the executable', () => {
  it('says its version in an empty environment, and nothing else', () => {
    const answer = run(['--version'], {});

    expect(answer).toEqual({ status: 0, stdout: expect.stringContaining(version), stderr: '' });
  });

  it('is not reached by NODE_OPTIONS', () => {
    const poison = '--require=/nonexistent/poison.cjs --inspect-brk --max-old-space-size=1';

    const answer = run(['--version'], { NODE_OPTIONS: poison });

    expect(answer).toEqual(run(['--version'], {}));
  });

  it('takes its settings from a pipe, which gives them only once', () => {
    const script = `${executable} token create --config <(echo 'region: emea')`;

    const { stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });

    expect(stdout).toMatch(/^nbserver1\.[0-9a-f]{64}\.\d{8}\.1\.emea\.\./);
  });

  it('takes an option of Node as one of its own, which it does not know', () => {
    const answer = run(['--eval=process.stdout.write("evaluated")', '--version-of-node'], {});

    expect(answer).toMatchObject({ status: 2, stdout: '' });
  });

  it('has no module from outside but those of Node', () => {
    const metafile = JSON.parse(
      readFileSync(`.build/nomad-bootstrap-${hostArchitecture()}.cjs.json`, 'utf8'),
    ) as Metafile;

    const foreign = externals(metafile).filter(name => !name.startsWith('node:') && !process.getBuiltinModule(name));

    expect(foreign).toEqual([]);
    // What undici's own entry would load besides its clients, at every start that asks anything.
    expect(Object.keys(metafile.inputs)).toContain('node_modules/undici/lib/dispatcher/agent.js');
    expect(Object.keys(metafile.inputs)).not.toContain('node_modules/undici/lib/web/fetch/index.js');
  });

  it('needs no library that a host with apt or dnf might lack', () => {
    const dynamic = execFileSync('readelf', ['--wide', '--dynamic', executable], { encoding: 'utf8' });

    const libraries = [...dynamic.matchAll(/Shared library: \[(?<name>[^\]]+)\]/g)].map(
      match => match.groups?.['name'],
    );

    expect(libraries.filter(library => !alwaysThere.has(library ?? ''))).toEqual([]);
    expect(libraries).toContain('libc.so.6');
  });

  // Red Hat 8 and Debian 10 have glibc 2.28 and GCC 8's libstdc++; all that is supported is newer.
  it.each([
    ['GLIBC', [2, 28]],
    ['GLIBCXX', [3, 4, 25]],
  ])('runs with an old %s', (library, newest) => {
    const versions = execFileSync('readelf', ['--wide', '--version-info', executable], { encoding: 'utf8' });

    const needed = [...versions.matchAll(/Name: (?<library>[A-Z]+)_(?<version>[\d.]+)/g)]
      .filter(match => match.groups?.['library'] === library)
      .map(match => (match.groups?.['version'] ?? '').split('.').map(Number));

    expect(needed.length).toBeGreaterThan(0);
    expect(needed.filter(numbers => isNewer(numbers, newest))).toEqual([]);
  });
});

function isNewer(left: readonly number[], right: readonly number[]): boolean {
  const place = left.findIndex((number, index) => number !== (right[index] ?? 0));
  return place >= 0 && (left[place] ?? 0) > (right[place] ?? 0);
}

describe('taking libatomic out of the runtime', () => {
  const official = readFileSync(process.execPath);

  it('changes a few bytes and moves none', () => {
    const freed = withoutLibatomic(official);

    expect(freed.length).toBe(official.length);
    const changed = official.reduce((count, byte, index) => count + Number(byte !== freed[index]), 0);
    expect(changed).toBeGreaterThan(0);
    expect(changed).toBeLessThan(100);
  });

  it('changes nothing where it is already out', () => {
    const freed = withoutLibatomic(official);

    expect(withoutLibatomic(freed).equals(freed)).toBe(true);
  });

  it('refuses a runtime that takes another function from it', () => {
    const other = Buffer.from(official);
    const name = other.indexOf('__atomic_compare_exchange\0');
    other.write('__atomic_compare_something', name, 'latin1');

    expect(() => withoutLibatomic(other)).toThrow('of libatomic');
  });

  it('refuses what is not an executable for a machine that it knows', () => {
    expect(() => withoutLibatomic(Buffer.alloc(64))).toThrow('not a position-dependent ELF executable');
  });
});

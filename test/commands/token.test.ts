import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testClientToken, testServerToken, vectors } from '../token/vectors.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'token-test-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function token(words: readonly string[], environment: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync('dist/nomad-bootstrap', ['token', ...words], {
    encoding: 'utf8',
    env: environment,
    input: '',
  });
  return { status, stdout, stderr };
}

function tokenFile(content: string, mode = 0o600): string {
  const path = join(folder, String(Math.random()));
  writeFileSync(path, content, { mode });
  return path;
}

describe('the token command', () => {
  it('makes a server token that it can read, and prints nothing else', () => {
    const created = token(['create', '--datacenter', 'dc-us-east-1', '--region', 'eu']);

    expect(created).toMatchObject({ status: 0, stderr: '' });
    expect(created.stdout).toMatch(/^nbserver1\.[0-9a-f]{64}\.\d{8}\.1\.eu\.dc-us-east-1\.[0-9a-f]{8}\n$/);
    expect(token(['show', '--kind', 'nomad-management'], { NOMAD_BOOTSTRAP_TOKEN: created.stdout }).stdout).toMatch(
      /^[0-9a-f-]{36}\n$/,
    );
  });

  it('makes the client token of a server token, from a file or from the variable', () => {
    const expected = { status: 0, stdout: `${testClientToken}\n`, stderr: '' };

    expect(token(['client', '--token-file', tokenFile(`${testServerToken}\n`)])).toEqual(expected);
    expect(token(['client'], { NOMAD_BOOTSTRAP_TOKEN: testServerToken })).toEqual(expected);
  });

  it.each(['nomad-management', 'consul-management'] as const)('shows the token %s', kind => {
    const [, secret] = vectors.ids[kind];

    expect(token(['show', '--kind', kind], { NOMAD_BOOTSTRAP_TOKEN: testServerToken }).stdout).toBe(`${secret}\n`);
  });

  it('warns of a file that everyone can read', () => {
    expect(token(['client', '--token-file', tokenFile(testServerToken, 0o644)]).stderr).toContain('chmod 600');
  });

  it.each([
    ['no token at all', ['client'], {}, 'needs the server token'],
    [
      'a client token where a server token belongs',
      ['client'],
      { NOMAD_BOOTSTRAP_TOKEN: testClientToken },
      'client token already',
    ],
    [
      'a secret that a client token does not hold',
      ['show', '--kind', 'nomad-management'],
      { NOMAD_BOOTSTRAP_TOKEN: testClientToken },
      'does not hold',
    ],
    ['a file that is not there', ['client', '--token-file', '/nonexistent'], {}, 'cannot be read'],
    ['a secret of no kind', ['show'], { NOMAD_BOOTSTRAP_TOKEN: testServerToken }, 'which secret'],
    [
      'a region for a client token',
      ['client', '--region', 'eu'],
      { NOMAD_BOOTSTRAP_TOKEN: testServerToken },
      'does not take --region',
    ],
    ['a word that is no action', ['steal'], {}, 'Invalid values'],
  ])('refuses %s with exit code 2', (_what, words, environment: Record<string, string>, words2) => {
    const answer = token(words, environment);

    expect(answer).toMatchObject({ status: 2, stdout: '' });
    expect(answer.stderr).toContain(words2);
  });

  it('never repeats a token that it cannot read', () => {
    const { stderr } = token(['client'], { NOMAD_BOOTSTRAP_TOKEN: `${testServerToken}0` });

    expect(stderr).toContain('is padded');
    expect(stderr).not.toContain(testServerToken.slice(10, 40));
  });
});

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { clientTokenOf } from '../../src/token/credentials.ts';
import { createServerToken, parseToken, type ServerToken } from '../../src/token/format.ts';
import { testClientToken, testServerToken } from './vectors.ts';

const now = new Date('2026-11-22T23:59:59Z');

function flawOf(text: string): string {
  try {
    parseToken(new Secret(text));
  } catch (error) {
    expect(error).toMatchObject({ code: 'bad-token', exitCode: 2 });
    return (error as Error).message;
  }
  return 'none';
}

describe('a server token', () => {
  it('is read as it was made', () => {
    const token = parseToken(createServerToken(now, { region: 'eu', datacenter: 'dc-us-east-1' }));

    expect(token).toMatchObject({
      kind: 'server',
      createdOn: '2026-11-22',
      epoch: 1,
      region: 'eu',
      datacenter: 'dc-us-east-1',
    });
    expect((token as ServerToken).seed.reveal()).toMatch(/^[0-9a-f]{64}$/);
  });

  it('leaves region and datacenter open where none is given', () => {
    expect(parseToken(createServerToken(now))).toMatchObject({ region: undefined, datacenter: undefined });
  });

  it('differs from every other', () => {
    expect(createServerToken(now).reveal()).not.toBe(createServerToken(now).reveal());
  });

  it("is read the same when Terraform's functions made it", () => {
    // format("nbserver1.%s.%s.1.%s.%s", random_bytes.x.hex, formatdate("YYYYMMDD", time), region, datacenter)
    const body = `nbserver1.${'ab'.repeat(32)}.20261122.1.global.dc1`;
    // format("%s.%s", body, substr(sha256(body), 0, 8))
    const token = `${body}.${createHash('sha256').update(body).digest('hex').substring(0, 8)}`;

    expect(parseToken(new Secret(token))).toMatchObject({
      createdOn: '2026-11-22',
      region: 'global',
      datacenter: 'dc1',
    });
  });

  it('may have white space around it, as files and terminals leave it', () => {
    expect(parseToken(new Secret(`  ${testServerToken}\r\n`))).toMatchObject({ kind: 'server' });
  });
});

describe.each([
  ['server', testServerToken],
  ['client', testClientToken],
])('a %s token that is wrong', (_kind, token) => {
  it('is called mistyped where a character of it is another', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: token.length - 1 }), at => {
        const other = token[at] === 'a' ? 'b' : 'a';
        if (token[at] === '.') return;
        expect(flawOf(token.slice(0, at) + other + token.slice(at + 1))).toMatch(/is mistyped/);
      }),
    );
  });

  it('is called truncated wherever it was cut off', () => {
    for (const length of [3, 9, 10, 30, token.length - 9, token.length - 8, token.length - 1]) {
      expect(flawOf(token.slice(0, length)), `the first ${length}`).toMatch(/is truncated/);
    }
  });

  it.each([
    ['a quote before and behind', `"${token}"`],
    ['its variable', `NOMAD_BOOTSTRAP_TOKEN=${token}`],
    ['more of the same', `${token}${token}`],
    ['a character more', `${token}0`],
    ['another line', `${token}\n# the token of our cluster`],
    ['a line break within it', `${token.slice(0, 40)}\n${token.slice(40)}`],
  ])('is called padded with %s', (_padding, text) => {
    expect(flawOf(text)).toMatch(/is padded/);
  });

  it('is never quoted in the error', () => {
    for (const text of [`${token}0`, token.slice(0, -1), `x${token}`, token.replace('.', '..')]) {
      expect(flawOf(text)).not.toContain(token.slice(10, 30));
    }
  });
});

describe('what is no token', () => {
  it.each([
    ['', 'is empty'],
    ['\n', 'is empty'],
    ['s.5hTZ4bW8rEwJmqnzz7WdNa', 'is no token of nomad-bootstrap'],
    [testServerToken.replace('nbserver1', 'nbserver2'), 'is of a later release'],
    [resealed(testServerToken.replace('.20261122.', '.20260231.')), 'has no day of creation'],
  ])('%j is told as such', (text, flaw) => {
    expect(flawOf(text)).toContain(flaw);
  });
});

describe('a client token', () => {
  it('is the same each time it is made of a server token', async () => {
    const server = parseToken(new Secret(testServerToken)) as ServerToken;

    expect((await clientTokenOf(server)).reveal()).toBe(testClientToken);
  });

  it("holds neither the server token's seed nor what only servers may know", async () => {
    const server = parseToken(new Secret(testServerToken)) as ServerToken;
    const { credentialsOf, secretsOf } = await import('../../src/token/credentials.ts');
    const { authority, nomadGossip, consulManagement, nomadManagement, consulRecovery, tokens } = await credentialsOf(
      server,
    ).then(credentials => (credentials.kind === 'server' ? credentials : expect.fail()));
    const content = Buffer.from(testClientToken.split('.')[1] ?? '', 'base64url').toString();
    const servers = [
      server.seed,
      authority.key,
      nomadGossip,
      consulManagement,
      nomadManagement,
      consulRecovery,
      tokens.nomadVerify.secretId,
      tokens.consul.verify.secretId,
      tokens.consul['server-agent'].secretId,
      tokens.consul['nomad-server'].secretId,
    ];

    for (const secret of servers) expect(content).not.toContain(secret.reveal());
    const own = secretsOf(await credentialsOf(parseToken(new Secret(testClientToken)))).map(secret => secret.reveal());
    expect(servers.filter(secret => own.includes(secret.reveal()))).toEqual([]);
  });

  it('fits into a line of a terminal and a field of a StackScript', () => {
    expect(testClientToken.length).toBeLessThan(4000);
  });
});

function resealed(token: string): string {
  const body = token.slice(0, -9);
  return `${body}.${createHash('sha256').update(body).digest('hex').slice(0, 8)}`;
}

import { describe, expect, it } from 'vitest';
import { clusterCredentials, recordedCredentials } from '../../src/commands/cluster-credentials.ts';
import type { CommandContext } from '../../src/commands/command.ts';
import { Secret } from '../../src/core/secret.ts';
import { createServerToken } from '../../src/token/format.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { testClientToken, testServerToken, vectors } from '../token/vectors.ts';

const otherToken = createServerToken(new Date()).reveal();

interface Situation {
  readonly command?: 'server' | 'client' | 'dev';
  readonly given?: string;
  readonly recorded?: string;
  /** What the node was made as: in an insecure cluster or not. Absent: a fresh node. */
  readonly former?: { readonly insecure: boolean };
  readonly insecure?: boolean;
  /** Whether --insecure stands on this command line. */
  readonly said?: boolean;
  readonly typed?: string;
}

function contextOf({ command = 'server', given, recorded, former, insecure, said, typed }: Situation) {
  const hidden: string[] = [];
  const secret = (text: string | undefined) => (text === undefined ? undefined : new Secret(text));
  const context = {
    command,
    settings: insecure === undefined ? {} : { insecure },
    flags: new Set(said ? ['insecure'] : []),
    host: fixtureHost({}),
    recorded: former && { config: { node: { ...former, role: 'server' } } },
    token: {
      given: secret(given),
      recorded: secret(recorded),
      ask: async () => secret(typed),
      hide: (known: Secret) => hidden.push(known.reveal()),
    },
  } as unknown as CommandContext;
  return { context, hidden };
}

async function outcome(situation: Situation): Promise<string> {
  try {
    const credentials = await clusterCredentials(contextOf(situation).context, situation.command ?? 'server');
    return credentials?.kind ?? 'insecure';
  } catch (error) {
    expect(error).toMatchObject({ exitCode: 2, hint: expect.stringContaining('Nothing was touched') });
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
}

describe('the token of a run', () => {
  it('is refused where it has no place: a node for development makes no cluster', async () => {
    expect(await outcome({ command: 'dev', given: testServerToken })).toBe(
      'wrong-token: dev makes no cluster, and takes no token',
    );
    expect(await outcome({ command: 'dev' })).toBe('insecure');
  });

  it.each<[string, Situation, string]>([
    ['makes a server of a fresh node', { given: testServerToken }, 'server'],
    ['makes a client of a fresh node', { command: 'client', given: testClientToken }, 'client'],
    [
      'is taken from the record by a rerun',
      { recorded: `${testServerToken}\n`, former: { insecure: false } },
      'server',
    ],
    [
      'may be given again',
      { given: `${testServerToken}\n`, recorded: testServerToken, former: { insecure: false } },
      'server',
    ],
    ['is asked for where there is none', { typed: testServerToken }, 'server'],
    ['is not needed where --insecure is said', { insecure: true, said: true }, 'insecure'],
    ['is no token where its field was left empty', { given: ' \n', insecure: true }, 'insecure'],
  ])('%s', async (_what, situation, expected) => {
    expect(await outcome(situation)).toBe(expected);
  });

  it.each<[string, Situation, RegExp]>([
    [
      'a server token on a client',
      { command: 'client', given: testServerToken },
      /^wrong-token: this is a server token/,
    ],
    ['a client token on a server', { given: testClientToken }, /^wrong-token: this is a client token/],
    [
      'another token than the recorded one',
      { given: otherToken, recorded: testServerToken, former: { insecure: false } },
      /^wrong-token: this is not the token/,
    ],
    [
      'a token in a cluster that was made without one',
      { given: testServerToken, former: { insecure: true }, insecure: true },
      /^wrong-token: .* without a token/,
    ],
    [
      '--insecure in a cluster that has a token',
      { recorded: testServerToken, former: { insecure: false }, insecure: true, said: true },
      /^settings-conflict/,
    ],
    ['a token together with --insecure', { given: testServerToken, insecure: true, said: true }, /^bad-usage/],
    [
      'a token together with insecure of a variable or a file',
      { given: testServerToken, insecure: true },
      /^bad-usage/,
    ],
    ['an empty token where one is needed', { given: ' \n' }, /^bad-token: the token is empty/],
    [
      'a mistyped token',
      { given: testServerToken.replace('00010203', '00010204') },
      /^bad-token: the token is mistyped/,
    ],
  ])('refuses %s, and says what to do', async (_what, situation, expected) => {
    expect(await outcome(situation)).toMatch(expected);
  });

  it('shows how a client token is made where a server token was given to a client', async () => {
    await expect(clusterCredentials(contextOf({ given: testServerToken }).context, 'client')).rejects.toMatchObject({
      hint: expect.stringContaining('nomad-bootstrap token client --token-file'),
    });
  });

  it('hides everything that follows from it before it is used', async () => {
    const { context, hidden } = contextOf({ given: testServerToken });
    await clusterCredentials(context, 'server');

    expect(hidden).toEqual(
      expect.arrayContaining([
        testServerToken,
        vectors.nomadGossip,
        vectors.authorityKey,
        vectors.ids['nomad-management'][1],
      ]),
    );
  });

  it('is missed by verify where it was taken away', async () => {
    await expect(recordedCredentials(contextOf({ former: { insecure: false } }).context)).rejects.toMatchObject({
      code: 'wrong-token',
    });
    expect(await recordedCredentials(contextOf({ former: { insecure: true } }).context)).toBeUndefined();
  });
});

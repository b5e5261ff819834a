import { describe, expect, it } from 'vitest';
import type { CommandContext } from '../../src/commands/command.ts';
import { consulEnvironment, recordedConsulEnvironment } from '../../src/commands/consul-environment.ts';
import type { NodeConfig } from '../../src/config/config.ts';
import { Secret } from '../../src/core/secret.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const token = 'testvector0123456789abcdef';
const other = 'testvector9876543210fedcba';
const path = '/etc/consul.d/consul.env';
const searching = { join: [{ search: { tag: 'nomad', addressType: 'private_v4' } }] } as unknown as NodeConfig;
const named = { join: [{ address: '10.0.0.1' }] } as unknown as NodeConfig;

interface Situation {
  readonly given?: string;
  readonly typed?: string;
  /** What Consul's environment is. */
  readonly present?: string;
  readonly former?: NodeConfig;
}

function contextOf({ given, typed, present, former }: Situation) {
  const hidden: string[] = [];
  const secret = (text: string | undefined) => (text === undefined ? undefined : new Secret(text));
  const context = {
    host: fixtureHost({ files: present === undefined ? {} : { [path]: present } }),
    linodeToken: secret(given),
    recorded: former && { config: { node: former } },
    token: { ask: async () => secret(typed), hide: (known: Secret) => hidden.push(known.reveal()) },
  } as unknown as CommandContext;
  return { context, hidden };
}

describe("the token of Linode's API", () => {
  it.each<[string, Situation, string]>([
    ['is taken as it was given', { given: token }, `LINODE_TOKEN=${token}\n`],
    ['is kept by a rerun', { present: `LINODE_TOKEN=${token}\n`, former: searching }, `LINODE_TOKEN=${token}\n`],
    ['is asked for where there is none', { typed: ` ${token}\n` }, `LINODE_TOKEN=${token}\n`],
    ['can be changed', { given: other, present: `LINODE_TOKEN="${token}"\n` }, `LINODE_TOKEN=${other}\n`],
    [
      "leaves the operator's own lines as they are",
      { given: token, present: '# proxy\nHTTPS_PROXY=http://p:3128\nexport LINODE_TOKEN=old\nA=b' },
      `# proxy\nHTTPS_PROXY=http://p:3128\nA=b\nLINODE_TOKEN=${token}\n`,
    ],
  ])('%s', async (_, situation, expected) => {
    const { context, hidden } = contextOf(situation);
    const environment = await consulEnvironment(context, searching);

    expect(environment?.reveal()).toBe(expected);
    expect(String(environment)).toBe('[hidden]');
    expect(hidden).toContain(situation.given ?? token);
  });

  it.each<[string, Situation, NodeConfig | undefined, RegExp]>([
    ['is missing', {}, searching, /needs a token of Linode's API/],
    ['is no token', { given: 'two words, or more' }, searching, /is none/],
    ['has a line break in it', { given: `${token}\nCONSUL_HTTP_ADDR=x` }, searching, /is none/],
    ['has no use', { given: token }, named, /is of no use here/],
    ['has no use in an image', { given: token }, undefined, /is of no use here/],
  ])('is refused where it %s, and not shown', async (_, situation, node, message) => {
    const failure = await consulEnvironment(contextOf(situation).context, node).catch(error => error);

    expect(failure).toMatchObject({ code: 'bad-setting', exitCode: 2, message: expect.stringMatching(message) });
    expect(`${failure.message} ${failure.hint} ${failure.detail}`).not.toContain('testvector');
  });

  it('goes when the others are no longer looked for by that API, and what else is there stays', async () => {
    const { context } = contextOf({ present: `A=b\nLINODE_TOKEN=${token}\n`, former: searching });

    expect((await consulEnvironment(context, named))?.reveal()).toBe('A=b\n');
  });

  it("is the operator's own affair on any other node", async () => {
    const { context } = contextOf({ present: `LINODE_TOKEN=${token}\n`, former: named });

    expect(await consulEnvironment(context, named)).toBeUndefined();
  });

  it('is drift where it is gone from a node that needs it', async () => {
    const right = `A=b\nLINODE_TOKEN=${token}\n`;

    expect((await recordedConsulEnvironment(contextOf({ present: right, former: searching }).context))?.reveal()).toBe(
      right,
    );
    const gone = await recordedConsulEnvironment(contextOf({ present: 'A=b\n', former: searching }).context);
    expect(gone?.reveal()).not.toBe('A=b\n');
    expect(await recordedConsulEnvironment(contextOf({ former: named }).context)).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import type { Settings } from '../../src/config/options.ts';
import type { Recorded } from '../../src/config/record.ts';
import { decideRole } from '../../src/config/tags.ts';
import type { Facts } from '../../src/facts/facts.ts';

function decided(tags: readonly string[] | undefined, settings: Settings = {}, role?: string) {
  const facts = { linode: tags && { tags, source: 'metadata' } } as unknown as Facts;
  return decideRole(settings, role === undefined ? undefined : ({ config: { node: { role } } } as Recorded), facts);
}

describe('auto', () => {
  it.each([
    [['web', 'nomad-server'], { role: 'server', settings: {} }],
    [['nomad-client'], { role: 'client', settings: {} }],
    [['nomad-client', 'nomad-server'], { role: 'server', settings: { withClient: true } }],
    [
      [
        'nomad-server',
        'nomad-expect-3',
        'nomad-join-vlan',
        'nomad-datacenter-dc2',
        'nomad-pool-web',
        'nomad-class-big',
      ],
      { role: 'server', settings: { expect: 3, join: ['vlan'], datacenter: 'dc2', nodePool: 'web', nodeClass: 'big' } },
    ],
    [['nomad-client', 'nomad-prod', 'nomad'], { role: 'client', settings: {} }],
  ])('takes %j', (tags, expected) => {
    expect(decided(tags)).toEqual(expected);
  });

  it('prefers what was said to what a tag says', () => {
    expect(decided(['nomad-server', 'nomad-expect-3'], { expect: 5, insecure: true }).settings).toEqual({
      expect: 5,
      insecure: true,
    });
  });

  it('keeps what the node was made before, whatever its tags say now', () => {
    expect(decided(['nomad-client', 'nomad-expect-5'], { expect: 3 }, 'server')).toEqual({
      role: 'server',
      settings: { expect: 3 },
    });
    expect(decided(undefined, {}, 'dev').role).toBe('dev');
  });

  it.each([
    [undefined, 'no Linode with tags'],
    [[], 'it has none'],
    [['web', 'Nomad-Server'], 'web, Nomad-Server'],
  ])('refuses to guess from %j', (tags, reason) => {
    expect(() => decided(tags)).toThrow(
      expect.objectContaining({ code: 'role-unknown', message: expect.stringContaining(reason) }),
    );
  });

  it('names a tag whose value cannot be used', () => {
    expect(() => decided(['nomad-server', 'nomad-expect-three'])).toThrow(
      "the Linode's tag for expect: three: must be a whole number",
    );
  });
});

import { describe, expect, it } from 'vitest';
import type { CommandContext } from '../../src/commands/command.ts';
import { refuseOtherCluster, warnOfOtherCluster } from '../../src/commands/same-cluster.ts';
import type { Event, Handshake } from '../../src/core/types.ts';
import type { SecureTarget } from '../../src/target.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const target = {
  config: { node: { region: 'global', datacenter: 'dc1', join: [{ address: '10.0.0.1' }, { address: '10.0.0.2' }] } },
  credentials: { caCertificate: 'PEM' },
} as unknown as SecureTarget;

async function answer(first: Handshake, second: Handshake): Promise<string> {
  const host = fixtureHost({
    handshakes: { '10.0.0.1:4647 without certificate': first, '10.0.0.2:4647 without certificate': second },
  });
  try {
    await refuseOtherCluster(host, target);
    return 'taken';
  } catch (error) {
    expect(error).toMatchObject({ code: 'wrong-token', exitCode: 2 });
    expect(error).toMatchObject({ hint: expect.stringContaining('Nothing was touched') });
    return (error as Error).message;
  }
}

describe('the servers that are to be joined', () => {
  it.each<[Handshake, Handshake]>([
    ['accepted', 'accepted'],
    ['refused', 'silent'],
    ['silent', 'silent'],
  ])('may be of the cluster or yet to come: %s and %s', async (first, second) => {
    expect(await answer(first, second)).toBe('taken');
  });

  it('are refused where one of them is of another cluster, or of one without a token', async () => {
    expect(await answer('refused', 'foreign')).toBe("the server at 10.0.0.2 does not belong to this token's cluster");
    expect(await answer('plain', 'refused')).toMatch(/10\.0\.0\.1 speaks without TLS/);
  });
});

describe('the servers that were found on a VLAN', () => {
  const hosts =
    '127.0.0.1 localhost\n10.0.0.1 nomad-bootstrap-peers # a\n10.0.0.2 nomad-bootstrap-peers\n10.0.0.9 web\n';
  const onVlan = {
    ...target,
    config: { node: { ...target.config.node, join: [{ address: 'nomad-bootstrap-peers' }] } },
  } as unknown as SecureTarget;

  async function told(of: SecureTarget, first: Handshake, second: Handshake): Promise<readonly string[]> {
    const host = fixtureHost({
      files: { '/etc/hosts': hosts },
      handshakes: { '10.0.0.1:4647 without certificate': first, '10.0.0.2:4647 without certificate': second },
    });
    const events: Event[] = [];
    const reporter = { report: (event: Event) => void events.push(event) };
    await warnOfOtherCluster({ host, reporter } as unknown as CommandContext, of);
    return events.map(event => (event.type === 'notice' ? event.message : event.type));
  }

  it('are told of where they are of another cluster', async () => {
    expect(await told(onVlan, 'accepted', 'refused')).toEqual([]);
    expect(await told(onVlan, 'foreign', 'plain')).toEqual([expect.stringContaining('10.0.0.1, 10.0.0.2')]);
    expect(await told(onVlan, 'accepted', 'foreign')).toEqual([expect.stringMatching(/one: 10\.0\.0\.2\. If/)]);
  });

  it('are not asked where the servers to join were named: they were asked before', async () => {
    expect(await told(target, 'foreign', 'foreign')).toEqual([]);
  });
});

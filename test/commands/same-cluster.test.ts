import { describe, expect, it } from 'vitest';
import { refuseOtherCluster } from '../../src/commands/same-cluster.ts';
import type { Handshake } from '../../src/core/types.ts';
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

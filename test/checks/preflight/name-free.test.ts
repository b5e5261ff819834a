import { describe, expect, it } from 'vitest';
import { nameFree } from '../../../src/checks/preflight/name-free.ts';
import { type FixtureDescription, fixtureHost } from '../../support/fixture-host.ts';
import { clientNode, targetOn } from '../../support/target.ts';

const node = { ...clientNode, name: 'web-1', join: [{ address: '10.0.0.1' }, { address: '10.0.0.2' }], insecure: true };
const first = 'GET http://10.0.0.1:8500/v1/agent/members';
const second = 'GET http://10.0.0.2:8500/v1/agent/members';
const member = (Name: string, Addr: string, Status = 1) => ({ Name, Addr, Status, Tags: {} });

async function outcome(requests: FixtureDescription['requests'], own = '10.0.0.9') {
  const target = await targetOn('debian-12', {
    node: { ...node, network: { address: own, interface: 'eth1', cidr: '10.0.0.0/24', kind: 'vlan' } },
  });
  return nameFree.run(fixtureHost({ ...(requests ? { requests } : {}) }), target);
}

describe('the name of a node', () => {
  it('is refused while another node of that name is alive in the cluster', async () => {
    const members = [member('server1', '10.0.0.1'), member('web-1', '10.0.0.7')];

    expect(await outcome({ [first]: 'unreachable', [second]: { body: JSON.stringify(members) } })).toMatchObject({
      status: 'fail',
      detail: 'web-1 is alive at 10.0.0.7',
      hint: expect.stringContaining('--name'),
    });
  });

  it.each([
    ['is its own', [member('web-1', '10.0.0.9')]],
    ['was that of a node that failed or left', [member('web-1', '10.0.0.7', 4), member('web-1', '10.0.0.8', 3)]],
    ['nobody has', [member('server1', '10.0.0.1')]],
  ])('is free when it %s', async (_, members) => {
    const body = JSON.stringify(members);

    expect(await outcome({ [first]: { body }, [second]: { body } })).toMatchObject({ status: 'pass' });
  });

  it.each(['unreachable' as const, { status: 403, body: 'Permission denied' }, { body: 'not JSON' }, { body: '{}' }])(
    'is not in the way of the first node of a cluster: %j',
    async answer => {
      expect(await outcome({ [first]: answer, [second]: answer })).toMatchObject({ status: 'pass' });
    },
  );
});

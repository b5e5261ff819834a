import { describe, expect, it } from 'vitest';
import { dataIsOwn } from '../../../src/checks/preflight/data-is-own.ts';
import { type FixtureDescription, fixtureHost } from '../../support/fixture-host.ts';
import { clientNode, targetOn } from '../../support/target.ts';

const node = { ...clientNode, name: 'web-2', join: [{ address: '10.0.0.1' }], insecure: true };
const id = '0c9e3b0a-9d5b-4a40-b4f4-2f0d6a7f4b11';
const member = (Name: string, Addr: string, own: string, Status = 1) => ({ Name, Addr, Status, Tags: { id: own } });

async function outcome(members: readonly unknown[], files: FixtureDescription['files'] = {}) {
  const target = await targetOn('debian-12', {
    node: { ...node, network: { address: '10.0.0.9', interface: 'eth1', cidr: '10.0.0.0/24', kind: 'vlan' } },
  });
  const requests = { 'GET http://10.0.0.1:8500/v1/agent/members': { body: JSON.stringify(members) } };
  return dataIsOwn.run(fixtureHost({ files, requests }), target);
}

const data = { '/opt/consul/node-id': `${id}\n` };

describe("the agents' data", () => {
  it('are refused where another living node has the same node id: the machine is a clone', async () => {
    expect(await outcome([member('web-1', '10.0.0.7', id)], data)).toMatchObject({
      status: 'fail',
      detail: 'they are a copy of those of web-1 at 10.0.0.7',
      hint: expect.stringContaining('/opt/consul'),
    });
  });

  it.each([
    ['there are none', [member('web-1', '10.0.0.7', id)], {}],
    ['the node is in the cluster already', [member('web-2', '10.0.0.9', id)], data],
    ['they were those of a node that failed', [member('web-1', '10.0.0.7', id, 4)], data],
    ['nobody has them', [member('web-1', '10.0.0.7', '1')], data],
  ])('are its own where %s', async (_, members, files) => {
    expect(await outcome(members, files)).toMatchObject({ status: 'pass' });
  });
});

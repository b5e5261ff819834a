import { describe, expect, test } from 'vitest';
import type { InterfaceAddress, LinodeMetadata } from '../../src/core/types.ts';
import { identifyLinode, parseInstanceData, untilVlanIsUp } from '../../src/facts/linode.ts';
import { type FixtureDescription, fixtureHost } from '../support/fixture-host.ts';

const metadata: LinodeMetadata = {
  id: 123,
  label: 'nomad-s1',
  region: 'de-fra-2',
  type: 'g6-standard-1',
  tags: ['nomad-server'],
  interfaces: [],
  publicIpv4: [],
  privateIpv4: [],
};

const instanceData = JSON.stringify({
  ds: { meta_data: { id: 123, label: 'nomad-s1', region: 'us-ord', tags: ['a', 7] } },
  v1: { cloud_name: 'akamai' },
});

const hardware = { '/sys/class/dmi/id/sys_vendor': 'Linode\n', '/sys/class/dmi/id/product_serial': '123\n' };

async function identify(description: FixtureDescription, metadataTimeoutMs = 60_000) {
  const waits: number[] = [];
  const host = fixtureHost(description);
  const startedAt = host.now().getTime();
  const identity = await identifyLinode(host, { metadataTimeoutMs, onWait: seconds => waits.push(seconds) });
  return { facts: identity?.facts, waits, waitedMs: host.now().getTime() - startedAt };
}

describe('who a Linode is', () => {
  test.each(['Linode', 'Akamai'])('is asked of the metadata service when the vendor is %s', async vendor => {
    const files = { ...hardware, '/sys/class/dmi/id/sys_vendor': `${vendor}\n` };
    const { facts, waitedMs } = await identify({ files, linodeMetadata: metadata });
    expect(facts).toEqual({
      id: 123,
      label: 'nomad-s1',
      region: 'de-fra-2',
      tags: ['nomad-server'],
      source: 'metadata',
    });
    expect(waitedMs).toBe(0);
  });

  test('is not asked on any other hardware', async () => {
    const files = { '/sys/class/dmi/id/sys_vendor': 'QEMU\n' };
    expect((await identify({ files, linodeMetadata: metadata })).facts).toBeUndefined();
    expect((await identify({ linodeMetadata: metadata })).facts).toBeUndefined();
  });

  test("is taken from cloud-init when the service stays silent, with each second's wait told", async () => {
    const files = { ...hardware, '/run/cloud-init/instance-data.json': instanceData };
    const { facts, waits, waitedMs } = await identify({ files }, 3_500);
    expect(facts).toEqual({ id: 123, label: 'nomad-s1', region: 'us-ord', tags: ['a'], source: 'cloud-init' });
    expect(waits).toEqual([1, 2, 3]);
    expect(waitedMs).toBe(3_500);
  });

  test('stays unknown, but for its id, when neither says anything', async () => {
    expect((await identify({ files: hardware })).facts).toEqual({ id: 123, tags: [], source: 'none' });
  });

  test("is not believed from an answer that is another instance's", async () => {
    const others = { ...metadata, id: 456, region: 'in-maa' };
    const files = { ...hardware, '/run/cloud-init/instance-data.json': instanceData.replace('123', '456') };
    expect((await identify({ files, linodeMetadata: others })).facts).toEqual({ id: 123, tags: [], source: 'none' });
  });

  test('is believed unproven where only root could read the serial number', async () => {
    const files = { '/sys/class/dmi/id/sys_vendor': 'Linode\n' };
    const host = fixtureHost({ files, linodeMetadata: metadata });
    const unprivileged = {
      ...host,
      readText: async (path: string) => {
        if (path === '/sys/class/dmi/id/product_serial') throw new Error('EACCES: permission denied');
        return host.readText(path);
      },
    };
    expect((await identifyLinode(unprivileged, { metadataTimeoutMs: 0 }))?.facts.source).toBe('none');
    expect((await identifyLinode(unprivileged, { metadataTimeoutMs: 1 }))?.facts.region).toBe('de-fra-2');
  });
});

test.each([
  ['no JSON', ''],
  ['a list', '[]'],
  ['null', 'null'],
  ['another cloud', instanceData.replace('akamai', 'aws')],
  ['no region', instanceData.replace('us-ord', '')],
  ['a region that is no word', instanceData.replace('us-ord', 'us ord\\"')],
  ['no instance data', '{"v1":{"cloud_name":"akamai"},"ds":{"meta_data":null}}'],
])("cloud-init's data is not used when it is %s", (_, json) => {
  expect(parseInstanceData(json)).toBeUndefined();
});

describe('a VLAN address that the metadata names', () => {
  const announced: LinodeMetadata = {
    ...metadata,
    interfaces: [{ purpose: 'public' }, { purpose: 'vlan', label: 'nomad', ipamAddress: '10.0.0.11/24' }],
  };
  const vlan: InterfaceAddress = { interface: 'eth1', address: '10.0.0.11', prefixLength: 24, family: 4 };

  async function wait(upAfterSeconds: number, named = announced) {
    const fixture = fixtureHost({});
    const startedAt = fixture.now().getTime();
    const waitedMs = () => fixture.now().getTime() - startedAt;
    const host = { ...fixture, addresses: () => (waitedMs() >= upAfterSeconds * 1000 ? [vlan] : []) };
    const waits: string[] = [];
    await untilVlanIsUp(host, named, {
      metadataTimeoutMs: 5_000,
      onWaitForVlan: (address, seconds) => waits.push(`${address} ${seconds}`),
    });
    return { waits, waitedMs: waitedMs() };
  }

  test('is waited for until an interface has it', async () => {
    expect(await wait(2)).toEqual({ waits: ['10.0.0.11 1'], waitedMs: 2_000 });
    expect(await wait(0)).toEqual({ waits: [], waitedMs: 0 });
  });

  test('is waited for no longer than the metadata may take', async () => {
    expect((await wait(60)).waitedMs).toBe(5_000);
  });

  test('is not waited for where none is named', async () => {
    expect((await wait(60, metadata)).waitedMs).toBe(0);
  });
});

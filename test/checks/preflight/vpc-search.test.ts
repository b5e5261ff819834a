import { describe, expect, it } from 'vitest';
import { vpcSearch } from '../../../src/checks/preflight/vpc-search.ts';
import type { AddressType } from '../../../src/config/linode-search.ts';
import { type FixtureDescription, fixtureHost } from '../../support/fixture-host.ts';
import { targetOn } from '../../support/target.ts';

const asksProgram = 'grep -q -F vpc_v4 /usr/bin/consul';

function targetOf(addressType: AddressType, version: string) {
  return targetOn('debian-12', {
    node: { join: [{ search: { tag: 'nomad', addressType } }] },
    resolution: { consul: { version, packageVersion: `${version}-1` } },
  });
}

async function outcome(version: string, description: FixtureDescription = {}) {
  return vpcSearch.run(fixtureHost(description), await targetOf('vpc_v4', version));
}

describe('a search for VPC addresses', () => {
  it.each(['1.21.4', '1.22.5'])(
    'is refused with Consul %s, which would take it for private addresses',
    async version => {
      expect(await outcome(version)).toMatchObject({
        status: 'fail',
        detail: expect.stringContaining('does not know vpc_v4'),
        hint: expect.stringContaining('--join vlan'),
      });
    },
  );

  it('is made by a later Consul that knows them, which only the installed program can tell', async () => {
    const files = { '/usr/bin/consul': 'consul' };

    expect(await outcome('2.0.4', { files, commands: { [asksProgram]: {} } })).toMatchObject({ status: 'pass' });
    expect(await outcome('2.0.4', { files, commands: { [asksProgram]: { exitCode: 1 } } })).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('does not know vpc_v4'),
    });
    expect(await outcome('2.0.4')).toMatchObject({
      status: 'fail',
      hint: expect.stringContaining('nomad-bootstrap image --consul-version 2.0.4'),
    });
  });

  it('is no question where others are looked for', async () => {
    expect(vpcSearch.appliesTo?.(await targetOf('private_v4', '1.21.4'))).toBe(false);
    expect(vpcSearch.appliesTo?.(await targetOf('vpc_v4', '1.21.4'))).toBe(true);
    expect(vpcSearch.appliesTo?.(await targetOn('debian-12'))).toBe(false);
  });
});

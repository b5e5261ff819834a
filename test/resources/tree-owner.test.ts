import { expect, test } from 'vitest';
import { treeOwner } from '../../src/resources/tree-owner.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const path = '/opt/nomad/data/server';
const none: ReadonlySet<string> = new Set();

test('kept data is given to the user that is to read it, with all that is in it', async () => {
  const host = fixtureHost({
    directories: { [path]: { owner: '996:996' } },
    commands: {
      [`chown --recursive --no-dereference nomad:nomad ${path}`]: target => {
        void target.setAttributes(path, { mode: 0o755, owner: 'nomad:nomad' });
        return {};
      },
    },
  });
  const resource = treeOwner(path, 'nomad:nomad');

  const change = await resource.plan(host, none);
  await change?.apply(host);

  expect(change?.diff).toBe(`${path}: 996:996 -> nomad:nomad\n`);
  expect(await resource.plan(host, none)).toBeUndefined();
});

test("data that is not there yet is nobody else's", async () => {
  expect(await treeOwner(path, 'nomad:nomad').plan(fixtureHost(), none)).toBeUndefined();
});

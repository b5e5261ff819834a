import { expect, test } from 'vitest';
import { factsOf, hostNames } from '../support/hosts.ts';

test.each(hostNames)('the facts of a freshly booted %s are told exactly', async name => {
  const facts = await factsOf(name);
  await expect(`${JSON.stringify(facts, undefined, 2)}\n`).toMatchFileSnapshot(`../golden/facts/${name}.json`);
});

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { defaults, withOptions } from '../scripts/configuration-table.ts';
import { decide } from '../src/config/decide.ts';
import { fileLayer, mergeLayers } from '../src/config/load.ts';
import { factsOf } from './support/hosts.ts';

const page = readFileSync('docs/configuration.md', 'utf8');

test('docs/configuration.md lists every option as the program has it (scripts/configuration.ts writes the table)', () => {
  expect(page).toBe(withOptions(page));
});

test('what docs/configuration.md tells as defaults is what a node gets that says nothing', async () => {
  const { node, packages } = decide('server', { insecure: true }, undefined, await factsOf('debian-12'));

  expect({
    region: `\`${node?.region}\``,
    nodePool: `\`${node?.nodePool}\``,
    docker: `\`${packages.docker}\``,
    cniVersion: `\`${packages.cniVersion}\``,
    api: `\`${node?.api}\`, with \`--insecure\``,
    expect: `${node?.expect} without \`--join\`; with it, it must be given`,
  }).toEqual({
    region: defaults.region,
    nodePool: defaults.nodePool,
    docker: defaults.docker,
    cniVersion: defaults.cniVersion,
    api: defaults.api,
    expect: defaults.expect,
  });
});

test('the example of a --config file in docs/configuration.md holds nothing but settings with values that fit', async () => {
  const example = /```yaml\n(?<yaml>.*?)```/s.exec(page)?.groups?.['yaml'] ?? '';

  const settings = mergeLayers([await fileLayer('server.yaml', example)]);

  expect(settings).toMatchObject({ expect: 3, withClient: true, network: 'vlan', meta: { rack: 'a1', disk: 'fast' } });
});

import { expect, test } from 'vitest';
import { absentFile } from '../../src/resources/absent-file.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const path = '/etc/apt/sources.list.d/hashicorp.list';
const rival = absentFile(path, 'names the same repository', content => content.includes('hashicorp.com'));
const none: ReadonlySet<string> = new Set();

test('an unwanted file is removed, and its content kept for the way back', async () => {
  const content = 'deb https://apt.releases.hashicorp.com bookworm main\n';
  const host = fixtureHost({ files: { [path]: content } });

  const change = await rival.plan(host, none);

  expect(change).toMatchObject({
    summary: `remove ${path}, which names the same repository`,
    diff: expect.stringContaining(`-${content}`),
    undo: {
      kind: 'files',
      files: [
        {
          path,
          former: {
            contentBase64: Buffer.from(content).toString('base64'),
            attributes: { mode: 0o644, owner: 'root:root' },
          },
        },
      ],
    },
  });
  await change?.apply(host);
  expect(host.contents()).toEqual({});
  expect(await rival.plan(host, none)).toBeUndefined();
});

test('a file of another content is left alone', async () => {
  const host = fixtureHost({ files: { [path]: 'deb https://example.net stable main\n' } });
  expect(await rival.plan(host, none)).toBeUndefined();
});

import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const pages = [...globSync('*.md'), ...globSync('docs/**/*.md')];

test('every link between the documents, to a picture or into the sources leads somewhere', () => {
  const broken = pages.flatMap(page =>
    linksOf(page).flatMap(link => {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? page : path.join(path.dirname(page), file);
      if (!existsSync(target)) return [`${page}: ${link}`];
      return anchor === undefined || anchorsOf(target).includes(anchor) ? [] : [`${page}: ${link}`];
    }),
  );

  expect(broken).toEqual([]);
});

test('every document is reached from README.md or CONTRIBUTING.md', () => {
  const reached = new Set(['README.md', 'CONTRIBUTING.md']);
  for (const page of reached) {
    for (const link of linksOf(page)) {
      const target = path.join(path.dirname(page), link.split('#')[0] ?? '');
      if (pages.includes(target)) reached.add(target);
    }
  }

  expect(pages.filter(page => !reached.has(page))).toEqual([]);
});

/** Targets of links and pictures that are not on another host. Code is left out. */
function linksOf(page: string): readonly string[] {
  const text = readFileSync(page, 'utf8')
    .replaceAll(/^```.*?^```/gms, '')
    .replaceAll(/`[^`\n]*`/g, '');
  const targets = [...text.matchAll(/\]\((?<to>[^)\s]+)\)|(?:src|srcset|href)="(?<of>[^"]+)"/g)];
  return targets.map(({ groups }) => groups?.['to'] ?? groups?.['of'] ?? '').filter(to => !/^[a-z]+:/.test(to));
}

/** The anchors that GitHub makes of a page's headings. */
function anchorsOf(page: string): readonly string[] {
  const headings = readFileSync(page, 'utf8').matchAll(/^#+ (?<title>.+)$/gm);
  return [...headings].map(({ groups }) =>
    (groups?.['title'] ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

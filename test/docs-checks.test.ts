import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { configDrift } from '../src/checks/config-drift.ts';
import { healthChecks } from '../src/checks/index.ts';

const text = readFileSync(new URL('../docs/checks.md', import.meta.url), 'utf8');
const checks = [...healthChecks, configDrift(async () => [])];

/** Each check's section by its id: its title and its lines. */
const sections = new Map(
  text
    .split(/^### /m)
    .slice(1)
    .map(section => {
      const [, id = '', title = '', body = ''] = /^`([a-z-]+)`: (.+)\n([\s\S]*)$/.exec(section) ?? [];
      return [id, { title, body: body.split(/^## /m)[0] ?? '' }];
    }),
);

describe('docs/checks.md', () => {
  test('has exactly the checks that there are, and the canary', () => {
    expect([...sections.keys()].sort()).toEqual([...checks.map(({ id }) => id), 'canary'].sort());
  });

  test.each(checks.map(check => [check.id, check] as const))('tells %s by the title that it has', (id, check) => {
    expect(sections.get(id)?.title).toBe(check.title);
  });

  test.each([...sections])('says what %s asks, reads, when it is not well, and how to fix it', (_id, { body }) => {
    for (const part of ['- Asks ', 'eads ', '- Fix: ']) expect(body).toContain(part);
    expect(body).toMatch(/\b(Fails|Warns)\b/);
  });

  test.each(checks.filter(({ needs }) => needs).map(check => [check.id, check.needs ?? []] as const))(
    'names what %s needs',
    (id, needs) => {
      const named = /Needs ([^.]+)\./.exec(sections.get(id)?.body.replaceAll('\n', ' ') ?? '')?.[1] ?? '';

      expect([...named.matchAll(/`([a-z-]+)`/g)].map(match => match[1]).sort()).toEqual([...needs].sort());
    },
  );
});

import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createJsonReporter } from '../../src/reporters/json.ts';
import { createTestClock, everyEvent } from './events.ts';

test('docs/events.md shows one line for every type of event, as it is printed', async () => {
  const page = await readFile(new URL('../../docs/events.md', import.meta.url), 'utf8');

  const shown = Object.fromEntries(
    Array.from(page.matchAll(/^## `([a-z-]+)`\n[\s\S]*?```json\n(.*)\n```/gm), ([, type, line]) => [type, line]),
  );

  const printed = Object.fromEntries(Object.entries(everyEvent).map(([type, event]) => [type, print([event])[0]]));
  expect(shown).toEqual(printed);
});

test('an event of several lines is one line', () => {
  expect(print([{ ...everyEvent.command, output: 'a\nb\r\nc\u2028' }])).toHaveLength(1);
});

test('a download is told of once a second and at its end', () => {
  const clock = createTestClock();
  const lines: string[] = [];
  const reporter = createJsonReporter(text => lines.push(text), clock);

  for (let doneBytes = 0; doneBytes <= 25; doneBytes += 1) {
    reporter.report({ type: 'progress', subject: 'a.tgz', doneBytes, totalBytes: 25 });
    clock.pass(100);
  }

  expect(lines.map(line => JSON.parse(line).doneBytes)).toEqual([0, 10, 20, 25]);
});

function print(events: readonly Parameters<ReturnType<typeof createJsonReporter>['report']>[0][]): readonly string[] {
  let text = '';
  const reporter = createJsonReporter(line => {
    text += line;
  }, createTestClock());
  for (const event of events) reporter.report(event);
  return text.split('\n').slice(0, -1);
}

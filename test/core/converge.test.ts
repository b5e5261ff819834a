import { describe, expect, it } from 'vitest';
import { converge, planAll } from '../../src/core/converge.ts';
import { BootstrapError } from '../../src/core/errors.ts';
import { createJournal } from '../../src/core/journal.ts';
import type { Change, Event, Host, Resource, Step } from '../../src/core/types.ts';
import { fixtureHost } from '../support/fixture-host.ts';

/** A toy world: names that are "there". The engine is generic, so nothing of the product is needed. */
function world(initially: readonly string[] = []) {
  const there = new Set(initially);
  const trail: string[] = [];
  const lines: string[] = [];
  const events: Event[] = [];
  const abort = new AbortController();
  const host = { now: () => new Date(0) } as Host;
  const journal = createJournal(
    {
      append: async line => {
        lines.push(line);
        trail.push(line.includes('done') ? 'journal-done' : `journal ${JSON.parse(line).id}`);
      },
      lines: async () => lines,
    },
    () => new Date(0),
  );

  function thing(id: string, apply: () => void | Promise<void> = () => {}): Resource {
    return {
      id,
      async plan(): Promise<Change | undefined> {
        if (there.has(id)) return undefined;
        return {
          summary: `make ${id}`,
          undo: { kind: 'toy' },
          async apply() {
            trail.push(`apply ${id}`);
            await apply();
            there.add(id);
            trail.push(`applied ${id}`);
          },
        };
      },
    };
  }
  const run = (steps: readonly Step<undefined>[]) =>
    converge({
      steps,
      target: undefined,
      host,
      journal,
      reporter: { report: e => events.push(e) },
      signal: abort.signal,
    });
  return { there, trail, lines, events, abort, host, journal, thing, run };
}

function step(id: string, resources: readonly Resource[], after?: readonly string[]): Step<undefined> {
  return { id, title: id, ...(after ? { after } : {}), resources: () => resources };
}

describe('a run', () => {
  it('makes exactly the changes it announced, in order, and each is journalled first', async () => {
    const w = world(['b']);

    const result = await w.run([step('one', [w.thing('a'), w.thing('b')]), step('two', [w.thing('c')])]);

    expect(result).toEqual({
      announced: [
        { id: 'a', step: 'one', summary: 'make a' },
        { id: 'c', step: 'two', summary: 'make c' },
      ],
      applied: ['a', 'c'],
      satisfied: [],
    });
    expect(w.trail).toEqual([
      'journal a',
      'apply a',
      'applied a',
      'journal-done',
      'journal c',
      'apply c',
      'applied c',
      'journal-done',
    ]);
  });

  it('changes nothing and writes no journal when all is as it should be', async () => {
    const w = world(['a', 'b']);

    const result = await w.run([step('one', [w.thing('a')]), step('two', [w.thing('b')])]);

    expect(result).toEqual({ announced: [], applied: [], satisfied: [] });
    expect(w.lines).toEqual([]);
  });

  it('counts a change that another one brought along as satisfied', async () => {
    const w = world();

    const result = await w.run([step('one', [w.thing('package', () => void w.there.add('user')), w.thing('user')])]);

    expect(result.applied).toEqual(['package']);
    expect(result.satisfied).toEqual(['user']);
  });

  it('stops when a change became necessary that it had not announced', async () => {
    const w = world(['late']);

    const failure = w.run([step('one', [w.thing('a', () => void w.there.delete('late')), w.thing('late')])]);

    await expect(failure).rejects.toMatchObject({ code: 'unannounced-change', exitCode: 70 });
    expect(w.there.has('late')).toBe(false);
  });

  it('stops when a change has no lasting effect', async () => {
    const w = world();
    const stubborn: Resource = {
      id: 'stubborn',
      plan: async () => ({ summary: 'try', undo: { kind: 'toy' }, apply: async () => {} }),
    };

    await expect(w.run([step('one', [stubborn, w.thing('b')])])).rejects.toMatchObject({ code: 'not-converged' });

    expect(w.there.has('b')).toBe(false);
    expect((await w.journal.entries()).map(({ id, done }) => ({ id, done }))).toEqual([
      { id: 'stubborn', done: false },
    ]);
  });

  it('runs steps at the same time that do not wait for each other', async () => {
    const w = world();
    const { promise: downloaded, resolve } = Promise.withResolvers<void>();

    await w.run([
      step('kernel', [w.thing('kernel')]),
      step('packages', [w.thing('packages', () => downloaded)]),
      step('download', [w.thing('download', resolve)], []),
      step('agent', [w.thing('agent')], ['packages', 'download']),
    ]);

    expect(w.trail.indexOf('applied download')).toBeLessThan(w.trail.indexOf('applied packages'));
    expect(w.trail.at(-2)).toBe('applied agent');
  });

  it.each([
    { first: 'ends', trail: ['ready', 'apply consul', 'applied consul', 'started'] },
    { first: 'fails', trail: ['ready', 'apply consul'] },
  ])('lets a change get ready while another step runs, and go on when that $first', async ({ first, trail }) => {
    const { thing, run, trail: all } = world();
    const ready = Promise.withResolvers<void>();
    const consul = thing('consul', async () => {
      await ready.promise;
      if (first === 'fails') throw new Error('no consul');
    });
    const nomad: Resource = {
      id: 'nomad',
      async plan() {
        if (all.includes('started')) return undefined;
        return {
          summary: 'start nomad',
          undo: { kind: 'toy' },
          async apply(_host, course) {
            all.push('ready');
            ready.resolve();
            await course?.ended('consul');
            all.push('started');
          },
        };
      },
    };

    const running = run([step('consul', [consul], []), step('nomad', [nomad], [])]);
    if (first === 'fails') await expect(running).rejects.toThrow('no consul');
    else await running;

    const done = all.filter(line => !line.startsWith('journal'));
    expect(done.slice().sort()).toEqual(trail.slice().sort());
    expect(done.at(-1)).toBe(first === 'ends' ? 'started' : 'ready');
  });

  it('lets a step start, and a change go on, when the part of another step that it waits for has ended', async () => {
    const { trail: all, run, thing } = world();
    const rest = Promise.withResolvers<void>();
    const packages: Resource = {
      id: 'packages',
      async plan() {
        if (all.includes('all packages')) return undefined;
        return {
          summary: 'install',
          undo: { kind: 'toy' },
          async apply(_host, course) {
            course?.endPart('pinned');
            await rest.promise;
            all.push('all packages');
          },
        };
      },
    };
    const plugins: Resource = {
      id: 'plugins',
      async plan() {
        if (all.includes('plugins')) return undefined;
        return {
          summary: 'unpack',
          undo: { kind: 'toy' },
          async apply(_host, course) {
            // Nobody ever tells of these: the end of the step is theirs as well.
            await course?.ended('packages/downloads');
            all.push('plugins');
          },
        };
      },
    };
    const consul = thing('consul', async () => {
      all.push('consul');
      rest.resolve();
    });

    await run([
      step('packages', [packages], []),
      step('cni', [plugins], []),
      step('consul', [consul], ['packages/pinned']),
    ]);

    const order = ['consul', 'all packages', 'plugins'];
    expect(all.filter(line => order.includes(line))).toEqual(order);
  });

  it('asks anew what a plan asks for again and again until it gets another answer', async () => {
    const answers = [503, 503, 200];
    const host = fixtureHost({
      requests: { 'GET http://127.0.0.1/leader': () => ({ status: answers.shift() ?? 200 }) },
    });
    const patient: Resource = {
      id: 'patient',
      async plan(reader) {
        for (let asked = 0; asked < 5; asked += 1) {
          if ((await reader.request('http://127.0.0.1/leader')).status === 200) return undefined;
        }
        throw new Error('no leader');
      },
    };
    expect(await planAll([step('leader', [patient], [])], {}, host)).toEqual([]);
  });

  it('lets what runs finish, starts nothing new and tells the first failure when a step fails', async () => {
    const w = world();
    const { promise: failed, resolve: fail } = Promise.withResolvers<void>();

    const run = w.run([
      step('slow', [w.thing('slow-1', () => failed.then(() => new Promise(r => setTimeout(r, 5)))), w.thing('slow-2')]),
      step(
        'broken',
        [
          w.thing('broken', () => {
            fail();
            throw new BootstrapError('disk-full', 'the disk is full', { hint: 'make room' });
          }),
        ],
        [],
      ),
      step('last', [w.thing('last')]),
    ]);

    await expect(run).rejects.toMatchObject({ code: 'disk-full' });
    expect([...w.there]).toEqual(['slow-1']);
  });

  it('finishes the change at hand and then stops when it is interrupted', async () => {
    const w = world();
    const interruption = new BootstrapError('interrupted', 'interrupted', { hint: 'run again' });

    const run = w.run([step('one', [w.thing('a', () => w.abort.abort(interruption)), w.thing('b')])]);

    await expect(run).rejects.toBe(interruption);
    expect([...w.there]).toEqual(['a']);
    expect((await w.journal.entries())[0]).toMatchObject({ id: 'a', done: true });
  });

  it('leaves out the steps that do not apply', async () => {
    const w = world();

    const result = await w.run([
      { ...step('one', [w.thing('a')]), appliesTo: () => false },
      step('two', [w.thing('b')]),
    ]);

    expect(result.applied).toEqual(['b']);
  });
});

describe('a plan', () => {
  it('tells each resource what was announced before it, and applies nothing', async () => {
    const w = world();
    const seen: string[][] = [];
    const watcher: Resource = {
      id: 'watcher',
      plan: async (_, before) => {
        seen.push([...before]);
        return undefined;
      },
    };

    const changes = await planAll([step('one', [w.thing('a')]), step('two', [watcher])], undefined, w.host);

    expect(changes.map(({ id }) => id)).toEqual(['a']);
    // First, whether anything is to be changed at all: then nothing is announced.
    expect(seen).toEqual([[], ['a']]);
    expect(w.trail).toEqual([]);
  });

  it('of a host that is as it should be asks each thing once, and all at the same time', async () => {
    const asked: string[] = [];
    const reader = fixtureHost({ files: { '/etc/one': '1' } });
    const host = {
      ...reader,
      readText: async (path: string) => {
        asked.push(path);
        return reader.readText(path);
      },
    };
    let waiting = 0;
    const together = Promise.withResolvers<void>();
    const content = (id: string): Resource => ({
      id,
      plan: async given => {
        waiting += 1;
        if (waiting === 2) together.resolve();
        await together.promise;
        return (await given.readText('/etc/one')) === '1' ? undefined : await w.thing(id).plan(given, new Set());
      },
    });
    const w = world();

    expect(await planAll([step('one', [content('a')]), step('two', [content('b')])], undefined, host)).toEqual([]);
    expect(asked).toEqual(['/etc/one']);
  });
});

describe('the journal', () => {
  it('goes on numbering where an earlier run ended, also when entries are begun at the same time', async () => {
    const lines: string[] = [];
    const log = { append: async (line: string) => void lines.push(line), lines: async () => lines };
    const first = createJournal(log, () => new Date(0));
    await first.done(await first.begin('a', { kind: 'toy' }));

    const second = createJournal(log, () => new Date(0));
    const numbers = await Promise.all([second.begin('b', { kind: 'toy' }), second.begin('c', { kind: 'toy' })]);

    expect(numbers).toEqual([1, 2]);
    expect((await second.entries()).map(({ id, done }) => `${id} ${done}`)).toEqual(['a true', 'b false', 'c false']);
  });
});

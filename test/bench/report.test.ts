import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { figures, type Result, resultsOf, scenarios } from '../../bench/figures.ts';
import { plots, resultsText, withResults } from '../../bench/report.ts';
import { readSamples, type Samples } from '../../bench/samples.ts';
import type { Round } from '../../bench/scenarios/scenario.ts';
import { summarize } from '../../bench/statistics.ts';

function samples(rounds: readonly Round[]): Samples {
  const machine = { at: '2026-11-25T15:00:00.000Z', commit: 'abc', machine: 'toy', nomad: '2.0.5', consul: '1.21.4' };
  const noise = { 'machine.load': 0.1, 'machine.loop': 0.2 };
  return { fresh: { ...machine, rounds: rounds.map(round => ({ ...noise, ...round })) } };
}

function resultOf(measured: Samples, figure: string): Result | undefined {
  return resultsOf(measured).find(result => result.figure === figure);
}

describe('a series', () => {
  test('is told by its median, its ends and its median deviation, which one outlier does not move', () => {
    expect(summarize([3, 1, 2, 100, 2])).toEqual({ runs: 5, median: 2, min: 1, max: 100, deviation: 1 });
    expect(summarize([1, 2, 3, 4]).median).toBe(2.5);
  });

  test('without a measurement gives no figure', () => {
    expect(() => summarize([])).toThrow('no measurement');
    expect(resultsOf(samples([{}]))).toEqual([]);
  });
});

describe('a figure', () => {
  const rounds = (ours: number, guide: number) => ({ 'ours.server.up': ours, 'guide.server.up': guide });

  test('is compared round by round, so that a slow machine slows both', () => {
    expect(resultOf(samples([rounds(1, 2), rounds(10, 40), rounds(3, 9)]), 'server-up')).toMatchObject({
      value: 3,
      ratio: 0.333,
      met: true,
      runs: 3,
    });
  });

  test('just over its target is not met', () => {
    expect(resultOf(samples([rounds(5.01, 10)]), 'server-up')?.met).toBe(false);
    expect(resultOf(samples([{ 'ours.server.rerun': 0.601 }]), 'rerun-server')?.met).toBe(false);
    expect(resultOf(samples([{ 'ours.server.rerun-writes': 1 }]), 'rerun-writes')?.met).toBe(false);
    expect(resultOf(samples([{ 'ours.server.rerun-writes': 0 }]), 'rerun-writes')?.met).toBe(true);
  });

  test('is left out as long as what it is compared with was not measured', () => {
    expect(resultOf(samples([{ 'ours.server.up': 5 }]), 'server-up')).toBeUndefined();
  });

  test('has one id, and every target is one that a figure can miss', () => {
    const ids = figures.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(figures.filter(({ target }) => target !== undefined).length).toBeGreaterThanOrEqual(12);
    expect(new Set(scenarios.map(({ id }) => id)).size).toBe(scenarios.length);
  });
});

describe('docs/benchmarks.md', () => {
  const page = readFileSync('docs/benchmarks.md', 'utf8');
  const published = readSamples('bench/samples.json');

  test('says what bench/samples.json says, as do bench/results.json and the plots', () => {
    expect(withResults(page, published)).toBe(page);
    const results = existsSync('bench/results.json') ? JSON.parse(readFileSync('bench/results.json', 'utf8')) : [];
    expect(resultsOf(published)).toEqual(results);
    for (const [name, svg] of plots(published)) expect(readFileSync(`docs/images/${name}`, 'utf8')).toBe(svg);
  });

  test('says that a target was missed', () => {
    expect(resultsText(samples([{ 'ours.server.rerun': 0.7 }]))).toContain('| at most 0.6 s | **no** |');
  });
});

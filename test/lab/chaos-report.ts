import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { faultGroups } from './faults/index.ts';
import type { Kill, KillKind, Series } from './kills.ts';
import { exceptions } from './node-state.ts';
import type { Struck } from './strike.ts';

const project = path.resolve(import.meta.dirname, '../..');
const manual = path.join(project, 'docs/reliability.md');
/** Results so far, so that parts can be run anew: the last result of each counts. */
const resultsFile = path.join(project, '.build/chaos.json');
const markers = { begin: '<!-- chaos: begin -->', end: '<!-- chaos: end -->' };

interface FaultResult {
  readonly outcome: string;
  readonly seconds: number;
  readonly foreseen: boolean;
  readonly healed: boolean;
}

interface SeriesResult {
  readonly kills: readonly Kill[];
  readonly healed: boolean;
}

/** By the fault's id, and by the title of the series. */
export interface Results {
  readonly faults: Record<string, FaultResult>;
  readonly series: Record<string, SeriesResult>;
}

export function noResults(): Results {
  return { faults: {}, series: {} };
}

export function noteFault({ faults }: Results, { fault, outcome, seconds, unforeseen, unhealed }: Struck): void {
  faults[fault.id] = { outcome, seconds, foreseen: unforeseen.length === 0, healed: unhealed.length === 0 };
}

export function noteSeries({ series }: Results, { title, kills, unhealed }: Series): void {
  series[title] = { kills, healed: unhealed.length === 0 };
}

/** The results of earlier runs with those of this one, which also counts for the next. */
export function keepResults(results: Results): Results {
  const former = readResults();
  const all = { faults: { ...former.faults, ...results.faults }, series: { ...former.series, ...results.series } };
  mkdirSync(path.dirname(resultsFile), { recursive: true });
  writeFileSync(resultsFile, `${JSON.stringify(all, undefined, 1)}\n`);
  return all;
}

export function forgetResults(): void {
  rmSync(resultsFile, { force: true });
}

function readResults(): Results {
  try {
    return JSON.parse(readFileSync(resultsFile, 'utf8')) as Results;
  } catch {
    return noResults();
  }
}

/** `faults: N injected, N survived, N refused, N unhealed; kills: N, N unhealed`. */
export function lastLine(results: Results): string {
  const faults = Object.values(results.faults);
  const series = Object.values(results.series);
  const good = faults.filter(({ foreseen }) => foreseen);
  const survived = good.filter(({ outcome }) => outcome === 'survived').length;
  const kills = series.reduce((sum, { kills }) => sum + kills.length, 0);
  const unhealed = (all: readonly { readonly healed: boolean }[]) => all.filter(({ healed }) => !healed).length;
  return `faults: ${faults.length} injected, ${survived} survived, ${good.length - survived} refused, ${unhealed(faults)} unhealed; kills: ${kills}, ${unhealed(series)} unhealed`;
}

/** Whether all came as it was written down before, and healed. */
export function isGood({ faults, series }: Results): boolean {
  return [...Object.values(faults), ...Object.values(series).map(({ healed }) => ({ healed, foreseen: true }))].every(
    ({ healed, foreseen }) => healed && foreseen,
  );
}

/** Writes what was seen into the manual, between its markers. */
export function writeTables(results: Results): void {
  const text = readFileSync(manual, 'utf8');
  const begin = text.indexOf(markers.begin);
  const end = text.indexOf(markers.end);
  if (begin < 0 || end < begin)
    throw new Error(`docs/reliability.md has no place for the tables: ${markers.begin} ${markers.end}`);
  writeFileSync(manual, `${text.slice(0, begin)}${markers.begin}\n${tables(results)}\n${text.slice(end)}`);
}

function tables(results: Results): string {
  const groups = faultGroups.map(({ title, faults }) => {
    const rows = faults.map(({ id, title, imitated, expect }) => {
      const expected = expect.outcome === 'survived' ? 'survived' : `\`${expect.code}\``;
      const what = imitated === undefined ? title : `${title} (imitated: ${imitated})`;
      return `| ${what} | \`${id}\` | ${expected} | ${cameOf(results.faults[id])} |`;
    });
    return [`### ${title}`, '', '| fault | id | expected | what came | s |', '|---|---|---|---|---|', ...rows, ''].join(
      '\n',
    );
  });
  const series = Object.entries(results.series).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ...groups,
    '### Kills',
    '',
    '| series | kills | of the program | with all that it started | of the power | unhealed |',
    '|---|---|---|---|---|---|',
    ...series.map(([title, { kills, healed }]) => {
      const of = (kind: KillKind) => kills.filter(kill => kill.kind === kind).length;
      const counts = [kills.length, of('program'), of('family'), of('power'), healed ? 0 : 1];
      return `| ${title} | ${counts.join(' | ')} |`;
    }),
    '',
    '| where those at random struck: amid | kills |',
    '|---|---|',
    ...places(series.filter(([title]) => title.startsWith('moments')).flatMap(([, { kills }]) => kills)),
    '',
    '### What two undisturbed runs do not make the same',
    '',
    '| path | why |',
    '|---|---|',
    ...exceptions.map(({ path, reason }) => `| \`${path}\` | ${reason} |`),
    '',
    `\`${lastLine(results)}\``,
  ].join('\n');
}

function cameOf(result: FaultResult | undefined): string {
  if (result === undefined) return 'not run | ';
  const outcome = result.outcome === 'survived' ? 'survived' : `\`${result.outcome}\``;
  const but = [...(result.foreseen ? [] : ['not as expected']), ...(result.healed ? [] : ['not healed'])];
  return `${outcome}${but.length === 0 ? '' : ` (${but.join(', ')})`} | ${result.seconds.toFixed(1)}`;
}

function places(kills: readonly Kill[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { at } of kills) counts.set(at, (counts.get(at) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a).map(([at, count]) => `| ${at} | ${count} |`);
}

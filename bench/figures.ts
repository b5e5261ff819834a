import type { Samples } from './samples.ts';
import { cluster, clusterSizes } from './scenarios/cluster.ts';
import { fresh } from './scenarios/fresh.ts';
import { oneLiner } from './scenarios/one-liner.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { startUp } from './scenarios/start-up.ts';
import { median, type Summary, summarize } from './statistics.ts';

/** All that can be measured. The sizes of cluster between the first and the last are for the plot: fewer rounds do. */
export const scenarios: readonly Scenario[] = [
  startUp,
  oneLiner,
  fresh,
  ...clusterSizes.map((size, at) => cluster(size, at === 0 || at === clusterSizes.length - 1 ? 7 : 3)),
];

type Unit = 's' | 'CPU s' | 'MB' | 'MiB' | 'writes';

/** A figure that is reported. */
export interface FigureSpec {
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  /** The series that it is the median of. */
  readonly series: string;
  /** What it is compared with: the ratio is the median of the rounds' own ratios, or of both medians across scenarios. */
  readonly against?: { readonly series: string; readonly title: string };
  /** At most this ratio, or at most this value. None: for information. */
  readonly target?: { readonly ratio: number } | { readonly value: number };
}

const guide = (series: string) => ({ series: `guide.${series}`, title: "the guide's commands" });
const [smallest = 0] = clusterSizes;
const largest = clusterSizes.at(-1) ?? 0;

export const figures: readonly FigureSpec[] = [
  {
    id: 'server-up',
    title: 'Fresh server, start to agents up',
    unit: 's',
    series: 'ours.server.up',
    against: guide('server.up'),
    target: { ratio: 0.5 },
  },
  {
    id: 'server-leader',
    title: 'Fresh server, start to Nomad leader',
    unit: 's',
    series: 'ours.server.leader',
    against: guide('server.leader'),
    target: { ratio: 0.5 },
  },
  {
    id: 'client-ready',
    title: 'Fresh client with Docker and CNI, start to ready',
    unit: 's',
    series: 'ours.client.ready',
    against: guide('client.ready'),
    target: { ratio: 0.5 },
  },
  {
    id: 'server-floor',
    title: 'Fresh server, start to both leaders',
    unit: 's',
    series: 'ours.server.both-leaders',
    against: { series: 'floor.server.both-leaders', title: 'the floor' },
    target: { ratio: 1.25 },
  },
  { id: 'server-done', title: 'Fresh server, start to verified', unit: 's', series: 'ours.server.done' },
  { id: 'client-done', title: 'Fresh client, start to verified', unit: 's', series: 'ours.client.done' },
  {
    id: 'server-megabytes',
    title: 'Fresh server, downloads',
    unit: 'MB',
    series: 'ours.server.megabytes',
    against: guide('server.megabytes'),
  },
  {
    id: 'client-megabytes',
    title: 'Fresh client, downloads',
    unit: 'MB',
    series: 'ours.client.megabytes',
    against: guide('client.megabytes'),
  },
  {
    id: 'rerun-server',
    title: 'Rerun with nothing to do, server',
    unit: 's',
    series: 'ours.server.rerun',
    target: { value: 0.6 },
  },
  {
    id: 'rerun-client',
    title: 'Rerun with nothing to do, client',
    unit: 's',
    series: 'ours.client.rerun',
    target: { value: 0.6 },
  },
  {
    id: 'rerun-writes',
    title: 'Files touched by a rerun with nothing to do, but the log',
    unit: 'writes',
    series: 'ours.server.rerun-writes',
    target: { value: 0 },
  },
  {
    id: 'verify-server',
    title: '`verify` on a healthy server',
    unit: 's',
    series: 'ours.server.verify',
    target: { value: 0.35 },
  },
  {
    id: 'verify-client',
    title: '`verify` on a healthy client',
    unit: 's',
    series: 'ours.client.verify',
    target: { value: 0.35 },
  },
  {
    id: 'version',
    title: '`--version`',
    unit: 's',
    series: 'ours.version',
    against: { series: 'node.bare', title: '`node -e 0` of the same runtime' },
    target: { ratio: 1.5 },
  },
  {
    id: 'one-liner',
    title: "The one-liner's own cost: download, check and unpack",
    unit: 's',
    series: 'ours.one-liner',
    target: { value: 2.5 },
  },
  {
    id: 'one-liner-gzip',
    title: 'The same on a node without xz',
    unit: 's',
    series: 'ours.one-liner-gzip',
  },
  {
    id: 'archive',
    title: 'The executable in its smallest form',
    unit: 'MB',
    series: 'ours.archive-megabytes',
    target: { value: 30 },
  },
  {
    id: 'memory-server',
    title: 'Peak memory of a bootstrap, server',
    unit: 'MiB',
    series: 'ours.server.peak-mib',
    target: { value: 150 },
  },
  {
    id: 'memory-client',
    title: 'Peak memory of a bootstrap, client',
    unit: 'MiB',
    series: 'ours.client.peak-mib',
    target: { value: 150 },
  },
  ...clusterSizes.map(
    (size): FigureSpec => ({
      id: `cluster-${size}-healthy`,
      title: `Cluster of ${size} nodes started at once, packages there, start to all healthy`,
      unit: 's',
      series: `ours.cluster-${size}.healthy`,
    }),
  ),
  ...clusterSizes.map(
    (size): FigureSpec => ({
      id: `cluster-${size}-cpu`,
      title: `The same, processor time a node, ${size} nodes`,
      unit: 'CPU s',
      series: `ours.cluster-${size}.cpu`,
      ...(size === largest
        ? {
            against: { series: `ours.cluster-${smallest}.cpu`, title: `that of ${smallest} nodes` },
            target: { ratio: 1.5 },
          }
        : {}),
    }),
  ),
];

/** A figure as bench/results.json has it. */
export interface Result {
  readonly figure: string;
  readonly value: number;
  readonly unit: Unit;
  /** To what it is compared with; null where it is not. */
  readonly ratio: number | null;
  /** In words: `at most 0.5 x the guide's commands`. Null: none. */
  readonly target: string | null;
  readonly met: boolean | null;
  readonly runs: number;
  readonly min: number;
  readonly max: number;
  /** Median absolute deviation. */
  readonly deviation: number;
}

/** The figures whose series were measured, in the order of the list. */
export function resultsOf(samples: Samples): readonly Result[] {
  return figures.flatMap(spec => {
    const found = seriesOf(samples, spec.series);
    if (found.length === 0) return [];
    const { runs, median: value, min, max, deviation } = summarize(found);
    const ratio = ratioOf(samples, spec);
    if (spec.against !== undefined && ratio === undefined) return [];
    return [
      {
        figure: spec.id,
        value: short(value),
        unit: spec.unit,
        ratio: ratio === undefined ? null : short(ratio),
        target: targetOf(spec),
        met: isMet(spec, value, ratio),
        runs,
        min: short(min),
        max: short(max),
        deviation: short(deviation),
      },
    ];
  });
}

/** The noise of the machine over all rounds of a scenario. */
export function noiseOf({ rounds }: Samples[string], series: 'machine.load' | 'machine.loop'): Summary {
  return summarize(rounds.flatMap(round => round[series] ?? []));
}

/** All values of a series, whichever scenario measured it. */
export function seriesOf(samples: Samples, series: string): readonly number[] {
  return Object.values(samples).flatMap(({ rounds }) => rounds.flatMap(round => round[series] ?? []));
}

function ratioOf(samples: Samples, { series, against }: FigureSpec): number | undefined {
  if (against === undefined) return undefined;
  const paired = Object.values(samples).flatMap(({ rounds }) =>
    rounds.flatMap(round => {
      const [value, other] = [round[series], round[against.series]];
      return value === undefined || other === undefined ? [] : [value / other];
    }),
  );
  if (paired.length > 0) return median(paired);
  const other = seriesOf(samples, against.series);
  return other.length === 0 ? undefined : median(seriesOf(samples, series)) / median(other);
}

function targetOf({ target, against, unit }: FigureSpec): string | null {
  if (target === undefined) return null;
  if ('ratio' in target) return `at most ${target.ratio} x ${against?.title ?? ''}`;
  return target.value === 0 ? 'none' : `at most ${target.value} ${unit}`;
}

function isMet({ target }: FigureSpec, value: number, ratio: number | undefined): boolean | null {
  if (target === undefined) return null;
  return 'ratio' in target ? ratio !== undefined && ratio <= target.ratio : value <= target.value;
}

function short(value: number): number {
  return Number(value.toPrecision(3));
}

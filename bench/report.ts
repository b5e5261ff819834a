import { type FigureSpec, figures, noiseOf, type Result, resultsOf, seriesOf } from './figures.ts';
import { type Bar, type Plot, plotSvg } from './plot.ts';
import type { Samples } from './samples.ts';
import { clusterSizes } from './scenarios/cluster.ts';
import { median } from './statistics.ts';

const begin = '<!-- Measured by `make bench`: do not edit what follows. -->';
const end = '<!-- End of what was measured. -->';

/** The page with its measured part anew. Throws when the page has no such part. */
export function withResults(page: string, samples: Samples): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from === -1 || to === -1) throw new Error('the page has no place for the results');
  return `${page.slice(0, from + begin.length)}\n\n${resultsText(samples)}\n${page.slice(to)}`;
}

/** A table of all figures that were measured, the plots, and what they were measured on. */
export function resultsText(samples: Samples): string {
  if (Object.keys(samples).length === 0) return 'Nothing was measured yet.\n';
  const rows = resultsOf(samples).map(result => {
    const spec = figures.find(({ id }) => id === result.figure);
    return spec === undefined ? '' : row(spec, result);
  });
  return [
    '| figure | median | min to max (MAD), runs | against | ratio | target | met |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
    ...Array.from(
      plots(samples).keys(),
      name => `![Plot: ${name.replace(/^benchmark-(.*)\.svg$/, '$1')}](images/${name})\n`,
    ),
    ...Object.entries(samples).map(([scenario, measured]) => {
      const [load, loop] = [noiseOf(measured, 'machine.load'), noiseOf(measured, 'machine.loop')];
      return `- \`${scenario}\`: ${measured.rounds.length} rounds from ${measured.at.slice(0, 16)} UTC, commit ${measured.commit}, Nomad ${measured.nomad}, Consul ${measured.consul}, ${measured.machine}; load average before a round ${number(load.min)} to ${number(load.max)}; a fixed computation took ${number(loop.min)} to ${number(loop.max)} s (MAD ${number(loop.deviation)}).`;
    }),
    '',
  ].join('\n');
}

function row({ title, unit, against }: FigureSpec, result: Result): string {
  const { value, min, max, deviation, runs, ratio, target, met } = result;
  const cells = [
    title,
    `${number(value)} ${unit}`,
    `${number(min)} to ${number(max)} (${number(deviation)}), ${runs}`,
    against?.title ?? '',
    ratio === null ? '' : number(ratio),
    target ?? '',
    met === null ? '' : met ? 'yes' : '**no**',
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The plots that can be drawn of what was measured: file name -> SVG. */
export function plots(samples: Samples): ReadonlyMap<string, string> {
  const drawn = new Map<string, string>();
  const candidates: readonly (readonly [string, Plot])[] = [
    ['benchmark-server.svg', nodePlot('Fresh server: start to Nomad leader', 'server', 'leader', samples)],
    ['benchmark-client.svg', nodePlot('Fresh client: start to ready', 'client', 'ready', samples)],
    ['benchmark-cluster.svg', clusterPlot(samples)],
  ];
  for (const [name, plot] of candidates) {
    if (plot.bars.length > 0) drawn.set(name, plotSvg(plot));
  }
  return drawn;
}

function nodePlot(title: string, role: string, goal: string, samples: Samples): Plot {
  const series = (name: string) => seriesOf(samples, name);
  const whole = (label: string, name: string): readonly Bar[] =>
    series(name).length === 0
      ? []
      : [{ label, parts: [{ name: '', value: median(series(name)) }], dots: series(name) }];
  return {
    title,
    unit: 's',
    bars: [
      ...guideBar(role, goal, samples),
      ...whole('nomad-bootstrap', `ours.${role}.${goal}`),
      ...whole('floor', `floor.${role}.${goal}`),
    ],
  };
}

/** The guide's sequence in its stages; the last is from its start of the agents to the goal. */
function guideBar(role: string, goal: string, samples: Samples): readonly Bar[] {
  const dots = seriesOf(samples, `guide.${role}.${goal}`);
  if (dots.length === 0) return [];
  const stages = ['prerequisites', 'nomad', 'cni', 'consul', 'docker'].map(name => ({
    name,
    value: median(seriesOf(samples, `guide.${role}.stage-${name}`)),
  }));
  const rest = median(dots) - stages.reduce((sum, { value }) => sum + value, 0);
  return [{ label: "the guide's commands", parts: [...stages, { name: 'agents', value: Math.max(0, rest) }], dots }];
}

function clusterPlot(samples: Samples): Plot {
  const bars = clusterSizes.flatMap((size): Bar[] => {
    const dots = seriesOf(samples, `ours.cluster-${size}.cpu`);
    return dots.length === 0 ? [] : [{ label: `${size} nodes`, parts: [{ name: '', value: median(dots) }], dots }];
  });
  return { title: 'Cluster started at once: processor time a node until all are healthy', unit: 'CPU s', bars };
}

function number(value: number): string {
  return String(Number(value.toPrecision(3)));
}

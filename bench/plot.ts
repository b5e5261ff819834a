/** A bar of a plot, in parts that follow each other. */
export interface Bar {
  readonly label: string;
  readonly parts: readonly { readonly name: string; readonly value: number }[];
  /** Each measurement, drawn as a dot. */
  readonly dots: readonly number[];
}

export interface Plot {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
}

const width = 840;
const left = 190;
const right = 60;
const rowHeight = 40;
const top = 44;
/** Told apart also by those who see no colours, and on paper. */
const palette = ['#1b6ca8', '#f2a541', '#6b4c9a', '#3f9b5f', '#c8553d', '#7a7a7a', '#b3b3b3'];

/** Horizontal bars as an SVG with its own white ground, so that it can be read in a dark page. Same input, same bytes. */
export function plotSvg({ title, unit, bars }: Plot): string {
  const ends = bars.flatMap(({ parts, dots }) => [parts.reduce((sum, { value }) => sum + value, 0), ...dots]);
  const step = niceStep(Math.max(...ends));
  const limit = Math.ceil(Math.max(...ends) / step) * step;
  const x = (value: number) => round(left + (value / limit) * (width - left - right));
  const names = [...new Set(bars.flatMap(({ parts }) => parts.map(({ name }) => name)))].filter(name => name !== '');
  const colour = (name: string) => palette[name === '' ? 0 : names.indexOf(name) % palette.length] ?? '#000';
  const bottom = top + bars.length * rowHeight;
  const height = bottom + 34 + (names.length > 0 ? 26 : 0);

  const grid = Array.from({ length: Math.round(limit / step) + 1 }, (_, at) => at * step).flatMap(value => [
    `<line x1="${x(value)}" y1="${top - 6}" x2="${x(value)}" y2="${bottom}" stroke="#ddd"/>`,
    text(x(value), bottom + 18, `${round(value)}`, 'middle', 12),
  ]);
  const rows = bars.flatMap(({ label, parts, dots }, row) => {
    const y = top + row * rowHeight;
    let sum = 0;
    const rectangles = parts.map(({ name, value }) => {
      const start = x(sum);
      sum += value;
      return `<rect x="${start}" y="${y + 4}" width="${round(x(sum) - start)}" height="20" fill="${colour(name)}"><title>${escaped(`${name} ${round(value)} ${unit}`.trim())}</title></rect>`;
    });
    return [
      text(left - 8, y + 19, label, 'end', 13),
      ...rectangles,
      ...dots.map(value => `<circle cx="${x(value)}" cy="${y + 30}" r="2.5" fill="#333" fill-opacity="0.6"/>`),
      text(x(Math.max(sum, ...dots)) + 6, y + 19, `${Number(sum.toPrecision(3))}`, 'start', 13),
    ];
  });
  const legend = names.flatMap((name, at) => {
    const place = 16 + at * Math.floor((width - 32) / Math.max(names.length, 1));
    return [
      `<rect x="${place}" y="${bottom + 34}" width="12" height="12" fill="${colour(name)}"/>`,
      text(place + 17, bottom + 44, name, 'start', 12),
    ];
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(16, 22, `${title} (${unit})`, 'start', 15),
    ...grid,
    ...rows,
    ...legend,
    '</svg>',
  ].join('\n')}\n`;
}

/** 1, 2 or 5 times a power of ten, so that an axis has four to nine lines. */
function niceStep(limit: number): number {
  const power = 10 ** Math.floor(Math.log10(limit / 4));
  return [1, 2, 5, 10].map(factor => factor * power).find(step => limit / step <= 9) ?? limit;
}

function text(x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end', size: number): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}" fill="#222">${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

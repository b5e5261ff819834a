/** How the characters of a screen look. */
interface Style {
  readonly colour: string | undefined;
  readonly bold: boolean;
  readonly dim: boolean;
}

interface Run {
  readonly column: number;
  readonly text: string;
  readonly style: Style;
}

const plain: Style = { colour: undefined, bold: false, dim: false };

/** The eight colours of a terminal, from black to white, and what they are painted over. */
const palette = ['#484f58', '#ff7b72', '#3fb950', '#d29922', '#58a6ff', '#bc8cff', '#39c5cf', '#e6edf3'] as const;
const paper = '#0d1117';
const frame = '#30363d';
const ink = '#e6edf3';
const faded = '#8b949e';

const fontSize = 14;
/** Of the usual monospaced fonts; runs are set to this width, whatever font there is. */
const columnWidth = 8.4;
const lineHeight = 20;
const margin = 20;
const titleHeight = 36;

/**
 * A terminal's screen, as text with the escape sequences that set colours and weight, as a self-contained picture: no font,
 * style sheet or script from elsewhere. It is dark on any page. Throws at any other escape sequence.
 */
export function terminalSvg(screen: string, title: string): string {
  const lines = screen.trimEnd().split('\n').map(readLine(plainStart()));
  const columns = Math.max(...lines.flat().map(run => run.column + run.text.length));
  const width = Math.ceil(columns * columnWidth + 2 * margin);
  const height = titleHeight + lines.length * lineHeight + margin;
  const words = lines.map(runs => runs.map(({ text }) => text).join('')).join('\n');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}">`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(words)}</desc>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="9" fill="${paper}" stroke="${frame}"/>`,
    ...[palette[1], palette[3], palette[2]].map(
      (colour, index) => `<circle cx="${margin + 2 + index * 18}" cy="19" r="5.5" fill="${colour}"/>`,
    ),
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace" font-size="${fontSize}" fill="${ink}" xml:space="preserve">`,
    ...lines.flatMap((runs, index) => runs.map(run => textElement(run, titleHeight + index * lineHeight + fontSize))),
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

function textElement({ column, text, style }: Run, y: number): string {
  const attributes = [
    `x="${round(margin + column * columnWidth)}" y="${y}" textLength="${round(text.length * columnWidth)}"`,
    ...(style.bold ? ['font-weight="bold"'] : []),
    ...(style.colour === undefined ? (style.dim ? [`fill="${faded}"`] : []) : [`fill="${style.colour}"`]),
  ];
  return `<text ${attributes.join(' ')}>${escaped(text)}</text>`;
}

/** The state that goes from one line to the next. */
function plainStart(): { style: Style } {
  return { style: plain };
}

/** Cuts a line into runs of one style, without blank ends. */
function readLine(state: { style: Style }): (line: string) => readonly Run[] {
  return line => {
    const runs: Run[] = [];
    let column = 0;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: -- a terminal is told what to do by control characters.
    for (const [token, parameters] of line.matchAll(/\x1b\[([\d;]*)m|\x1b.?|[^\x1b]+/g)) {
      if (parameters !== undefined) {
        state.style = parameters.split(';').map(Number).reduce(restyle, state.style);
      } else if (token.startsWith('\x1b')) {
        throw new Error(`an escape sequence that sets no colour: ${JSON.stringify(line)}`);
      } else {
        const text = token.trimEnd();
        if (text !== '') runs.push({ column, text, style: state.style });
        column += token.length;
      }
    }
    return runs;
  };
}

/** Source: ECMA-48, 8.3.117 (SGR). */
function restyle(style: Style, parameter: number): Style {
  if (parameter === 0) return plain;
  if (parameter === 1) return { ...style, bold: true };
  if (parameter === 2) return { ...style, dim: true };
  if (parameter === 22) return { ...style, bold: false, dim: false };
  if (parameter === 39) return { ...style, colour: undefined };
  if (parameter === 49) return style; // the background, which is always the paper
  if (parameter >= 30 && parameter <= 37) return { ...style, colour: palette[parameter - 30] };
  if (parameter >= 90 && parameter <= 97) return { ...style, colour: palette[parameter - 90] };
  throw new Error(`a terminal attribute that is not drawn: ${parameter}`);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

import { stripVTControlCharacters, styleText } from 'node:util';

/** What an output stream leads to. */
export interface Terminal {
  /** A person looks at it, and lines that were written can be written over. */
  readonly live: boolean;
  readonly colour: boolean;
  /** Characters beyond ASCII arrive as such. */
  readonly unicode: boolean;
  /** The size now: it changes when the window does. */
  readonly columns: number;
  readonly rows: number;
}

/** The part of `process.stdout` and `process.stderr` that tells about a terminal. */
export interface TerminalStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** A file, a pipe or a log: no person, no colours, ASCII. */
export const noTerminal: Terminal = {
  live: false,
  colour: false,
  unicode: false,
  columns: Number.POSITIVE_INFINITY,
  rows: Number.POSITIVE_INFINITY,
};

/**
 * What a stream can show. NO_COLOR (https://no-color.org: set and not empty) takes the colours away, TERM=dumb
 * everything; the kernel's own console (TERM=linux) and locales other than UTF-8 get ASCII.
 */
export function describeTerminal(
  stream: TerminalStream,
  environment: Readonly<Record<string, string | undefined>>,
): Terminal {
  const { TERM, NO_COLOR, LC_ALL, LC_CTYPE, LANG } = environment;
  if (stream.isTTY !== true || TERM === undefined || TERM === '' || TERM === 'dumb') return noTerminal;
  return {
    live: true,
    colour: NO_COLOR === undefined || NO_COLOR === '',
    unicode: TERM !== 'linux' && /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || ''),
    get columns() {
      return stream.columns || 80;
    },
    get rows() {
      return stream.rows || 24;
    },
  };
}

/** The same terminal, its size still the one of now, with colours unwanted. */
export function withoutColour(terminal: Terminal): Terminal {
  return {
    live: terminal.live,
    colour: false,
    unicode: terminal.unicode,
    get columns() {
      return terminal.columns;
    },
    get rows() {
      return terminal.rows;
    },
  };
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Gives a text a colour or weight. */
export type Paint = (style: Style, text: string) => string;

/** Paints where there are colours, else leaves the text as it is. */
export function paintFor(terminal: Terminal): Paint {
  return terminal.colour ? (style, text) => styleText(style, text, { validateStream: false }) : (_style, text) => text;
}

/** A text from elsewhere (a program's output, a server's message) without anything that a terminal would act on. */
export function printable(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll('\t', '    ')
    .replace(/[^\P{Cc}\n]/gu, '');
}

/** Columns that a line of text takes: never less than it really does, so that what fits by this count fits. */
export function widthOf(line: string): number {
  let width = 0;
  for (const character of line) width += isWide(character.codePointAt(0) ?? 0) ? 2 : 1;
  return width;
}

/** The line cut to at most so many columns, with a mark where it was cut. */
export function truncate(line: string, columns: number, mark: string): string {
  if (widthOf(line) <= columns) return line;
  let kept = '';
  let width = widthOf(mark);
  if (columns < width) return '';
  for (const character of line) {
    width += widthOf(character);
    if (width > columns) break;
    kept += character;
  }
  return kept + mark;
}

/** Hangul, everything from the East Asian blocks on, and emoji. */
function isWide(codePoint: number): boolean {
  return codePoint >= 0x2e80 || (codePoint >= 0x1100 && codePoint <= 0x115f);
}

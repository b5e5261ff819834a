/** What a terminal of this size shows after what was written to it. Wraps like one; knows what the live view sends. */
export interface Screen {
  columns: number;
  readonly rows: number;
  readonly isTTY: true;
  write(text: string): void;
  /** The lines from the top, without trailing blanks; those scrolled away included. */
  lines(): readonly string[];
  cursorVisible(): boolean;
  /** Whether a written line ever went past the right edge. */
  hasWrapped(): boolean;
  /** What was written since the last call, escapes included. */
  taken(): readonly string[];
}

export function createScreen(columns: number, rows = 24): Screen {
  const lines: string[][] = [[]];
  let written: string[] = [];
  let row = 0;
  let column = 0;
  let visible = true;
  let wrapped = false;

  const screen: Screen = {
    columns,
    rows,
    isTTY: true,
    write(text) {
      written.push(text);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: -- a terminal is told what to do by control characters.
      for (const [token, parameter = '', command] of text.matchAll(/\x1b\[([?\d;]*)([A-Za-z])|./gsu)) {
        if (command !== undefined) obey(command, parameter);
        else put(token);
      }
    },
    lines: () => lines.map(line => line.join('').trimEnd()).slice(0, lines.findLastIndex(line => line.length > 0) + 1),
    cursorVisible: () => visible,
    hasWrapped: () => wrapped,
    taken: () => {
      const taken = written;
      written = [];
      return taken;
    },
  };
  return screen;

  function put(character: string): void {
    if (character === '\n') {
      moveTo(row + 1, 0);
    } else if (character === '\r') {
      column = 0;
    } else {
      if (column === screen.columns) {
        wrapped = true;
        moveTo(row + 1, 0);
      }
      const line = lines[row] ?? [];
      while (line.length < column) line.push(' ');
      line[column] = character;
      column += 1;
    }
  }

  function moveTo(nextRow: number, nextColumn: number): void {
    row = nextRow;
    column = nextColumn;
    while (lines.length <= row) lines.push([]);
  }

  function obey(command: string, parameter: string): void {
    if (command === 'A') row = Math.max(0, row - Number(parameter || 1));
    else if (command === 'K') lines[row]?.splice(column);
    else if (command === 'J') {
      lines[row]?.splice(column);
      lines.splice(row + 1);
    } else if (parameter === '?25' && (command === 'h' || command === 'l')) visible = command === 'h';
    else if (command !== 'm') throw new Error(`the screen does not know ESC [ ${parameter} ${command}`);
  }
}

import type { ResourceId, Undo } from './types.ts';

/** Lines that are on disk when `append` returns. */
export interface AppendLog {
  append(line: string): Promise<void>;
  /** All lines, oldest first. A last line that was cut by a crash is left out. */
  lines(): Promise<readonly string[]>;
}

/** One change that was begun, with what takes it back. */
export interface JournalEntry {
  readonly entry: number;
  readonly id: ResourceId;
  readonly undo: Undo;
  /** ISO 8601, by the host's clock, which may have been wrong on a first boot. */
  readonly at: string;
  /** `false`: the run ended between beginning the change and seeing its effect. */
  readonly done: boolean;
}

export interface Journal {
  /** Returns once the entry is on disk. */
  begin(id: ResourceId, undo: Undo): Promise<number>;
  done(entry: number): Promise<void>;
  /** Oldest first; `uninstall` applies their undo from the last to the first, so that the first former state wins. */
  entries(): Promise<readonly JournalEntry[]>;
}

/** A journal of JSON lines: `{entry,id,undo,at}` when a change begins, `{entry,done:true}` when it took effect. */
export function createJournal(log: AppendLog, now: () => Date): Journal {
  let next: Promise<number> | undefined;

  async function read(): Promise<JournalEntry[]> {
    const entries = new Map<number, JournalEntry>();
    for (const line of await log.lines()) {
      const record = JSON.parse(line) as JournalEntry;
      const begun = entries.get(record.entry);
      entries.set(record.entry, begun === undefined ? { ...record, done: false } : { ...begun, done: true });
    }
    return [...entries.values()];
  }

  function takeNumber(): Promise<number> {
    const taken = (next ?? read().then(entries => entries.length)).then(number => number);
    next = taken.then(number => number + 1);
    return taken;
  }

  return {
    async begin(id, undo) {
      const entry = await takeNumber();
      await log.append(JSON.stringify({ entry, id, undo, at: now().toISOString() }));
      return entry;
    },
    done: entry => log.append(JSON.stringify({ entry, done: true })),
    entries: read,
  };
}

import { existsSync, readFileSync, statSync } from 'node:fs';

/** Something that was done to the node while the load went on: `{"at": Unix ms, "label": "…", "until"?: Unix ms}`. */
export interface Mark {
  readonly at: number;
  readonly label: string;
  readonly until?: number;
}

/** A file of marks, one JSON object a line, to which another program appends. */
export class Marks {
  readonly #file: string | null;
  #size = -1;
  all: readonly Mark[] = [];
  /** lines that are no marks */
  malformed = 0;

  constructor(file: string | null) {
    this.#file = file;
  }

  /** Reads what is there now; a file that is not there yet has no marks. */
  refresh(): void {
    if (this.#file === null || !existsSync(this.#file)) return;
    const { size } = statSync(this.#file);
    if (size === this.#size) return;
    this.#size = size;
    const text = readFileSync(this.#file, 'utf8');
    // The last line may be half written.
    const lines = text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter(Boolean);
    const marks = lines.map(parse);
    this.malformed = marks.filter((mark) => mark === null).length;
    this.all = marks.filter((mark) => mark !== null).sort((a, b) => a.at - b.at);
  }
}

function parse(line: string): Mark | null {
  try {
    const { at, label, until } = JSON.parse(line) as Record<string, unknown>;
    if (!Number.isFinite(at) || typeof label !== 'string') return null;
    return { at: at as number, label, ...(Number.isFinite(until) ? { until: until as number } : {}) };
  } catch {
    return null;
  }
}

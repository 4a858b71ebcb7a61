import { SingleBar } from 'cli-progress';

export interface Streams {
  readonly out: NodeJS.WriteStream;
  readonly err: NodeJS.WriteStream;
}

export interface Progress {
  update(done: number, total: number, note?: string): void;
  stop(): void;
}

/**
 * Where results and remarks go: results to stdout (text, or one JSON value a line), remarks and bars to stderr.
 * Colours and bars only on a terminal; NO_COLOR switches the former off (no-color.org).
 */
export class Output {
  readonly json: boolean;
  private readonly streams: Streams;
  private readonly colours: boolean;

  constructor(streams: Streams, options: { json: boolean; noColor: boolean }) {
    this.streams = streams;
    this.json = options.json;
    this.colours = !options.noColor && !options.json && streams.out.isTTY === true;
  }

  /** One result: `text` for people, `value` for programs. */
  result(text: string, value: unknown): void {
    this.streams.out.write(`${this.json ? JSON.stringify(value) : text}\n`);
  }

  /** A remark that is no result; silent under --json. */
  note(text: string): void {
    if (!this.json) this.streams.err.write(`${text}\n`);
  }

  good(text: string): string {
    return this.paint(32, text);
  }

  bad(text: string): string {
    return this.paint(31, text);
  }

  dim(text: string): string {
    return this.paint(2, text);
  }

  /** A bar on a terminal, nothing elsewhere. */
  progress(what: string, unit: string): Progress {
    if (this.json || this.streams.err.isTTY !== true) return { update() {}, stop() {} };
    const bar = new SingleBar({
      format: `${what} [{bar}] {value}/{total} ${unit} {note}`,
      stream: this.streams.err,
      clearOnComplete: true,
      hideCursor: true,
      barsize: 30,
    });
    let started = false;
    return {
      update(done, total, note = '') {
        if (!started) bar.start(total, done, { note });
        else {
          bar.setTotal(total);
          bar.update(done, { note });
        }
        started = true;
      },
      stop() {
        if (started) bar.stop();
      },
    };
  }

  private paint(code: number, text: string): string {
    return this.colours ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

/** What a fuzzed input did that it must not: the run, the input and what happened. */
export class Crash extends Error {
  readonly input: Uint8Array;

  constructor(what: string, input: Uint8Array, cause?: unknown) {
    super(cause instanceof Error ? `${what}: ${cause.stack ?? cause.message}` : what, { cause });
    this.input = input;
  }
}

export interface Runner {
  /** Makes input `run` and puts it through. Throws `Crash`. Runs come in order; one starts at a multiple of `stride`. */
  run(run: number): void | Promise<void>;
  /** bytes held by what is fuzzed, where it can tell: of the kernel, or of the node's process */
  memory(): number;
  /** what the inputs were answered with, for the summary: code → count */
  readonly answers: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

export interface FuzzTarget {
  readonly help: string;
  /** Runs depend on each other only within a stride: `--replay N` starts at the stride that holds N. */
  readonly stride: number;
  open(seed: number): Promise<Runner>;
}

/** Counts answers by code. */
export class Answers extends Map<string, number> {
  note(code: string): void {
    this.set(code, (this.get(code) ?? 0) + 1);
  }
}

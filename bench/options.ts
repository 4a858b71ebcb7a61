/** What every bench is told (main.ts). */
export interface BenchOptions {
  /** multiplies how much is measured; 1 for figures that are published */
  readonly scale: number;
  /** enclaves of the idle bench */
  readonly enclaves: number;
  /** arguments for the Node that runs the node under test, such as --cpu-prof */
  readonly nodeArgs: readonly string[];
  /** another checkout, for benches that compare two; null: none */
  readonly against: string | null;
}

/** `count` at this scale, at least `least`. */
export const scaled = (options: BenchOptions, count: number, least = 1): number =>
  Math.max(least, Math.round(count * options.scale));

/** What Prometheus has scraped, one value a minute, and when it is looked. */
export interface Scene {
  /** by name and labels; values as promtool writes them: `0x5 1x20`, `0+60x30` */
  readonly series: Readonly<Record<string, string>>;
  /** default 20m */
  readonly at?: string;
}

export interface Case {
  readonly fires: Scene;
  readonly quiet: Scene;
}

/** Of every process: alerts on what any Node process exports ask for it. */
export const NODE = 'job="shard",instance="shard-0"';
export const BUILD = { [`enc_build_info{${NODE},role="shard",version="1",secp256k1="native"}`]: '1x300' } as const;

/** A counter that is there from the start, and one that grows by `by` after ten minutes: once, and not for long. */
export function once(counter: string, options: { readonly at?: string; readonly by?: number } = {}): Case {
  const { at = '12m', by = 1 } = options;
  return {
    fires: { series: { [counter]: `0x10 ${by}x300` }, at },
    quiet: { series: { [counter]: '7x310' }, at },
  };
}

/** A gauge that is `bad` for as long as it takes, and one that is so only for a moment. */
export function lasting(gauge: string, good: string, bad: string, at = '20m'): Case {
  return {
    fires: { series: { [gauge]: `${good}x4 ${bad}x300` }, at },
    quiet: { series: { [gauge]: `${good}x4 ${bad}x0 ${good}x300` }, at },
  };
}

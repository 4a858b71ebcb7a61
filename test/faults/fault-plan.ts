/**
 * What goes wrong inside a node, decided before it starts. Calls of the log's `append` and of the guard's `advance` are
 * counted from 1 over all enclaves; the fault named for a call happens at that call.
 */
export type AppendFault =
  /** the records are durable, then the process dies before the guard hears of them */
  | 'die'
  /** the records are durable, the answer is 'unknown' */
  | 'unknown-persisted'
  /** nothing is written, the answer is 'unknown' */
  | 'unknown-lost'
  /** the answer comes late */
  | 'late';

export type AdvanceFault =
  /** the watermark has moved, then the process dies before anything is answered */
  | 'die'
  /** the compare-and-set is refused: the row is another one */
  | 'refuse'
  /** the watermark has moved, the answer is 'unknown' */
  | 'unknown-moved';

export interface FaultPlan {
  readonly append: Readonly<Record<number, AppendFault>>;
  readonly advance: Readonly<Record<number, AdvanceFault>>;
  /** ms by which the node's clock is wrong in this life */
  readonly clock?: number;
  /** ms by which it jumps at each SIGUSR2; the sign changes every time */
  readonly jump?: number;
  /** file to which each fault that happened is appended, a line each, before it takes effect */
  readonly hits: string;
}

/** How the line in `hits` names what happened. */
export const HIT_NAMES = {
  append: {
    die: 'death between append and guard',
    'unknown-persisted': 'unknown outcome that had persisted',
    'unknown-lost': 'unknown outcome that had not persisted',
    late: 'late append',
  },
  advance: {
    die: 'death between guard and answer',
    refuse: 'refused compare-and-set',
    'unknown-moved': 'unknown outcome of the guard',
  },
} as const;

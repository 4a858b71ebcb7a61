/**
 * `proof`: an answer that does not check or contradicts an earlier one. `duplicate`: one commit, two events. `lost`: an
 * acknowledged event that is not where its receipt says. `refused`: a commit or read that the rules allow was refused.
 * `undecided`: nobody could say what became of a commit. `unread`: an enclave that could not be read back in time.
 */
export type FindingKind = 'proof' | 'duplicate' | 'lost' | 'refused' | 'undecided' | 'unread';

export interface Finding {
  readonly kind: FindingKind;
  /** Unix ms */
  readonly at: number;
  readonly enclave: string;
  /** one sentence */
  readonly what: string;
  /** what the node said, as JSON, cut off */
  readonly evidence?: string;
}

export type FindingCounts = Readonly<Record<FindingKind, number>>;

/** Findings that are kept in words, of each kind; all are counted. */
const KEPT = 50;
const EVIDENCE = 4000;

export class Findings {
  readonly counts: Record<FindingKind, number> = {
    proof: 0,
    duplicate: 0,
    lost: 0,
    refused: 0,
    undecided: 0,
    unread: 0,
  };
  readonly #tell: (finding: Finding) => void;

  /** `tell`: gets those that are kept, as they come */
  constructor(tell: (finding: Finding) => void) {
    this.#tell = tell;
  }

  add(kind: FindingKind, enclave: string, what: string, evidence?: unknown): void {
    if (++this.counts[kind] > KEPT) return;
    const found = { kind, at: Date.now(), enclave, what };
    this.#tell(evidence === undefined ? found : { ...found, evidence: cut(evidence) });
  }
}

function cut(evidence: unknown): string {
  const text = JSON.stringify(evidence) ?? String(evidence);
  return text.length > EVIDENCE ? `${text.slice(0, EVIDENCE)}…` : text;
}

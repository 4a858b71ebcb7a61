import { claim } from './check.ts';
import { enclaveIdOf } from './commit.ts';
import type { EncEvent } from './types.ts';

/** Time, and whose turn it is to sign: the Manifest's sequencer, then whom each Migrate names. Events come in order. */
export class Succession {
  /** The first sequencer, and whether the Manifest names it. */
  first = '';
  named = false;
  readonly sequencers: string[] = [];
  last: EncEvent | undefined;
  private readonly expected: string | undefined;
  private successor: string | undefined;

  /** `expected`: the first sequencer, if the caller knows it. */
  constructor(expected: string | undefined) {
    this.expected = expected;
  }

  /** Throws Mismatch. */
  take(event: EncEvent): void {
    const content = event.content as Record<string, unknown> | null;
    if (event.seq === 0) this.begin(event, content);
    else {
      claim(event.timestamp >= (this.last?.timestamp ?? 0), `event ${event.seq} is older than the one before it`);
      claim(
        event.sequencer === (this.successor ?? this.last?.sequencer),
        `event ${event.seq} is signed by a sequencer whose turn it is not`,
      );
    }
    if (this.sequencers.at(-1) !== event.sequencer) this.sequencers.push(event.sequencer);
    this.successor = event.type === 'Migrate' ? String(content?.['new_sequencer']) : undefined;
    this.last = event;
  }

  private begin(event: EncEvent, content: Record<string, unknown> | null): void {
    claim(event.type === 'Manifest', 'the first event is no Manifest');
    const own = enclaveIdOf(event.from, event.content, event.tags) === event.enclave;
    claim(
      own || this.expected,
      "the Manifest is not the one that the enclave's id is made from (of a provisioned enclave name the sequencer)",
    );
    this.first = event.sequencer;
    this.named = own && content?.['sequencer'] === event.sequencer;
    claim(
      content?.['sequencer'] === undefined || content['sequencer'] === event.sequencer,
      'the Manifest names another sequencer',
    );
    claim(
      this.expected === undefined || this.expected === event.sequencer,
      'the first sequencer is not the one expected',
    );
  }
}

import { hasTrait, stateOf, withoutTrait, withState, withTrait } from '../protocol/columns.ts';
import { toJson } from '../protocol/json.ts';
import { type Manifest, readManifest } from '../protocol/manifest.ts';
import { type AccessContent, readContent } from '../protocol/rules-content.ts';
import { claim, told } from './check.ts';
import type { Conversation } from './conversation.ts';
import type { Proofs } from './proofs.ts';
import { query } from './reading.ts';
import type { EncEvent } from './types.ts';

export interface Member {
  readonly id: string;
  readonly state: string;
  readonly traits: readonly string[];
  /**
   * proved: the state tree says the same, as of event `asOf`. pending: changed since, so not provable yet.
   * differs: the state tree says something else, so events that made it are hidden from this reader.
   */
  readonly proof: 'proved' | 'pending' | 'differs';
  /** Only with `differs`: what the tree says. */
  readonly proved?: { readonly state: string; readonly traits: readonly string[] };
}

export interface Members {
  readonly members: readonly Member[];
  /** Last event that the proofs cover; null: no bundle has been closed yet. */
  readonly asOf: number | null;
}

const ACCESS = ['Move', 'Grant', 'Revoke', 'Transfer', 'AC_Bundle'] as const;

/**
 * Who holds which State and traits: the Manifest and the access events that this reader can read, replayed, and each
 * result compared with a proof of the state tree. Needs R on the Manifest, and on Move for the proofs of others.
 */
export async function members(talk: Conversation, proofs: Proofs): Promise<Members> {
  const [genesis] = await query(talk, { seq: 0, limit: 1 });
  if (!genesis) throw new TypeError('This key may not read the Manifest, so the members cannot be worked out.');
  const manifest = told('Query', genesis, () => {
    const read = readManifest(toJson(genesis.content));
    claim(read.ok, 'the Manifest is not valid');
    return read.manifest;
  });
  const history = new History(manifest);
  for (let after = 0; ; ) {
    const page = await query(talk, { type: ACCESS, seq: { start_after: after }, limit: 1000 });
    for (const event of page) history.apply(event);
    if (page.length < 1000) break;
    after = (page.at(-1) as EncEvent).seq;
  }
  const ids = [...history.changes.keys()];
  const { ts } = await proofs.sth();
  const proved = ts === 0 ? [] : await proofs.stateBatch(ids.map((member) => ({ member })));
  const rows = ids.map((id, i): Member => {
    const now = history.at(id, Number.POSITIVE_INFINITY);
    const proof = proved[i];
    if (!proof) return { id, ...named(manifest, now), proof: 'pending' };
    const told = proof.value === null ? 0 : Number.parseInt(proof.value.slice(-8), 16);
    if (told !== history.at(id, proof.asOf))
      return { id, ...named(manifest, now), proof: 'differs', proved: named(manifest, told) };
    return { id, ...named(manifest, now), proof: told === now ? 'proved' : 'pending' };
  });
  const held = rows.filter((row) => row.state !== 'OUTSIDER' || row.traits.length > 0 || row.proof === 'differs');
  return { members: held, asOf: proved[0]?.asOf ?? null };
}

/** Bitmasks over time, by effect only: whether each event was allowed is what `verify` asks. */
class History {
  readonly changes = new Map<string, { seq: number; bits: number }[]>();
  private readonly manifest: Manifest;

  constructor(manifest: Manifest) {
    this.manifest = manifest;
    for (const { identity, bits } of manifest.init) this.set(identity, 0, bits);
  }

  at(id: string, seq: number): number {
    return this.changes.get(id)?.findLast((change) => change.seq <= seq)?.bits ?? 0;
  }

  apply(event: EncEvent): void {
    const read = readContent(this.manifest, event.type as 'Move', toJson(event.content));
    told('Query', event, () =>
      claim(read.ok, `event ${event.seq} (${event.type}) was accepted though its content is not valid`),
    );
    if (!read.ok) return;
    const content = read.content as AccessContent | { type: 'AC_Bundle'; ops: readonly AccessContent[] };
    for (const op of content.type === 'AC_Bundle' ? content.ops : [content]) this.change(event, op);
  }

  private change(event: EncEvent, op: AccessContent): void {
    if (op.type === 'Gate') return;
    const bits = this.at(op.target, event.seq);
    if (op.type === 'Move') this.set(op.target, event.seq, op.to === 0 ? 0 : withState(bits, op.to));
    else if (op.type === 'Revoke') this.set(op.target, event.seq, withoutTrait(bits, op.trait));
    else {
      if (op.type === 'Transfer')
        this.set(event.from, event.seq, withoutTrait(this.at(event.from, event.seq), op.trait));
      this.set(op.target, event.seq, withTrait(this.at(op.target, event.seq), op.trait));
    }
  }

  private set(id: string, seq: number, bits: number): void {
    const changes = this.changes.get(id);
    if (changes) changes.push({ seq, bits });
    else this.changes.set(id, [{ seq, bits }]);
  }
}

function named(manifest: Manifest, bits: number): { state: string; traits: string[] } {
  const traits = manifest.traits.filter((_, i) => hasTrait(bits, i)).map(({ name }) => name);
  return { state: manifest.states[stateOf(bits)] ?? `state ${stateOf(bits)}`, traits };
}

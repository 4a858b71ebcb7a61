import { TYPES } from '../../kernel/kernel.ts';
import {
  DENY,
  hasTrait,
  isActive,
  lostColumns,
  OP_C,
  OP_D,
  OP_U,
  opBit,
  PUBLIC,
  SELF,
  SENDER,
  stateOf,
  TRAIT,
  withoutTrait,
  withState,
  withTrait,
} from '../../protocol/columns.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import type { Manifest, Row } from '../../protocol/manifest.ts';
import type { Rule } from './coverage.ts';

// biome-ignore lint/suspicious/noExplicitAny: contents are whatever JSON the generator made
type Content = any;

interface Target {
  readonly type: string;
  readonly from: string;
  readonly seq: number;
  updated: boolean;
  deleted: boolean;
}

interface Slot {
  readonly key: string;
  /** hex of the author, '' for Shared */
  readonly owner: string;
}

export interface Verdict {
  readonly code: ErrorCode | 'ok';
  readonly rules: readonly Rule[];
  /** index of the failing op of an AC_Bundle */
  readonly op?: number;
}

const LIFECYCLE = new Set(['Pause', 'Resume', 'Terminate', 'Migrate']);

/**
 * A third reading of PROTOCOL §5, small and without any bytes: what the generator believes about an enclave. It steers
 * random commits towards both sides of every rule and names the rules that decided; it judges neither kernel.
 */
export class Model {
  readonly manifest: Manifest;
  bits = new Map<string, number>();
  gates = new Map<string, boolean>();
  slots = new Map<string, Slot>();
  readonly targets = new Map<string, Target>();
  /** who lost a state or a trait lately */
  losers: readonly string[] = [];
  status: 'active' | 'paused' | 'terminated' | 'migrated' = 'active';

  constructor(manifest: Manifest) {
    this.manifest = manifest;
    for (const { identity, bits } of manifest.init) if (bits !== 0) this.bits.set(identity, bits);
    for (const [alias, gate] of manifest.gates) this.gates.set(alias, gate.open);
  }

  bitsOf(who: string): number {
    return this.bits.get(who) ?? 0;
  }

  stateName(who: string): string {
    return this.manifest.states[stateOf(this.bitsOf(who))]!;
  }

  rank(who: string): number {
    if (this.stateName(who) === 'OWNER') return -1;
    const bits = this.bitsOf(who);
    return Math.min(
      Number.POSITIVE_INFINITY,
      ...this.manifest.traits.filter((_, i) => hasTrait(bits, i)).map(({ rank }) => rank),
    );
  }

  /** Which columns let `who` do `op` by these rows. */
  #access(rows: readonly Row[], op: number, who: string, self: boolean, sender: boolean): Verdict {
    const standing = { bits: this.bitsOf(who), self, sender };
    const kinds = new Set<Rule>();
    const rules: Rule[] = [];
    let closed = false;
    let denied = false;
    let open = false;
    let deniedBehindGate = false;
    for (const row of rows) {
      const active = row.operators.filter((column) => isActive(column, standing));
      if (active.length === 0) continue;
      const shut = row.alias !== undefined && this.gates.get(row.alias) !== true;
      if (row.ops & (op << DENY)) {
        denied = true;
        deniedBehindGate ||= shut;
      }
      if ((row.ops & op) === 0) continue;
      if (shut) closed = true;
      else {
        open ||= row.alias !== undefined;
        for (const column of active) kinds.add(kindOf(column));
      }
    }
    if (denied) {
      if (kinds.size > 0 || closed) rules.push('deny wins');
      if (deniedBehindGate && kinds.size > 0) rules.push('denial ignores its gate');
      return { code: 'forbidden', rules };
    }
    if (kinds.size > 0) {
      if (kinds.size === 1) rules.push(...kinds);
      if (open) rules.push('gate open');
      if (closed) rules.push('gate closed, another row allows');
      return { code: 'ok', rules };
    }
    return closed ? { code: 'gate_closed', rules: ['gate closed'] } : { code: 'forbidden', rules: ['no row allows'] };
  }

  /** What a commit of well-shaped content will be answered, as far as rights and state go. */
  decide(type: string, content: Content, from: string, targetId?: string): Verdict {
    if (this.status === 'terminated') return { code: 'enclave_terminated', rules: [] };
    if (this.status === 'migrated') return { code: 'enclave_migrated', rules: [] };
    if (this.status === 'paused' && !['Resume', 'Terminate', 'Migrate'].includes(type))
      return { code: 'enclave_paused', rules: [] };
    const verdict = this.#decide(type, content, from, targetId);
    return this.status === 'paused' && verdict.code === 'ok'
      ? { ...verdict, rules: [...verdict.rules, 'paused: passes'] }
      : verdict;
  }

  #decide(type: string, content: Content, from: string, targetId?: string): Verdict {
    if (LIFECYCLE.has(type)) return this.#lifecycle(type, content, from);
    switch (type) {
      case 'Move':
        return this.#move(content, from);
      case 'Grant':
      case 'Revoke':
        return this.#grant(type, content, from);
      case 'Transfer':
        return this.#transfer(content, from);
      case 'Gate': {
        const gate = this.manifest.gates.get(content.alias);
        if (!gate) return { code: 'invalid_content', rules: [] };
        const standing = { bits: this.bitsOf(from), self: false, sender: false };
        if (!gate.operators.some((column) => isActive(column, standing)))
          return { code: 'forbidden', rules: ['gate by a stranger'] };
        if (this.gates.get(content.alias) === content.open) return { code: 'no_change', rules: ['gate unchanged'] };
        return { code: 'ok', rules: ['gate set'] };
      }
      case 'AC_Bundle':
        return this.#bundle(content, from);
      case 'Shared':
      case 'Own':
        return this.#slot(type, content, from);
      case 'Update':
      case 'Delete':
        return this.#target(type, from, targetId ?? content.target);
      default: {
        const rows = this.manifest.customs.filter((row) => row.event === type);
        return this.#access(rows, OP_C, from, false, false);
      }
    }
  }

  #move(content: Content, from: string): Verdict {
    const [a, b] = [this.manifest.states.indexOf(content.from), this.manifest.states.indexOf(content.to)];
    if (a < 0 || b < 0) return { code: 'invalid_content', rules: [] };
    const rows = this.manifest.moves.filter((row) => row.from === a && row.to === b);
    const access = this.#access(rows, OP_C, from, content.target === from, false);
    if (access.code !== 'ok') return access;
    if (stateOf(this.bitsOf(content.target)) !== a) return { code: 'state_mismatch', rules: ['move: state mismatch'] };
    const rank = this.#rankRule(from, content.target);
    if (rank) return rank;
    if (
      b === 0 &&
      this.manifest.traits.some((trait, i) => trait.rank === 0 && hasTrait(this.bitsOf(content.target), i))
    ) {
      return { code: 'owner_must_transfer', rules: ['move: owner must transfer'] };
    }
    return {
      code: 'ok',
      rules: [
        ...access.rules,
        ...(b === 0 ? (['move: to OUTSIDER'] as const) : []),
        ...(content.target === from ? [] : (['rank: passed'] as const)),
      ],
    };
  }

  #rankRule(actor: string, target: string, trait?: number, own = false): Verdict | null {
    const mine = this.rank(actor);
    const theirs = this.rank(target);
    const who: Rule[] =
      mine === -1 ? ['rank: OWNER'] : mine === Number.POSITIVE_INFINITY ? ['rank: sender has none'] : [];
    if (actor !== target && theirs !== Number.POSITIVE_INFINITY && theirs <= mine)
      return { code: 'rank', rules: ['rank: target', ...who] };
    if (trait !== undefined && !own) {
      const rank = this.manifest.traits[trait]!.rank;
      if (!(rank > (mine === Number.POSITIVE_INFINITY ? 0 : mine)))
        return { code: 'rank', rules: ['rank: trait', ...who] };
    }
    return null;
  }

  #traitAccess(type: string, content: Content, from: string): { verdict: Verdict; trait: number } {
    const trait = this.manifest.traits.findIndex(({ name }) => name === content.trait);
    if (trait < 0) return { verdict: { code: 'invalid_content', rules: [] }, trait };
    const state = stateOf(this.bitsOf(content.target));
    const rows = this.manifest.grants.filter(
      (row) => row.event === type && row.scope.includes(state) && row.traits.includes(trait),
    );
    return { verdict: this.#access(rows, OP_C, from, content.target === from, false), trait };
  }

  #grant(type: string, content: Content, from: string): Verdict {
    const { verdict, trait } = this.#traitAccess(type, content, from);
    if (verdict.code !== 'ok') return verdict;
    const own = type === 'Revoke' && content.target === from;
    const refused = this.#rankRule(from, content.target, trait, own);
    if (refused) return refused;
    const held = hasTrait(this.bitsOf(content.target), trait);
    if (held === (type === 'Grant')) return { code: 'no_change', rules: [held ? 'grant: held' : 'revoke: absent'] };
    const exempt = own && this.#rankRule(from, content.target, trait) !== null;
    return { code: 'ok', rules: [...verdict.rules, ...(exempt ? (['rank: own trait is exempt'] as const) : [])] };
  }

  #transfer(content: Content, from: string): Verdict {
    const { verdict, trait } = this.#traitAccess('Transfer', content, from);
    if (verdict.code !== 'ok') return verdict;
    if (!hasTrait(this.bitsOf(from), trait)) return { code: 'forbidden', rules: ['transfer: not held'] };
    if (content.target === from || hasTrait(this.bitsOf(content.target), trait))
      return { code: 'no_change', rules: ['transfer: no change'] };
    return { code: 'ok', rules: [...verdict.rules, 'transfer'] };
  }

  #bundle(content: Content, from: string): Verdict {
    const { bits, gates } = this;
    try {
      return this.#tryBundle(content, from);
    } finally {
      this.bits = bits;
      this.gates = gates;
    }
  }

  #tryBundle(content: Content, from: string): Verdict {
    const before = { bits: this.bits, gates: this.gates };
    this.bits = new Map(this.bits);
    this.gates = new Map(this.gates);
    const rules: Rule[] = ['bundle: applied'];
    for (const [index, op] of content.ops.entries()) {
      const verdict = this.#decide(op.type, op.content, from);
      const now = { bits: this.bits, gates: this.gates };
      if (index > 0) {
        this.bits = before.bits;
        this.gates = before.gates;
        const alone = this.#decide(op.type, op.content, from);
        if (alone.code !== verdict.code) rules.push('bundle: op sees earlier op');
        this.bits = now.bits;
        this.gates = now.gates;
      }
      if (verdict.code !== 'ok') {
        return {
          code: verdict.code,
          rules: [...rules.slice(1), ...verdict.rules, ...(index > 0 ? (['bundle: later op fails'] as const) : [])],
          op: index,
        };
      }
      rules.push(...verdict.rules);
      this.#change(op.type, op.content, from);
    }
    return { code: 'ok', rules };
  }

  #slot(type: string, content: Content, from: string): Verdict {
    const rows = this.manifest.slots.filter(
      (row) => row.event === type && (row.prefix ? content.key.startsWith(row.key) : content.key === row.key),
    );
    const present = this.slots.has(slotId(type, content.key, from));
    const op = content.delete === true ? OP_D : present ? OP_U : OP_C;
    // Only its author can have written what an Own slot holds.
    const verdict = this.#access(rows, op, from, false, type === 'Own' && op !== OP_C);
    if (verdict.code !== 'ok') return rows.length === 0 ? { ...verdict, rules: ['slot: none'] } : verdict;
    if (op === OP_D && !present) return { code: 'no_change', rules: ['slot: absent'] };
    const by: Rule = rows.every((row) => row.prefix) ? 'slot: prefix' : 'slot: exact';
    return {
      code: 'ok',
      rules: [...verdict.rules, by, op === OP_C ? 'slot: create' : op === OP_U ? 'slot: update' : 'slot: delete'],
    };
  }

  #target(type: string, from: string, id: string): Verdict {
    const target = this.targets.get(id);
    if (!target) return { code: 'event_not_found', rules: ['target: not found'] };
    if ((TYPES as readonly string[]).includes(target.type))
      return { code: 'event_not_found', rules: ['target: not content'] };
    const rows = this.manifest.customs.filter((row) => row.event === target.type);
    const verdict = this.#access(rows, type === 'Update' ? OP_U : OP_D, from, false, target.from === from);
    if (verdict.code !== 'ok') return verdict;
    if (target.deleted) return { code: 'deleted', rules: ['target: already deleted'] };
    return { code: 'ok', rules: [...verdict.rules, type === 'Update' ? 'target: updated' : 'target: deleted'] };
  }

  #lifecycle(type: string, _content: Content, from: string): Verdict {
    const rows = this.manifest.lifecycle.filter((row) => row.event === type);
    let rules: Rule[] = ['lifecycle: row'];
    if (rows.length > 0) {
      const verdict = this.#access(rows, OP_C, from, false, false);
      if (verdict.code !== 'ok') return { ...verdict, rules: ['lifecycle: refused'] };
    } else {
      const zero = this.manifest.traits.some(({ rank }) => rank === 0);
      const allowed = zero
        ? this.manifest.traits.some(({ rank }, i) => rank === 0 && hasTrait(this.bitsOf(from), i))
        : this.stateName(from) === 'OWNER';
      if (!allowed) return { code: 'forbidden', rules: ['lifecycle: refused'] };
      rules = [zero ? 'lifecycle: rank-0 default' : 'lifecycle: OWNER default'];
    }
    if (type === 'Resume' && this.status === 'active')
      return { code: 'no_change', rules: ['lifecycle: resume when active'] };
    return { code: 'ok', rules };
  }

  /** Takes an accepted commit's effect over. */
  apply(type: string, content: Content, from: string): void {
    if (type === 'AC_Bundle') for (const op of content.ops) this.#change(op.type, op.content, from);
    else this.#change(type, content, from);
  }

  #change(type: string, content: Content, from: string): void {
    const traitOf = (): number => this.manifest.traits.findIndex(({ name }) => name === content.trait);
    const set = (who: string, bits: number): void => {
      if (lostColumns(this.bitsOf(who), bits).length > 0) this.losers = [...this.losers.slice(-5), who];
      if (bits === 0) this.bits.delete(who);
      else this.bits.set(who, bits);
    };
    switch (type) {
      case 'Move': {
        const to = this.manifest.states.indexOf(content.to);
        return set(content.target, to === 0 ? 0 : withState(this.bitsOf(content.target), to));
      }
      case 'Grant':
        return set(content.target, withTrait(this.bitsOf(content.target), traitOf()));
      case 'Revoke':
        return set(content.target, withoutTrait(this.bitsOf(content.target), traitOf()));
      case 'Transfer':
        set(from, withoutTrait(this.bitsOf(from), traitOf()));
        return set(content.target, withTrait(this.bitsOf(content.target), traitOf()));
      case 'Gate':
        this.gates.set(content.alias, content.open);
        return;
      case 'Shared':
      case 'Own':
        if (content.delete === true) this.slots.delete(slotId(type, content.key, from));
        else this.slots.set(slotId(type, content.key, from), { key: content.key, owner: type === 'Own' ? from : '' });
        return;
      case 'Update': {
        const target = this.targets.get(content.target);
        if (target) target.updated = true;
        return;
      }
      case 'Delete': {
        const target = this.targets.get(content.target);
        if (target) target.deleted = true;
        return;
      }
      case 'Pause':
        this.status = 'paused';
        return;
      case 'Resume':
        this.status = 'active';
        return;
      case 'Terminate':
        this.status = 'terminated';
        return;
      case 'Migrate':
        this.status = 'migrated';
    }
  }

  /** How `who` may read an event of `type` written by `from`, about `target`, seq aside. */
  reading(
    type: string,
    who: string,
    from: string,
    target: string | undefined,
    op: 'R' | 'P',
  ): { readers: boolean; row: Rule | null; denied: boolean; retained: boolean } {
    const standing = {
      bits: this.bitsOf(who),
      self: ['Move', 'Grant', 'Revoke', 'Transfer'].includes(type) && target === who,
      sender: from === who,
    };
    const rows: readonly (Row & { event: string })[] = [...this.manifest.customs, ...this.manifest.slots].filter(
      (row) => row.event === type,
    );
    const covering = this.manifest.readers.filter((row) => row.reads === '*' || row.reads.has(type));
    const bit = opBit(op);
    const active = rows.filter((row) => row.operators.some((column) => isActive(column, standing)));
    const granting = active
      .filter((row) => row.ops & bit)
      .flatMap((row) => row.operators.filter((column) => isActive(column, standing)));
    return {
      readers: covering.some((row) => isActive(row.column, standing)),
      row: granting.length === 0 ? null : kindOf(granting[0]!),
      denied: active.some((row) => row.ops & (bit << DENY)),
      retained: covering.some((row) => row.snapshot && !isActive(row.column, standing)),
    };
  }
}

function kindOf(column: number): Rule {
  if (column === 0) return 'allow by OUTSIDER';
  if (column < TRAIT) return 'allow by state';
  if (column < PUBLIC) return 'allow by trait';
  return column === SELF ? 'allow by Self' : column === SENDER ? 'allow by Sender' : 'allow by Public';
}

export function slotId(type: string, key: string, from: string): string {
  return type === 'Own' ? `own ${from} ${key}` : `shared ${key}`;
}

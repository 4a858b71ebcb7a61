/** One deliberate fault in the reference kernel or in the rules that it stands on. */
export interface Mutation {
  readonly name: string;
  /** path from the project's root */
  readonly file: string;
  /** exact text, found exactly once */
  readonly text: string;
  readonly fault: string;
  /** of a run that shows it soon */
  readonly seed?: number;
}

const rules = 'protocol/rules.ts';
const access = 'protocol/rules-access.ts';
const kernel = 'kernel/reference/kernel.ts';
const judge = 'kernel/reference/judge.ts';
const staged = 'kernel/reference/staged.ts';
const state = 'kernel/reference/state.ts';
const sealed = 'kernel/reference/sealed-log.ts';
const reads = 'kernel/reference/reads.ts';
const readRules = 'protocol/read-rules.ts';
const bundles = 'protocol/bundle-tree.ts';
const ct = 'protocol/ct.ts';
const smt = 'protocol/smt.ts';
const apply = 'kernel/reference/apply.ts';

/** Faults that parity must find: each is a rule of PROTOCOL got slightly wrong. */
export const MUTATIONS: readonly Mutation[] = [
  { name: 'deny does not win', file: rules, text: "if (row.ops & (op << DENY)) return 'forbidden';", fault: '' },
  {
    name: 'a denial needs its gate open',
    file: rules,
    text: 'if (row.ops & (op << DENY)) return',
    fault: 'if (row.ops & (op << DENY) && (row.alias === undefined || gateOpen(row.alias))) return',
  },
  {
    name: 'a closed gate beats another row',
    file: rules,
    text: "else if (verdict === 'forbidden') verdict = 'gate_closed'",
    fault: "else verdict = 'gate_closed'",
    seed: 6,
  },
  {
    name: 'gates are ignored',
    file: rules,
    text: 'if (row.alias === undefined || gateOpen(row.alias))',
    fault: 'if (row.alias !== null)',
  },
  {
    name: 'a slot prefix must be the whole key',
    file: rules,
    text: '(row.prefix ? key.startsWith(row.key)',
    fault: '(row.prefix ? key === row.key',
  },
  {
    name: 'an exact slot key matches as a prefix',
    file: rules,
    text: '!prefix && key === row.key',
    fault: '!prefix && key.startsWith(row.key)',
    seed: 3,
  },
  {
    name: 'rank: < for ≤ on the target',
    file: access,
    text: 'Number.isFinite(rank) && rank <= rankOf(manifest, actor)',
    fault: 'Number.isFinite(rank) && rank < rankOf(manifest, actor)',
  },
  {
    name: 'rank: < for ≤ on the trait',
    file: access,
    text: 'if (!exempt && rank <= floor)',
    fault: 'if (!exempt && rank < floor)',
    seed: 2,
  },
  {
    name: 'rank: infinity may grant rank 0',
    file: access,
    text: 'Number.isFinite(authority) ? authority : 0',
    fault: 'Number.isFinite(authority) ? authority : -1',
    seed: 2,
  },
  { name: 'rank: OWNER is no rank', file: access, text: "=== 'OWNER') return -1", fault: "=== 'OWNED') return -1" },
  {
    name: 'rank: the highest number counts',
    file: access,
    text: 'return Math.min( ...manifest.traits.map(({ rank }, trait) => (hasTrait(bits, trait) ? rank : Number.POSITIVE_INFINITY)), )',
    fault: 'return Math.max(...manifest.traits.map(({ rank }, trait) => (hasTrait(bits, trait) ? rank : -2)), -2)',
  },
  {
    name: 'one may not revoke an own trait',
    file: access,
    text: "const exempt = self && content.type === 'Revoke'",
    fault: 'const exempt = false',
  },
  {
    name: 'one may grant oneself anything',
    file: access,
    text: "const exempt = self && content.type === 'Revoke'",
    fault: 'const exempt = self',
    seed: 2,
  },
  {
    name: 'an owner may be moved out',
    file: access,
    text: "if (move.to === 0 && holdsRankZero(manifest, target)) return 'owner_must_transfer';",
    fault: '',
  },
  {
    name: 'state_mismatch before forbidden',
    file: access,
    text: '  if (refused !== null) return refused;\n  if (stateOf(target) !== move.from)',
    fault:
      "  if (stateOf(target) !== move.from) return 'state_mismatch';\n  if (refused !== null) return refused;\n  if (stateOf(target) !== move.from)",
  },
  {
    name: 'OUTSIDER keeps the traits',
    file: access,
    text: 'move.to === 0 ? 0 : withState(target, move.to)',
    fault: 'withState(target, move.to)',
  },
  {
    name: 'the scope is the sender’s state',
    file: access,
    text: 'row.scope.includes(stateOf(target))',
    fault: 'row.scope.includes(stateOf(actor))',
  },
  {
    name: 'a transfer keeps the trait',
    file: access,
    text: '  state.setBits(sender, withoutTrait(actor, content.trait));\n',
    fault: '',
  },
  {
    name: 'Self is forgotten',
    file: access,
    text: 'return { bits, self, sender: false };',
    fault: 'return { bits, self: false, sender: false };',
  },
  {
    name: 'Sender is forgotten',
    file: 'protocol/rules-target.ts',
    text: 'sender: target.from === sender.id',
    fault: 'sender: false',
    seed: 2,
  },
  {
    name: 'Sender is forgotten in reading',
    file: 'protocol/read-rules.ts',
    text: 'sender: event.sender };',
    fault: 'sender: false };',
    seed: 3,
  },
  {
    name: 'deleted before forbidden',
    file: 'protocol/rules-target.ts',
    text: 'if (refused !== null) return refused;',
    fault: "if (deleted) return 'deleted';\n  if (refused !== null) return refused;",
    seed: 2,
  },
  {
    name: 'a slot that is there takes C',
    file: 'protocol/rules-slots.ts',
    text: 'present ? OP_U : OP_C',
    fault: 'OP_C',
    seed: 10,
  },
  {
    name: 'deleting what is absent is fine',
    file: 'protocol/rules-slots.ts',
    text: "return content.delete && !present ? 'no_change' : null;",
    fault: 'return null;',
    seed: 3,
  },
  {
    name: 'lifecycle default beside rows',
    file: 'protocol/rules-lifecycle.ts',
    text: 'if (rows.length > 0) return',
    fault: 'if (rows.length > 0 && manifest.traits.length === 0) return',
    seed: 3,
  },
  {
    name: 'OWNER may end what has rank-0 traits',
    file: 'protocol/rules-lifecycle.ts',
    text: "return holdsRankZero(manifest, bits) ? null : 'forbidden';",
    fault: "return holdsRankZero(manifest, bits) || manifest.states[stateOf(bits)] === 'OWNER' ? null : 'forbidden';",
  },
  {
    name: 'paused lets Resume only pass',
    file: 'protocol/rules-lifecycle.ts',
    text: "&& type !== 'Resume' && type !== 'Terminate'",
    fault: "&& type !== 'Resume'",
    seed: 2,
  },
  {
    name: 'Migrate does not look at the CT root',
    file: 'protocol/rules-lifecycle.ts',
    text: ' && content.ctRoot === ctRoot',
    fault: '',
  },
  {
    name: 'a bundle is one event longer',
    file: staged,
    text: 'size + 1 === state.manifest.size',
    fault: 'size === state.manifest.size',
  },
  { name: 'a bundle is due one millisecond late', file: kernel, text: 't >= dueAt', fault: 't > dueAt', seed: 2 },
  {
    name: 'Terminate leaves the bundle open',
    file: staged,
    text: "new Set(['Terminate', 'Migrate'])",
    fault: "new Set(['Migrate'])",
    seed: 2,
  },
  {
    name: 'exp = T is accepted',
    file: judge,
    text: "if (c.exp <= t) return 'expired';",
    fault: "if (c.exp < t) return 'expired';",
  },
  {
    name: 'exp = T + window is refused',
    file: judge,
    text: 'c.exp > t + staged.params.expWindow',
    fault: 'c.exp >= t + staged.params.expWindow',
  },
  {
    name: 'the clock may step back',
    file: kernel,
    text: 'const t = Math.max(now, timestamp);',
    fault: 'const t = now;',
  },
  {
    name: 'signature before hash',
    file: judge,
    text: "if ((c.flags & IC_HASH_OK) === 0) return 'invalid_hash';",
    fault:
      "if (flags & STAGE_FORGED || ((flags & STAGE_VERIFIED) === 0 && !host.verify(c.flags & IC_ECDSA ? 1 : 0, c.from, c.hash, c.sig))) return 'invalid_signature';\n  if ((c.flags & IC_HASH_OK) === 0) return 'invalid_hash';",
  },
  {
    name: 'status before duplicate',
    file: kernel,
    text: 'const original = staged.recents.seqOf(c.hash);\n    if (original >= 0) {',
    fault:
      "const original = staged.recents.seqOf(c.hash);\n    if (original >= 0 && staged.state?.status === 'active') {",
    seed: 4,
  },
  {
    name: 'a duplicate is forgotten while it is valid',
    file: 'kernel/reference/recents.ts',
    text: 'if (exp <= timestamp) this.rows.delete(hash)',
    fault: 'if (exp <= timestamp + 20_000) this.rows.delete(hash)',
  },
  {
    name: 'recents are not exported',
    file: 'kernel/reference/recents.ts',
    text: 'seq >= fromSeq && seq <= toSeq',
    fault: 'seq > fromSeq && seq <= toSeq',
  },
  {
    name: 'a full enclave takes no Revoke',
    file: judge,
    text: "'Delete', 'Revoke', 'Pause'",
    fault: "'Delete', 'Pause'",
  },
  {
    name: 'no rollback in AC_Bundle',
    file: apply,
    text: 'return refusal === null ? { ok: true, state: overlay.state }',
    fault: 'return refusal === null || refusal.op > 0 ? { ok: true, state: overlay.state }',
  },
  {
    name: 'AC_Bundle does not see its earlier ops',
    file: state,
    text: 'return bitsOf(this.state, identity);',
    fault: 'return bitsOf(this.first, identity);',
  },
  {
    name: 'a mark stays at the first loss',
    file: state,
    text: 'state.manifest.marked.has(column)',
    fault: "state.manifest.marked.has(column) && !state.marks.has(identity + ':' + column)",
    seed: 8,
  },
  {
    name: 'retention ends one event early',
    file: readRules,
    text: 'reader.mark(row.column) >= event.seq',
    fault: 'reader.mark(row.column) > event.seq',
    seed: 3,
  },
  {
    name: '_R does not deny a readers row',
    file: readRules,
    text: 'if (rows.some((row) => row.ops & (OP_R << DENY)',
    fault: 'if (rows.some((row) => row.ops & (0 << DENY)',
    seed: 10,
  },
  {
    name: 'Pull does not know P',
    file: readRules,
    text: '(pull && decide(rows, OP_P',
    fault: '(!pull && decide(rows, OP_P',
  },
  {
    name: 'an Update is readable by its own type',
    file: readRules,
    text: 'mayRead(manifest, reader, event, pull) && mayRead(manifest, reader, target, pull)',
    fault: 'mayRead(manifest, reader, event, pull)',
    seed: 6,
  },
  { name: 'gates begin open', file: state, text: '?.open ?? false)', fault: '?.open ?? true) || true' },
  {
    name: 'a zero bitmask keeps its leaf',
    file: state,
    text: 'bits === 0 ? null : smtNumber(bits)',
    fault: 'smtNumber(bits)',
  },
  {
    name: 'active has a status leaf',
    file: state,
    text: 'number === 0 ? null : smtNumber(number)',
    fault: 'smtNumber(number)',
  },
  {
    name: 'the first event after take-over keeps the status leaf',
    file: apply,
    text: 'const state = takeOver ? activated(before) : before;',
    fault: "const state = takeOver ? { ...before, status: 'active' as const } : before;",
    seed: 9,
  },
  {
    name: 'an odd node is hashed with itself',
    file: bundles,
    text: 'right === undefined ? left : bundleNode(left, right)',
    fault: 'bundleNode(left, right ?? left)',
  },
  {
    name: 'a carried node is a sibling',
    file: bundles,
    text: 'const sibling = level[at ^ 1];',
    fault: 'const sibling = level[at ^ 1] ?? level[at];',
  },
  {
    name: 'the bundle root is over one event less',
    file: sealed,
    text: 'const root = eventsRoot(this.open);',
    fault: 'const root = eventsRoot(this.open.slice(0, Math.max(1, this.open.length - 1)));',
  },
  {
    name: 'the leaf names the last seq',
    file: sealed,
    text: 'ctLeafData(root, item.stateHash, item.firstSeq, item.size)',
    fault: 'ctLeafData(root, item.stateHash, item.firstSeq + item.size - 1, item.size)',
  },
  {
    name: 'the tree head counts one bundle less',
    file: sealed,
    text: 'sign(sthMessage(this.enclave, item.t, this.ct.size, r))',
    fault: 'sign(sthMessage(this.enclave, item.t, Math.max(0, this.ct.size - 1), r))',
  },
  { name: 'the chain begins at zero', file: sealed, text: 'this.chain = enclave;', fault: 'this.chain = ZERO32;' },
  {
    name: 'CT: trees are cut in the middle',
    file: ct,
    text: 'return 2 ** (Math.ceil(Math.log2(n)) - 1);',
    fault: 'return Math.floor(n / 2);',
  },
  {
    name: 'CT: a consistency proof drops its first node',
    file: ct,
    text: 'if (!whole) plan.push(cover(lo, hi));',
    fault: '',
  },
  {
    name: 'SMT: a lone leaf stays below',
    file: smt,
    text: 'if (left === null && right !== null && isLeaf(right)) return right;',
    fault: '',
  },
  { name: 'SMT: least significant bit first', file: smt, text: '>> (7 - (depth & 7))', fault: '>> (depth & 7)' },
  { name: 'SMT: proofs from root to leaf', file: smt, text: '  siblings.reverse();\n', fault: '' },
  {
    name: 'session: 61 s are forgiven',
    file: 'protocol/session.ts',
    text: 'seconds - SESSION_LEEWAY',
    fault: 'seconds - SESSION_LEEWAY - 1',
    seed: 3,
  },
  {
    name: 'session: no upper end',
    file: 'protocol/session.ts',
    text: 'expires > seconds + SESSION_LIFETIME + SESSION_LEEWAY',
    fault: 'expires > 2 ** 32',
    seed: 2,
  },
  {
    name: 'filter: end_before includes its end',
    file: 'protocol/filter-match.ts',
    text: 'n <= filter.to',
    fault: 'n <= filter.to + 1',
    seed: 2,
  },
  {
    name: 'proofs against the open state',
    file: reads,
    text: 'const { tree, index } = view.closed;',
    fault: 'const { index } = view.closed;\n  const { tree } = view.state;',
  },
  {
    name: 'everybody may prove any rbac key',
    file: reads,
    text: "equalBytes(key, request.from) || may('Move')",
    fault: 'true',
  },
  {
    name: 'the Manifest’s path is not escaped',
    file: 'protocol/manifest-shape.ts',
    text: ".replaceAll('~', '~0')",
    fault: '',
  },
  {
    name: 'names before In and Out',
    file: 'protocol/manifest.ts',
    text: 'checkNames(shape);\n    checkInAndOut(shape);',
    fault: 'checkInAndOut(shape);\n    checkNames(shape);',
  },
  {
    name: 'depth 33 is fine',
    file: 'protocol/json.ts',
    text: 'export const MAX_DEPTH = 32;',
    fault: 'export const MAX_DEPTH = 33;',
    seed: 10,
  },
  {
    name: '2^53 is an integer',
    file: 'protocol/bytes.ts',
    text: 'export const MAX_INTEGER = Number.MAX_SAFE_INTEGER;',
    fault: 'export const MAX_INTEGER = 2 ** 53;',
  },
  {
    name: '33 tags',
    file: 'protocol/limits.ts',
    text: 'export const MAX_TAGS = 32;',
    fault: 'export const MAX_TAGS = 33;',
  },
];

import { TYPES } from '../../kernel/kernel.ts';
import { ERRORS } from '../../protocol/errors.ts';
import { BREAKAGES } from './breakages.ts';

/** Errors that only the host makes: no sequence of kernel calls answers them. */
const HOST_ERRORS = new Set([
  'invalid_snapshot',
  'unauthorized',
  'invalid_route',
  'rate_limited',
  'unavailable',
  'fenced',
  'enclave_regressed',
  'overloaded',
  'internal',
]);

/** Every rule of PROTOCOL §5–§7 that a run must have reached, as `model.ts`, `reads.ts` and `life.ts` name them. */
export const RULES = [
  'allow by state',
  'allow by OUTSIDER',
  'allow by trait',
  'allow by Self',
  'allow by Sender',
  'allow by Public',
  'no row allows',
  'deny wins',
  'gate closed',
  'gate open',
  'gate closed, another row allows',
  'denial ignores its gate',
  'gate set',
  'gate unchanged',
  'gate by a stranger',
  'rank: target',
  'rank: trait',
  'rank: sender has none',
  'rank: OWNER',
  'rank: own trait is exempt',
  'rank: passed',
  'move: state mismatch',
  'move: owner must transfer',
  'move: to OUTSIDER',
  'transfer',
  'transfer: not held',
  'transfer: no change',
  'grant: held',
  'revoke: absent',
  'bundle: applied',
  'bundle: later op fails',
  'bundle: op sees earlier op',
  'slot: exact',
  'slot: prefix',
  'slot: none',
  'slot: create',
  'slot: update',
  'slot: delete',
  'slot: absent',
  'target: updated',
  'target: deleted',
  'target: already deleted',
  'target: not found',
  'target: not content',
  'lifecycle: row',
  'lifecycle: refused',
  'lifecycle: rank-0 default',
  'lifecycle: OWNER default',
  'lifecycle: resume when active',
  'migrate: prev_seq',
  'migrate: ct_root',
  'migrate: done',
  'take-over: first event',
  'paused: passes',
  'retry: sealed',
  'retry: unsealed',
  'retry: after end of life',
  'retry: expired',
  'bundle closed by size',
  'bundle closed by time',
  'bundle closed by hand',
  'bundle closed by lifecycle',
  'clock goes backwards',
  'three batches in flight',
  'quota: refused',
  'quota: passes',
  'read-only',
  'provisioned: creator',
  'provisioned: admin',
  'provisioned: stranger',
  'read: readers',
  'read: row R',
  'read: Sender',
  'read: Self',
  'read: _R denies',
  'read: retention',
  'read: nothing',
  'read: left out',
  'read: pull by P',
  'read: updated',
  'read: deleted',
  'read: Update of deleted',
  'proof: member',
  'proof: empty place',
  'proof: other leaf',
  'proof: own rbac',
  'proof: other rbac',
  'proof: kv shared',
  'proof: kv own',
  'proof: kv gate',
  'proof: kv status',
  'proof: event status',
  'proof: batch',
  'proof: bundle',
  'proof: inclusion by seq',
  'proof: inclusion by id',
  'proof: inclusion by leaf',
  'proof: consistency',
  'proof: refused',
  'tree head',
  'tree head of the empty log',
  'info',
  'sequencer',
  'replay',
  'replay erased',
  'load',
  'load and tail',
  'fold',
  'cross replay',
  'goes on in a loaded instance',
] as const;

export type Rule = (typeof RULES)[number];

/** Counts what a run has reached, so that "0 differences" can't mean "nothing tried". */
export class Coverage {
  readonly events = new Map<string, number>(
    TYPES.filter((name) => name !== 'Lanes').map((name) => [name || 'custom', 0]),
  );
  readonly errors = new Map<string, number>(
    ERRORS.filter((row) => !HOST_ERRORS.has(row.code)).map((row) => [row.code, 0]),
  );
  readonly rules = new Map<string, number>(RULES.map((name) => [name, 0]));
  readonly manifests = new Map<string, number>(BREAKAGES.map(({ name }) => [name, 0]));

  event(type: number): void {
    bump(this.events, TYPES[type] || 'custom');
  }

  error(number: number): void {
    const code = ERRORS[number - 1]?.code;
    if (code) bump(this.errors, code);
  }

  rule(rule: Rule): void {
    bump(this.rules, rule);
  }

  broken(name: string): void {
    bump(this.manifests, name);
  }

  sections(): [string, Map<string, number>][] {
    return [
      ['event types', this.events],
      ['error codes', this.errors],
      ['rules', this.rules],
      ['broken manifests', this.manifests],
    ];
  }

  /** What was never reached. */
  missing(): string[] {
    return this.sections().flatMap(([section, counts]) =>
      [...counts].filter(([, count]) => count === 0).map(([name]) => `${section}: ${name}`),
    );
  }
}

function bump(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

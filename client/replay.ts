import { OP_D, OP_U } from '../protocol/columns.ts';
import type { ErrorCode } from '../protocol/errors.ts';
import { ZERO32 } from '../protocol/hash.ts';
import { toHex, unhex } from '../protocol/hex.ts';
import { toJson } from '../protocol/json.ts';
import { type Manifest, readManifest } from '../protocol/manifest.ts';
import { authorizeCustom } from '../protocol/rules.ts';
import { type AccessState, applyAccess, applyAccessBundle } from '../protocol/rules-access.ts';
import {
  isPredefined,
  type PredefinedContent,
  type PredefinedType,
  readContent,
  type SlotContent,
} from '../protocol/rules-content.ts';
import {
  authorizeLifecycle,
  type LogPosition,
  STATUSES,
  type Status,
  statusRefusal,
} from '../protocol/rules-lifecycle.ts';
import { authorizeSlot } from '../protocol/rules-slots.ts';
import { authorizeTarget } from '../protocol/rules-target.ts';
import { EMPTY_SMT, type Smt, smtDelete, smtGet, smtRoot, smtSet } from '../protocol/smt.ts';
import {
  encodeKvKey,
  type KvKey,
  NAMESPACE_KV,
  NAMESPACE_RBAC,
  NAMESPACE_STATUS,
  type Namespace,
  smtKey,
  smtNumber,
} from '../protocol/smt-keys.ts';
import { claim } from './check.ts';
import type { EncEvent } from './types.ts';

interface ContentEvent {
  readonly type: string;
  readonly from: string;
  readonly seq: number;
  /** as the node showed it, when the head was `head` */
  readonly status: 'updated' | 'deleted' | undefined;
  readonly head: number;
  /** seq of the last Update and of the Delete, as replayed; −1: none */
  updated: number;
  deleted: number;
}

/**
 * Replays the events of an enclave in order, with all rules of PROTOCOL §5, and keeps the state tree, so that every
 * bundle's state hash can be compared. An event that the rules refuse is a Mismatch: the node accepted what it must not.
 */
export class Replay implements AccessState {
  private tree: Smt = EMPTY_SMT;
  private rules: Manifest | undefined;
  private status: Status = 'active';
  private readonly contents = new Map<string, ContentEvent>();
  /** Shown as deleted, their Delete not replayed yet: what an erased Update may have had as its target. */
  private readonly doomed = new Set<string>();
  /** By target: the seq of an Update whose content is gone. */
  private readonly withheld = new Map<string, number>();
  /** Their status is unknown until their Delete: an erased Update before it may have been theirs. */
  private readonly unsure = new Set<string>();
  private blind = false;

  get manifest(): Manifest {
    if (!this.rules) throw new Error('nothing has been replayed');
    return this.rules;
  }

  /** Root of the state tree as replayed, hex; null while an erased Update leaves it open. */
  get stateHash(): string | null {
    return this.blind || this.unsure.size > 0 ? null : toHex(smtRoot(this.tree));
  }

  bits(identity: string): number {
    const leaf = this.leaf(NAMESPACE_RBAC, unhex(identity));
    return leaf === null ? 0 : new DataView(leaf.buffer, leaf.byteOffset, 32).getUint32(28);
  }

  setBits(identity: string, bits: number): void {
    this.set(NAMESPACE_RBAC, unhex(identity), bits === 0 ? null : smtNumber(bits));
  }

  gateOpen(alias: string): boolean {
    const leaf = this.leaf(NAMESPACE_KV, encodeKvKey({ kind: 'gate', alias }));
    return leaf === null ? (this.manifest.gates.get(alias)?.open ?? false) : leaf[31] === 1;
  }

  setGate(alias: string, open: boolean): void {
    this.set(NAMESPACE_KV, encodeKvKey({ kind: 'gate', alias }), smtNumber(open ? 1 : 0));
  }

  /**
   * The next event. `head`: the node's head when it showed the event; `position`: head and CT root before it; `target`:
   * of an erased Update, where it is known. Throws Mismatch.
   */
  apply(event: EncEvent, head: number, position: () => LogPosition, target?: string): void {
    if (event.seq === 0) return this.begin(event);
    if (this.status === 'migrated') this.setStatus('active');
    const which = `event ${event.seq} (${event.type})`;
    const refused = statusRefusal(this.status, event.type);
    claim(refused === null, `${which} was accepted though the enclave is ${this.status}`);
    const error = isPredefined(event.type) ? this.predefined(event, position, target) : this.custom(event, head);
    claim(error === null, `${which} was accepted though the rules refuse it (${error})`);
  }

  /** What the node showed of each content event agrees with the Updates and Deletes replayed. Throws Mismatch. */
  finish(): void {
    for (const [target, seq] of this.withheld)
      claim((this.contents.get(target)?.deleted ?? -1) >= 0, `the content of event ${seq} is withheld`);
    for (const event of this.contents.values()) {
      const { seq, status, head, updated, deleted } = event;
      claim(status !== 'deleted' || deleted >= 0, `event ${seq} is shown as deleted, but nothing deletes it`);
      claim(status !== 'updated' || updated >= 0, `event ${seq} is shown as updated, but nothing updates it`);
      claim(status === 'deleted' || deleted < 0 || deleted > head, `event ${seq} is deleted, but not shown so`);
      claim(status !== undefined || updated < 0 || updated > head, `event ${seq} is updated, but not shown so`);
    }
  }

  private begin(event: EncEvent): void {
    const result = readManifest(toJson(event.content), event.sequencer);
    claim(result.ok, `the Manifest is not valid${result.ok ? '' : ` at ${result.path}`}`);
    this.rules = result.manifest;
    for (const { identity, bits } of result.manifest.init) this.setBits(identity, bits);
  }

  private custom(event: EncEvent, head: number): ErrorCode | null {
    const { id, type, from, seq, status } = event;
    this.contents.set(id, { type, from, seq, status, head, updated: -1, deleted: -1 });
    if (status === 'deleted') this.doomed.add(id);
    return authorizeCustom(this.manifest, this.bits(from), type, (alias) => this.gateOpen(alias));
  }

  private predefined(event: EncEvent, position: () => LogPosition, target?: string): ErrorCode | null {
    if (event.content_hash !== undefined) return this.erasedUpdate(event, target);
    const read = readContent(this.manifest, event.type as PredefinedType, toJson(event.content));
    if (!read.ok) return 'invalid_content';
    const { content } = read;
    switch (content.type) {
      case 'Move':
      case 'Grant':
      case 'Revoke':
      case 'Transfer':
      case 'Gate':
        return applyAccess(this.manifest, this, event.from, content);
      case 'AC_Bundle':
        return applyAccessBundle(this.manifest, this, event.from, content)?.error ?? null;
      case 'Shared':
      case 'Own':
        return this.slot(event, content);
      case 'Update':
      case 'Delete':
        return this.change(event, content.type, content.target);
      default:
        return this.lifecycle(event, content, position);
    }
  }

  private slot(event: EncEvent, content: SlotContent): ErrorCode | null {
    const key: KvKey =
      content.type === 'Shared'
        ? { kind: 'shared', key: content.key }
        : { kind: 'own', key: content.key, from: unhex(event.from) };
    const raw = encodeKvKey(key);
    const error = authorizeSlot(this.manifest, this.bits(event.from), content, this.leaf(NAMESPACE_KV, raw) !== null);
    if (error === null) this.set(NAMESPACE_KV, raw, content.delete ? null : unhex(event.hash));
    return error;
  }

  private change(event: EncEvent, type: 'Update' | 'Delete', id: string): ErrorCode | null {
    const target = this.contents.get(id) ?? null;
    const who = { id: event.from, bits: this.bits(event.from) };
    const op = type === 'Update' ? OP_U : OP_D;
    const error = authorizeTarget(this.manifest, who, op, target, (target?.deleted ?? -1) >= 0, (alias) =>
      this.gateOpen(alias),
    );
    if (error !== null || target === null) return error;
    if (type === 'Update') target.updated = event.seq;
    else {
      target.deleted = event.seq;
      this.doomed.delete(id);
      this.unsure.delete(id);
    }
    this.set(NAMESPACE_STATUS, unhex(id), type === 'Update' ? unhex(event.hash) : ZERO32);
    return null;
  }

  /**
   * An Update whose content went with its target's: the target is one of those shown as deleted later on. If only one
   * is possible it is that one; else the state is open until all of them are deleted.
   */
  private erasedUpdate(event: EncEvent, target?: string): ErrorCode | null {
    claim(event.type === 'Update', `the content of event ${event.seq} is withheld`);
    const [only, ...more] = target === undefined ? this.doomed : [target];
    if (only !== undefined && more.length === 0) {
      this.withheld.set(only, event.seq);
      return this.change(event, 'Update', only);
    }
    for (const id of this.doomed) this.unsure.add(id);
    if (only === undefined) this.blind = true;
    return null;
  }

  private lifecycle(
    event: EncEvent,
    content: Extract<PredefinedContent, { type: 'Pause' | 'Resume' | 'Terminate' | 'Migrate' }>,
    position: () => LogPosition,
  ): ErrorCode | null {
    const error = authorizeLifecycle(this.manifest, this.bits(event.from), content, this.status, position);
    if (error !== null) return error;
    this.setStatus(
      ({ Pause: 'paused', Resume: 'active', Terminate: 'terminated', Migrate: 'migrated' } as const)[content.type],
    );
    return null;
  }

  private setStatus(status: Status): void {
    this.status = status;
    const number = STATUSES.indexOf(status);
    this.set(NAMESPACE_KV, encodeKvKey({ kind: 'status' }), number === 0 ? null : smtNumber(number));
  }

  private leaf(namespace: Namespace, raw: Uint8Array): Uint8Array | null {
    return smtGet(this.tree, smtKey(namespace, raw));
  }

  private set(namespace: Namespace, raw: Uint8Array, value: Uint8Array | null): void {
    const key = smtKey(namespace, raw);
    this.tree = value === null ? smtDelete(this.tree, key) : smtSet(this.tree, key, value);
  }
}

import {
  type Need,
  REQUEST_BUNDLE,
  REQUEST_CONSISTENCY,
  REQUEST_INCLUSION,
  REQUEST_INFO,
  REQUEST_PULL,
  REQUEST_QUERY,
  REQUEST_STATE,
  REQUEST_STATE_BATCH,
  REQUEST_STH,
} from '../../kernel/kernel.ts';
import { decodeCbor } from '../../protocol/cbor.ts';
import { errorNumber, errorOf } from '../../protocol/errors.ts';
import type { Model } from './model.ts';
import type { Pair } from './pair.ts';
import { eventFields, u32, view } from './records.ts';
import { hex } from './ring.ts';
import type { StoredEvent } from './store.ts';
import type { World } from './world.ts';

const MAX_ROUNDS = 64;
const MOST_EVENTS = 80;

/** Carries inspected requests out in both kernels, compares every byte, and notes which rules answered. */
export class Reads {
  readonly #world: World;
  readonly #pair: Pair;

  constructor(world: World, pair: Pair) {
    this.#world = world;
    this.#pair = pair;
  }

  answer(ir: Uint8Array, now: number, model: Model): void {
    const kind = ir[6]!;
    if (kind === REQUEST_QUERY || kind === REQUEST_PULL) this.#query(ir, now, model);
    else this.#read(ir, now, model);
  }

  #read(ir: Uint8Array, now: number, model: Model): void {
    const answers: Uint8Array[] = [];
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const result = this.#pair.both(`read ${ir[6]} ${hex(ir.subarray(144))}`, ({ kernel }) => {
        const one = kernel.read(ir, now, answers);
        return one.kind === 'json' ? { kind: one.kind, bytes: one.bytes.slice() } : one;
      })!;
      if (result.kind === 'json') {
        const text = Buffer.from(result.bytes).toString('utf8');
        JSON.parse(text);
        return this.#note(ir, text, model);
      }
      if (result.kind === 'error') {
        this.#world.coverage.error(result.code);
        if (result.code === errorNumber('forbidden')) this.#world.coverage.rule('proof: refused');
        return;
      }
      for (const need of result.needs as readonly Need[]) {
        answers.push(this.#pair.both(`need ${JSON.stringify(need)}`, ({ store }) => store.answer(need))!);
      }
    }
    throw new Error(`read ${ir[6]} still wants more after ${MAX_ROUNDS} rounds`);
  }

  #note(ir: Uint8Array, text: string, _model: Model): void {
    const { coverage } = this.#world;
    const payload = ir.subarray(144);
    switch (ir[6]) {
      case REQUEST_INFO:
        return coverage.rule('info');
      case REQUEST_STH:
        return coverage.rule(text.includes('"ts":0,') ? 'tree head of the empty log' : 'tree head');
      case REQUEST_CONSISTENCY:
        return coverage.rule('proof: consistency');
      case REQUEST_BUNDLE:
        return coverage.rule('proof: bundle');
      case REQUEST_INCLUSION:
        return coverage.rule(
          payload[0] === 0
            ? 'proof: inclusion by seq'
            : payload[0] === 1
              ? 'proof: inclusion by id'
              : 'proof: inclusion by leaf',
        );
      case REQUEST_STATE:
      case REQUEST_STATE_BATCH: {
        if (ir[6] === REQUEST_STATE_BATCH) coverage.rule('proof: batch');
        if (/"v":"/.test(text)) coverage.rule('proof: member');
        if (text.includes('"v":null'))
          coverage.rule(text.includes('"o":null') ? 'proof: empty place' : 'proof: other leaf');
        for (let at = 8, left = u32(payload, 4); left > 0; left--) {
          const length = view(payload).getUint16(at, true);
          this.#noteKey(payload[0]!, payload.subarray(at + 2, at + 2 + length), ir.subarray(40, 72));
          at += 2 + length;
        }
      }
    }
  }

  #noteKey(namespace: number, key: Uint8Array, from: Uint8Array): void {
    const { coverage } = this.#world;
    if (namespace === 0) return coverage.rule(hex(key) === hex(from) ? 'proof: own rbac' : 'proof: other rbac');
    if (namespace === 1) return coverage.rule('proof: event status');
    const [name] = (decodeCbor(key) ?? []) as string[];
    if (name === 'shared') coverage.rule('proof: kv shared');
    else if (name === 'own') coverage.rule('proof: kv own');
    else if (name === 'gate') coverage.rule('proof: kv gate');
    else if (name === 'status') coverage.rule('proof: kv status');
  }

  #query(ir: Uint8Array, now: number, model: Model): void {
    const { coverage, random } = this.#world;
    const code = this.#pair.both('openQuery', ({ kernel }) => kernel.openQuery(ir, now))!;
    if (code !== 0) {
      coverage.error(code);
      if (errorOf(code).code === 'forbidden') coverage.rule('read: nothing');
      return;
    }
    const all = this.#pair.store.events;
    const skip = Math.max(0, all.length - MOST_EVENTS);
    const from = random.chance(0.3) ? random.int(skip + 1) : skip;
    for (const [i, event] of all.slice(from, from + MOST_EVENTS).entries()) {
      const text = this.#pair.both(
        `select ${hex(ir.subarray(144, 216))} seq ${from + i} ${event.name}`,
        ({ kernel, store }) => {
          const other = store.events[from + i]!;
          return kernel.select(ir, other.record, other.content)?.slice() ?? null;
        },
      );
      this.#noteSelected(ir, event, text ? Buffer.from(text).toString('utf8') : null, model);
    }
  }

  #noteSelected(ir: Uint8Array, event: StoredEvent, text: string | null, model: Model): void {
    const { coverage } = this.#world;
    const { name, from, target, flags } = eventFields(event.record);
    const who = hex(ir.subarray(40, 72));
    const op = ir[6] === REQUEST_PULL ? 'P' : 'R';
    const right = model.reading(name, who, hex(from), flags & 8 ? hex(target) : undefined, 'R');
    if (text === null) {
      if (right.denied && (right.readers || right.row)) coverage.rule('read: _R denies');
      else if (!right.readers && !right.row && !right.retained) coverage.rule('read: left out');
      return;
    }
    if (text.includes('"status":"updated"')) coverage.rule('read: updated');
    if (text.includes('"status":"deleted"')) coverage.rule('read: deleted');
    if (name === 'Update' && text.includes('"content":null') && text.includes('"content_hash"'))
      coverage.rule('read: Update of deleted');
    if (right.readers) coverage.rule('read: readers');
    else if (right.row === 'allow by Sender') coverage.rule('read: Sender');
    else if (right.row) coverage.rule('read: row R');
    else if (right.retained) coverage.rule('read: retention');
    else if (op === 'P') coverage.rule('read: pull by P');
    if (!right.row && right.readers && ['Move', 'Grant', 'Revoke', 'Transfer'].includes(name) && hex(target) === who) {
      const asStranger = model.reading(name, who, hex(from), undefined, 'R');
      if (!asStranger.readers) coverage.rule('read: Self');
    }
  }
}

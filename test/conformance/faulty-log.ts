import type { Append, AppendResult, EnclaveLog } from '../../shard/log/enclave-log.ts';
import { LogUnavailable } from '../../shard/log/log-errors.ts';

/** 'failed': nothing happened. 'persisted': it was carried out, but the caller is told that the outcome is unknown. */
export type Fault = 'failed' | 'persisted';
export type FaultyOperation =
  | 'open'
  | 'append'
  | 'checkpoint'
  | 'replaceTail'
  | 'adoptGuard'
  | 'read'
  | 'head'
  | 'findId'
  | 'findHash'
  | 'closing'
  | 'closingOf'
  | 'node'
  | 'record'
  | 'due'
  | 'list'
  | 'seqAtTime'
  | 'archived'
  | 'moveArchived';

/** Any log, with faults that a test orders: each fault hits the next call of its operation, once. */
export class FaultyLog {
  readonly log: EnclaveLog;
  readonly #faults = new Map<FaultyOperation, Fault>();

  constructor(inner: EnclaveLog) {
    const faulty = this;
    this.log = new Proxy(inner, {
      get(target, name, receiver) {
        const member = Reflect.get(target, name, target) as unknown;
        if (typeof member !== 'function') return Reflect.get(target, name, receiver);
        const call = member.bind(target) as (...args: unknown[]) => unknown;
        if (name === 'append') return (append: Append) => faulty.#append(append, call);
        return (...args: unknown[]) => faulty.#call(name as FaultyOperation, args, call);
      },
    });
  }

  next(operation: FaultyOperation, fault: Fault): void {
    this.#faults.set(operation, fault);
  }

  #take(operation: FaultyOperation): Fault | null {
    const fault = this.#faults.get(operation) ?? null;
    this.#faults.delete(operation);
    return fault;
  }

  #append(append: Append, call: (append: Append) => unknown): void {
    const fault = this.#take('append');
    if (fault === null) call(append);
    else if (fault === 'failed') setImmediate(() => append.done('unknown'));
    else call({ ...append, done: () => append.done('unknown') });
  }

  #call(operation: FaultyOperation, args: unknown[], call: (...args: unknown[]) => unknown): unknown {
    const fault = this.#take(operation);
    if (fault === null) return call(...args);
    return this.#fail(operation, fault, args, call);
  }

  async #fail(
    operation: FaultyOperation,
    fault: Fault,
    args: unknown[],
    call: (...args: unknown[]) => unknown,
  ): Promise<unknown> {
    if (fault === 'persisted') await call(...args);
    if (operation === 'replaceTail' || operation === 'moveArchived') return 'unknown';
    throw new LogUnavailable('unknown');
  }
}

/** An append as a promise, for tests. */
export function appended(log: EnclaveLog, append: Omit<Append, 'done'>): Promise<AppendResult> {
  return new Promise((done) => log.append({ ...append, done }));
}

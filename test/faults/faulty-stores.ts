import { appendFileSync } from 'node:fs';
import type { Advance, ReleaseGuard } from '../../shard/guard/release-guard.ts';
import type { Append, EnclaveLog } from '../../shard/log/enclave-log.ts';
import { type FaultPlan, HIT_NAMES } from './fault-plan.ts';

/** ms by which a late append is late: longer than any batch takes to be staged behind it */
const LATE_MS = 30;

/** Ends the process as a power switch would: nothing runs behind this line. */
function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** A log whose appends fail as the plan says; everything else is passed through. */
export function faultyLog(log: EnclaveLog, plan: FaultPlan): EnclaveLog {
  let calls = 0;
  const append = (call: Append): void => {
    const fault = plan.append[++calls];
    if (fault === undefined) return log.append(call);
    const hit = (): void => appendFileSync(plan.hits, `${HIT_NAMES.append[fault]}\n`);
    if (fault === 'unknown-lost') {
      hit();
      setImmediate(() => call.done('unknown'));
      return;
    }
    log.append({
      ...call,
      done: (result) => {
        if (result !== 'ok') return call.done(result);
        hit();
        if (fault === 'die') die();
        else if (fault === 'unknown-persisted') call.done('unknown');
        else setTimeout(() => call.done('ok'), LATE_MS);
      },
    });
  };
  return through(log, { append });
}

/** A guard whose compare-and-sets fail as the plan says. */
export function faultyGuard(guard: ReleaseGuard, plan: FaultPlan): ReleaseGuard {
  let calls = 0;
  const advance = (call: Advance): void => {
    const fault = plan.advance[++calls];
    if (fault === undefined) return guard.advance(call);
    const hit = (): void => appendFileSync(plan.hits, `${HIT_NAMES.advance[fault]}\n`);
    // A `from` that the row can't be: the real compare-and-set refuses it.
    const asked = fault === 'refuse' ? { ...call, from: { ...call.from, seq: call.from.seq + 1 } } : call;
    guard.advance({
      ...asked,
      done: (result) => {
        if (fault === 'refuse' ? result !== 'refused' : result !== 'ok') return call.done(result);
        hit();
        if (fault === 'die') die();
        else call.done(fault === 'refuse' ? 'refused' : 'unknown');
      },
    });
  };
  return through(guard, { advance });
}

/** `target` with some of its methods replaced; the others keep their own `this`. */
function through<T extends object>(target: T, own: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(own, name)) return own[name as keyof T];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

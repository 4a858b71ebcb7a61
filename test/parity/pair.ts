import type { Inspection, InspectMode, Inspector, Kernel, KernelHost, Limits } from '../../kernel/kernel.ts';
import { hex, type Identity } from './ring.ts';
import { Store } from './store.ts';

/** One implementation of the kernel. */
export interface Runtime {
  readonly name: string;
  inspector(limits: Limits): Inspector;
  kernel(host: KernelHost): Kernel;
}

/** The two implementations answered differently. */
export class Difference extends Error {
  readonly what: string;
  constructor(what: string, answers: readonly string[]) {
    super(
      `${what}\n  ${answers.map((text) => (text.length > 600 ? `${text.slice(0, 600)}… (${text.length})` : text)).join('\n  ')}`,
    );
    this.what = what;
  }
}

export interface Side {
  readonly runtime: Runtime;
  store: Store;
  kernel: Kernel;
}

/** A value in a form in which equal means equal bytes. */
export function canon(value: unknown): string {
  if (value instanceof Uint8Array) return hex(value);
  if (value instanceof Uint32Array) return `u32[${[...value].join()}]`;
  if (Array.isArray(value)) return `[${value.map(canon).join()}]`;
  if (value !== null && typeof value === 'object') {
    return `{${Object.keys(value)
      .sort()
      .map((key) => `${key}:${canon((value as Record<string, unknown>)[key])}`)
      .join()}}`;
  }
  return String(value);
}

type Outcome<T> = { readonly value: T } | { readonly threw: string };

function attempt<T>(call: () => T): Outcome<T> {
  try {
    return { value: call() };
  } catch (error) {
    if (error instanceof Difference) throw error;
    return { threw: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** Calls both and compares; throws `Difference` unless both answer the same, or both throw. Undefined when both threw. */
export function compare<T>(
  what: string,
  names: readonly [string, string],
  calls: readonly [() => T, () => T],
  mayThrow = false,
): T | undefined {
  const outcomes = calls.map(attempt) as [Outcome<T>, Outcome<T>];
  const texts = outcomes.map(
    (outcome, i) => `${names[i]}: ${'threw' in outcome ? `threw ${outcome.threw}` : canon(outcome.value)}`,
  );
  const [a, b] = outcomes;
  if ('threw' in a && 'threw' in b) {
    if (!mayThrow) throw new Difference(`${what}: both threw`, texts);
    return undefined;
  }
  if ('threw' in a || 'threw' in b || canon(a.value) !== canon(b.value)) throw new Difference(what, texts);
  return a.value;
}

export type Runtimes = readonly [Runtime, Runtime];

/** One enclave in both kernels, each with a log of its own. */
export class Pair {
  readonly sides: readonly [Side, Side];
  readonly #names: readonly [string, string];

  constructor(runtimes: Runtimes, signer: Identity | undefined) {
    this.#names = [runtimes[0].name, runtimes[1].name];
    const side = (runtime: Runtime): Side => {
      const store = new Store(signer);
      return { runtime, store, kernel: runtime.kernel(store) };
    };
    this.sides = [side(runtimes[0]), side(runtimes[1])];
  }

  get store(): Store {
    return this.sides[0].store;
  }

  get kernel(): Kernel {
    return this.sides[0].kernel;
  }

  both<T>(what: string, call: (side: Side) => T, mayThrow = false): T | undefined {
    const [a, b] = this.sides;
    return compare(what, this.#names, [() => call(a), () => call(b)], mayThrow);
  }

  /** Everything that can be asked without a request. */
  compareState(what: string): void {
    this.both(`${what}: state`, ({ kernel }) => [
      kernel.stateHash().slice(),
      kernel.status,
      kernel.dueAt,
      kernel.leaves,
      kernel.timestamp,
      kernel.atBoundary,
      kernel.head(),
    ]);
  }

  /** A fresh kernel a side over the live logs, prepared by `fill`; null if both refused. */
  fresh(what: string, fill: (kernel: Kernel, side: Side) => void, mayThrow = false): readonly [Kernel, Kernel] | null {
    const made = this.sides.map((side) => side.runtime.kernel(side.store)) as [Kernel, Kernel];
    const calls = made.map((kernel, i) => () => {
      fill(kernel, this.sides[i]!);
      return [
        kernel.stateHash().slice(),
        kernel.status,
        kernel.dueAt,
        kernel.leaves,
        kernel.timestamp,
        kernel.atBoundary,
        kernel.head(),
      ];
    });
    return compare<unknown>(what, this.#names, calls as [() => unknown, () => unknown], mayThrow) === undefined
      ? null
      : made;
  }

  /** The former kernels end, so that later ones run on what they leave. */
  adopt(kernels: readonly [Kernel, Kernel]): void {
    for (const [i, side] of this.sides.entries()) {
      side.kernel.dispose();
      side.kernel = kernels[i] as Kernel;
    }
  }

  dispose(): void {
    for (const { kernel } of this.sides) kernel.dispose();
  }
}

/** Both inspectors. */
export class Inspectors {
  readonly #both: readonly [Inspector, Inspector];
  readonly #names: readonly [string, string];

  constructor(runtimes: Runtimes, limits: Limits) {
    this.#both = [runtimes[0].inspector(limits), runtimes[1].inspector(limits)];
    this.#names = [runtimes[0].name, runtimes[1].name];
  }

  inspect(body: Uint8Array, mode: InspectMode, enclave?: Uint8Array): Inspection {
    const what = `inspect ${mode}${enclave ? ' by path' : ''}: ${Buffer.from(body.subarray(0, 1500)).toString('utf8')}`;
    return compare(
      what,
      this.#names,
      this.#both.map((inspector) => () => {
        const { kind, code, count, bytes } = inspector.inspect(body, mode, enclave);
        return { kind, code, count, bytes: bytes.slice() };
      }) as [() => Inspection, () => Inspection],
    )!;
  }

  receipt(enclave: Uint8Array, record: Uint8Array): Uint8Array {
    return compare(
      'receipt',
      this.#names,
      this.#both.map((inspector) => () => inspector.receipt(enclave, record).slice()) as [
        () => Uint8Array,
        () => Uint8Array,
      ],
    )!;
  }
}

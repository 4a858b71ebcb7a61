import { EncError, NodeLied, OutcomeUnknown, Refused, Unreachable } from '../../client/errors.ts';
import type { Output } from '../output.ts';

/** One step of a workflow: returns what it saw, in a few words; throws if that is not as it must be. */
export interface Step {
  readonly name: string;
  run(): Promise<string>;
}

export interface StepResult {
  readonly step: number;
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly ms: number;
}

/**
 * Runs the steps in order, one line each. A step that finds the node away or busy is repeated until `deadline` (Unix
 * ms): every step may be run twice. After a step that fails for good the rest is not tried.
 */
export async function runSteps(
  steps: readonly Step[],
  out: Output,
  deadline: number,
): Promise<{ passed: number; results: StepResult[]; cause?: unknown }> {
  const results: StepResult[] = [];
  for (const [i, { name, run }] of steps.entries()) {
    const started = Date.now();
    const width = String(steps.length).length;
    const line = (mark: string, detail: string): string =>
      `${mark} ${String(i + 1).padStart(width)}/${steps.length}  ${name}  ${out.dim(detail)}`;
    try {
      const detail = await patiently(run, deadline);
      results.push({ step: i + 1, name, ok: true, detail, ms: Date.now() - started });
      if (!out.json) out.result(line(out.good('ok  '), detail), null);
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      results.push({ step: i + 1, name, ok: false, detail, ms: Date.now() - started });
      if (!out.json) out.result(line(out.bad('FAIL'), detail), null);
      return { passed: i, results, cause };
    }
  }
  return { passed: steps.length, results };
}

async function patiently(run: () => Promise<string>, deadline: number): Promise<string> {
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!isPassing(error) || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

const PASSING = new Set(['unavailable', 'fenced', 'overloaded', 'rate_limited']);

function isPassing(error: unknown): boolean {
  return (
    error instanceof Unreachable ||
    error instanceof OutcomeUnknown ||
    (error instanceof Refused && PASSING.has(error.code))
  );
}

/** Says what was expected if it is not so. */
export function expect(holds: unknown, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** The call must be refused with exactly this code. */
export async function refused(code: string, call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (error instanceof EncError && !(error instanceof NodeLied) && error.code === code) return;
    throw error;
  }
  throw new Error(`it was accepted, but had to be refused (${code})`);
}

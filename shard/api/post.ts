import {
  type Inspection,
  type InspectMode,
  REQUEST_PULL,
  REQUEST_QUERY,
  REQUEST_SEQUENCER,
  TYPES,
} from '../../kernel/kernel.ts';
import { toHex } from '../../protocol/hex.ts';
import { TRACED_ELEMENTS } from '../../tracing/limits.ts';
import type { Traced } from '../../tracing/traced.ts';
import { errorBytes } from '../enclave/answers.ts';
import { noteError } from './answer.ts';
import type { Exchange } from './api.ts';
import type { ApiContext } from './context.ts';

const TYPE_MANIFEST = TYPES.indexOf('Manifest');
const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');
/** Where the enclave stands in an inspected commit and in an inspected request (kernel/kernel.ts). */
const COMMIT_ENCLAVE = 24;
const REQUEST_ENCLAVE = 8;

/**
 * `POST /` and its forms by path (PROTOCOL §9): one commit, an array of commits, or a typed request. The body goes to
 * the inspector as it came in. Commits are answered by callback: no promise per commit.
 */
export function post(context: ApiContext, mode: InspectMode, exchange: Exchange, enclave?: Uint8Array): void {
  const { trace } = exchange;
  const began = trace === null ? 0 : performance.now();
  const inspection = context.inspector.inspect(exchange.body, mode, enclave);
  trace?.part('inspect', began, performance.now());
  if (inspection.kind === 'error') return exchange.answer(inspection.code, errorBytes(inspection.code));
  if (inspection.kind === 'request') {
    answerRequest(context, inspection.bytes, exchange).catch((error: unknown) => exchange.fail(error));
    return;
  }
  if (context.admission.limitsAddresses) {
    const limited = context.admission.addressRate(exchange.address, inspection.count);
    if (limited !== 0) return exchange.answer(limited, errorBytes(limited));
  }
  // Only a Manifest asks whose word it is; looking through the headers of every commit would cost more than it does.
  const isAdmin = (at: number): boolean => inspection.bytes[at + 7] === TYPE_MANIFEST && exchange.isAdmin();
  if (inspection.kind === 'array') return commitAll(context, inspection, isAdmin, exchange);
  const code = inspectedCode(inspection.bytes, 0);
  if (code !== 0) return exchange.answer(code, errorBytes(code));
  if (!exchange.admit(inspection.bytes, COMMIT_ENCLAVE)) return;
  trace?.set({ 'enc.enclave': enclaveAt(inspection.bytes, COMMIT_ENCLAVE) });
  context.intake.submit(inspection.bytes, isAdmin(0), (result, body) => exchange.answer(result, body), trace);
}

const inspectedCode = (bytes: Uint8Array, at: number): number =>
  (bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8);

const enclaveAt = (bytes: Uint8Array, at: number): string => toHex(bytes.subarray(at, at + 32));

/** Each element is answered alone, in the order of the array. */
function commitAll(
  context: ApiContext,
  inspection: Inspection,
  isAdmin: (at: number) => boolean,
  exchange: Exchange,
): void {
  const { bytes, count } = inspection;
  const answers: Uint8Array[] = new Array(count);
  let waiting = count;
  const finish = (): void => {
    const parts: Uint8Array[] = [OPEN];
    for (let i = 0; i < count; i++) parts.push(answers[i] as Uint8Array, i === count - 1 ? CLOSE : COMMA);
    if (count === 0) parts.push(CLOSE);
    if (count > 0) context.metrics?.answers.array();
    exchange.answer(0, Buffer.concat(parts));
  };
  if (count === 0) return finish();
  exchange.trace?.set({ 'enc.array.commits': count });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0, at = 0; i < count; i++) {
    const length = view.getUint32(at, true);
    const code = inspectedCode(bytes, at);
    const trace = i < TRACED_ELEMENTS && exchange.trace !== null ? elementTrace(exchange.trace, i, bytes, at) : null;
    const answer = (result: number, body: Uint8Array): void => {
      if (trace !== null) endCall(trace, result);
      context.metrics?.answers.count(result);
      answers[i] = body;
      if (--waiting === 0) finish();
    };
    if (code !== 0) answer(code, errorBytes(code));
    else context.intake.submit(bytes.subarray(at, at + length), isAdmin(at), answer, trace);
    at += length;
  }
}

/** A commit of an array is a span of its own. */
const elementTrace = (array: Traced, index: number, bytes: Uint8Array, at: number): Traced =>
  array.begin('commit', {
    attributes: { 'enc.array.index': index, 'enc.enclave': enclaveAt(bytes, at + COMMIT_ENCLAVE) },
  });

function endCall(trace: Traced, code: number): void {
  noteError(trace, code);
  trace.end();
}

async function answerRequest(context: ApiContext, ir: Uint8Array, exchange: Exchange): Promise<void> {
  const code = inspectedCode(ir, 0);
  if (code !== 0) return exchange.answer(code, errorBytes(code));
  if (ir[6] === REQUEST_SEQUENCER) {
    const { public: key } = context.signer.derive(ir.slice(144, 176));
    return exchange.answer(0, Buffer.from(`{"type":"Sequencer","sequencer":"${toHex(key)}"}`));
  }
  if (!exchange.admit(ir, REQUEST_ENCLAVE)) return;
  exchange.trace?.set({ 'enc.enclave': enclaveAt(ir, REQUEST_ENCLAVE) });
  if (ir[6] === REQUEST_QUERY || ir[6] === REQUEST_PULL) return context.queries.answer(ir, exchange);
  const { code: result, body } = await context.reads.read(ir);
  exchange.answer(result, body);
}

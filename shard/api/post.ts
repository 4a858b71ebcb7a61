import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  type Inspection,
  type InspectMode,
  REQUEST_PULL,
  REQUEST_QUERY,
  REQUEST_SEQUENCER,
  TYPES,
} from '../../kernel/kernel.ts';
import { errorNumber, errorOf } from '../../protocol/errors.ts';
import { toHex } from '../../protocol/hex.ts';
import { errorBytes } from '../enclave/answers.ts';
import { LogDamaged } from '../log/log-errors.ts';
import { send } from './answer.ts';
import type { ApiContext } from './context.ts';
import { bodyOf } from './params.ts';

const TYPE_MANIFEST = TYPES.indexOf('Manifest');
const INTERNAL = errorNumber('internal');
const REGRESSED = errorNumber('enclave_regressed');
const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');

/**
 * `POST /` and its forms by path (PROTOCOL §9): one commit, an array of commits, or a typed request. The body goes to
 * the inspector as it came in. Commits are answered by callback: no promise per commit.
 */
export function post(
  context: ApiContext,
  mode: InspectMode,
  request: FastifyRequest,
  reply: FastifyReply,
  enclave?: Uint8Array,
): void {
  const { metrics } = context;
  const inspection = context.inspector.inspect(bodyOf(request), mode, enclave);
  if (inspection.kind === 'error') return send(reply, inspection.code, errorBytes(inspection.code), metrics);
  if (inspection.kind === 'request') {
    answerRequest(context, inspection.bytes, reply).catch((error: unknown) => {
      request.log.error({ err: error }, 'a read failed');
      const code = error instanceof LogDamaged ? REGRESSED : INTERNAL;
      if (!reply.sent) send(reply, code, errorBytes(code), metrics);
      else reply.raw.destroy();
    });
    return;
  }
  if (context.admission.limitsAddresses) {
    const limited = context.admission.addressRate(request.ip, inspection.count);
    if (limited !== 0) return send(reply, limited, errorBytes(limited), metrics);
  }
  // Only a Manifest asks whose word it is; looking through the headers of every commit would cost more than it does.
  const isAdmin = (at: number): boolean => inspection.bytes[at + 7] === TYPE_MANIFEST && context.isAdmin(request);
  if (inspection.kind === 'array') return commitAll(context, inspection, isAdmin, reply);
  const code = inspectedCode(inspection.bytes, 0);
  if (code !== 0) return send(reply, code, errorBytes(code), metrics);
  context.intake.submit(inspection.bytes, isAdmin(0), (result, body) => send(reply, result, body, metrics));
}

const inspectedCode = (bytes: Uint8Array, at: number): number =>
  (bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8);

/** Each element is answered alone, in the order of the array. */
function commitAll(
  context: ApiContext,
  inspection: Inspection,
  isAdmin: (at: number) => boolean,
  reply: FastifyReply,
): void {
  const { bytes, count } = inspection;
  const answers: Uint8Array[] = new Array(count);
  let waiting = count;
  const finish = (): void => {
    const parts: Uint8Array[] = [OPEN];
    for (let i = 0; i < count; i++) parts.push(answers[i] as Uint8Array, i === count - 1 ? CLOSE : COMMA);
    if (count === 0) parts.push(CLOSE);
    send(reply, 0, Buffer.concat(parts), context.metrics);
  };
  if (count === 0) return finish();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0, at = 0; i < count; i++) {
    const length = view.getUint32(at, true);
    const code = inspectedCode(bytes, at);
    const answer = (result: number, body: Uint8Array): void => {
      if (result !== 0) context.metrics?.answers.inc({ code: errorOf(result).code });
      answers[i] = body;
      if (--waiting === 0) finish();
    };
    if (code !== 0) answer(code, errorBytes(code));
    else context.intake.submit(bytes.subarray(at, at + length), isAdmin(at), answer);
    at += length;
  }
}

async function answerRequest(context: ApiContext, ir: Uint8Array, reply: FastifyReply): Promise<void> {
  const { metrics } = context;
  const code = inspectedCode(ir, 0);
  if (code !== 0) return send(reply, code, errorBytes(code), metrics);
  switch (ir[6]) {
    case REQUEST_QUERY:
    case REQUEST_PULL:
      return context.queries.answer(ir, reply);
    case REQUEST_SEQUENCER: {
      const { public: key } = context.signer.derive(ir.slice(144, 176));
      return send(reply, 0, Buffer.from(`{"type":"Sequencer","sequencer":"${toHex(key)}"}`), metrics);
    }
    default: {
      const answer = await context.reads.read(ir);
      return send(reply, answer.code, answer.body, metrics);
    }
  }
}

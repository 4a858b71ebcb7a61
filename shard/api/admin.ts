import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { REQUEST_STH } from '../../kernel/kernel.ts';
import { errorNumber } from '../../protocol/errors.ts';
import { fromHex, toHex } from '../../protocol/hex.ts';
import { isObject, parseJson } from '../../protocol/json.ts';
import { EnclaveActor } from '../enclave/actor.ts';
import { errorBytes } from '../enclave/answers.ts';
import { getRequest } from '../enclave/reads.ts';
import { send } from './answer.ts';
import type { ApiContext } from './context.ts';
import { bodyOf, hex32 } from './params.ts';

const INVALID_ROUTE = errorNumber('invalid_route');
const INVALID_COMMIT = errorNumber('invalid_commit');
const INVALID_JSON = errorNumber('invalid_json');
const ENCLAVE_EXISTS = errorNumber('enclave_exists');
const UNAUTHORIZED = errorNumber('unauthorized');

type Handler = (enclave: Uint8Array, request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/** The operator's calls (PROTOCOL §9): admin token, or development. */
export function adminRoutes(app: FastifyInstance, context: ApiContext): void {
  const { metrics } = context;
  const guarded = (handler: Handler) => async (request: FastifyRequest, reply: FastifyReply) => {
    const enclave = hex32((request.params as { id: string }).id);
    if (!enclave) send(reply, INVALID_ROUTE, errorBytes(INVALID_ROUTE), metrics);
    else if (!context.isAdmin(request)) send(reply, UNAUTHORIZED, errorBytes(UNAUTHORIZED), metrics);
    else await handler(enclave, request, reply);
    return reply;
  };

  app.post(
    '/enclaves/:id/close-bundle',
    guarded(async (enclave, _request, reply) => {
      const actor = await context.enclaves.actor(enclave);
      if (!(actor instanceof EnclaveActor)) return send(reply, actor, errorBytes(actor), metrics);
      const lost = await new Promise<number>((resolve) => actor.closeBundle(resolve));
      if (lost !== 0) return send(reply, lost, errorBytes(lost), metrics);
      const { code, body } = await context.reads.read(getRequest(REQUEST_STH, enclave));
      return send(reply, code, body, metrics);
    }),
  );

  app.post(
    '/enclaves/:id/init-with-priv',
    guarded(async (enclave, request, reply) => {
      const parsed = importedKey(enclave, bodyOf(request));
      if (typeof parsed === 'number') return send(reply, parsed, errorBytes(parsed), metrics);
      const existing = await context.enclaves.actor(enclave);
      if (existing instanceof EnclaveActor && existing.sequencer !== null) {
        return send(reply, ENCLAVE_EXISTS, errorBytes(ENCLAVE_EXISTS), metrics);
      }
      const key = await importSecret(context, enclave, parsed);
      if (key === 'no key') return send(reply, INVALID_COMMIT, errorBytes(INVALID_COMMIT), metrics);
      if (key === null) return send(reply, ENCLAVE_EXISTS, errorBytes(ENCLAVE_EXISTS), metrics);
      context.enclaves.sleep(enclave);
      const body = `{"ok":true,"enclave_id":"${toHex(enclave)}","sequencer_pubkey":"${toHex(key)}"}`;
      return send(reply, 0, Buffer.from(body), metrics);
    }),
  );

  const snapshot = guarded((enclave, _request, reply) => context.snapshots.send(enclave, reply));
  app.get('/enclaves/:id/snapshot', snapshot);
  app.get('/:id/snapshot', snapshot);

  // These bodies are files: they are read as they arrive, whatever their size.
  app.register(async (files) => {
    files.removeAllContentTypeParsers();
    files.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    const expected = (request: FastifyRequest): Uint8Array | null => hex32(request.headers['x-enc-sequencer']);
    files.post(
      '/enclaves/:id/restore',
      guarded(async (enclave, request, reply) => {
        const { code, body } = await context.restore.restore(enclave, fileOf(request), expected(request));
        return send(reply, code, body, metrics);
      }),
    );
    files.post(
      '/enclaves/:id/recover',
      guarded(async (enclave, request, reply) => {
        const { code, body } = await context.restore.recover(enclave, fileOf(request));
        return send(reply, code, body, metrics);
      }),
    );
  });
}

/** The body as a stream; an empty one if there is none. */
const fileOf = (request: FastifyRequest): Readable => (request.body as Readable | undefined) ?? Readable.from([]);

async function importSecret(
  context: ApiContext,
  enclave: Uint8Array,
  { secret, creator }: Imported,
): Promise<Uint8Array | null | 'no key'> {
  try {
    return await context.signer.importKey(enclave, secret, creator);
  } catch (error) {
    if (error instanceof RangeError) return 'no key';
    throw error;
  } finally {
    secret.fill(0);
  }
}

interface Imported {
  readonly secret: Uint8Array;
  readonly creator: Uint8Array | null;
}

/** The body of init-with-priv, read here and not in the kernel: a secret never enters WASM memory (PROTOCOL §11). */
function importedKey(enclave: Uint8Array, body: Uint8Array): Imported | number {
  const parsed = parseJson(body);
  if (!parsed) return INVALID_JSON;
  if (!isObject(parsed.value)) return INVALID_COMMIT;
  const { enclave_id: id = toHex(enclave), sequencer_priv: priv, creator, ...rest } = Object.fromEntries(parsed.value);
  if (Object.keys(rest).length > 0 || id !== toHex(enclave) || typeof priv !== 'string') return INVALID_COMMIT;
  const secret = fromHex(priv, 32);
  if (!secret) return INVALID_COMMIT;
  if (creator === undefined) return { secret, creator: null };
  const by = hex32(creator);
  return by ? { secret, creator: by } : INVALID_COMMIT;
}

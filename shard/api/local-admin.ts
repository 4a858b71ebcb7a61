import { REQUEST_STH } from '../../kernel/kernel.ts';
import { errorNumber } from '../../protocol/errors.ts';
import { fromHex, toHex } from '../../protocol/hex.ts';
import { isObject, parseJson } from '../../protocol/json.ts';
import { EnclaveActor } from '../enclave/actor.ts';
import { errorBytes } from '../enclave/answers.ts';
import { getRequest } from '../enclave/reads.ts';
import type { Exchange } from './api.ts';
import type { ApiContext } from './context.ts';
import { hex32 } from './params.ts';

const INVALID_COMMIT = errorNumber('invalid_commit');
const INVALID_JSON = errorNumber('invalid_json');
const ENCLAVE_EXISTS = errorNumber('enclave_exists');

/** Closes the open bundle and answers the tree head (PROTOCOL §9). */
export async function closeBundle(context: ApiContext, exchange: Exchange, enclave: Uint8Array): Promise<void> {
  const actor = await context.enclaves.actor(enclave);
  if (!(actor instanceof EnclaveActor)) return exchange.answer(actor, errorBytes(actor));
  const lost = await new Promise<number>((resolve) => actor.closeBundle(resolve));
  if (lost !== 0) return exchange.answer(lost, errorBytes(lost));
  const { code, body } = await context.reads.read(getRequest(REQUEST_STH, enclave));
  exchange.answer(code, body);
}

/** Provisions an enclave id with an imported sequencer key (PROTOCOL §9). */
export async function initWithPriv(context: ApiContext, exchange: Exchange, enclave: Uint8Array): Promise<void> {
  const refuse = (code: number): void => exchange.answer(code, errorBytes(code));
  const parsed = importedKey(enclave, exchange.body);
  if (typeof parsed === 'number') return refuse(parsed);
  const existing = await context.enclaves.actor(enclave);
  if (existing instanceof EnclaveActor && existing.sequencer !== null) return refuse(ENCLAVE_EXISTS);
  const key = await importSecret(context, enclave, parsed);
  if (key === 'no key') return refuse(INVALID_COMMIT);
  if (key === null) return refuse(ENCLAVE_EXISTS);
  context.enclaves.sleep(enclave);
  const body = `{"ok":true,"enclave_id":"${toHex(enclave)}","sequencer_pubkey":"${toHex(key)}"}`;
  exchange.answer(0, Buffer.from(body));
}

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

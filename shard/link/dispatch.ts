import {
  MODE_OF_OP,
  OP_CLOSE_BUNDLE,
  OP_CONSISTENCY,
  OP_INIT_WITH_PRIV,
  OP_RECEIPT,
  OP_RECOVER,
  OP_RESTORE,
  OP_SNAPSHOT,
  OP_STH,
  readConsistency,
} from '../../cluster/link/calls.ts';
import type { Api } from '../api/api.ts';
import type { LinkExchange } from './link-exchange.ts';

/**
 * Carries out what a router asks for, through the same calls as HTTP. `byPath`: the enclave stands in the path of the
 * call, not in its body. False if there is no such call. A body is looked into before it is decided whether the enclave
 * is served here (a malformed one is answered by anybody); all other calls name theirs at once.
 */
export function dispatch(api: Api, exchange: LinkExchange, op: number, byPath: boolean): boolean {
  const { enclave, body } = exchange;
  const mode = MODE_OF_OP[op];
  if (mode) {
    if (byPath) api.post(exchange, mode, enclave);
    else api.post(exchange, mode);
    return true;
  }
  const call = CALLS[op];
  if (!call) return false;
  if (exchange.admitted()) call(api, exchange, enclave, body);
  return true;
}

type Call = (api: Api, exchange: LinkExchange, enclave: Uint8Array, body: Uint8Array) => void;

const CALLS: Readonly<Record<number, Call>> = {
  [OP_STH]: (api, exchange, enclave) => api.sth(exchange, enclave),
  [OP_CONSISTENCY]: (api, exchange, enclave, body) => {
    const { from, to } = readConsistency(body);
    api.consistency(exchange, enclave, from, to);
  },
  [OP_RECEIPT]: (api, exchange, enclave, body) =>
    api.receipt(exchange, enclave, body.subarray(0, 32), body.subarray(32, 96)),
  [OP_CLOSE_BUNDLE]: (api, exchange, enclave) => api.closeBundle(exchange, enclave),
  [OP_INIT_WITH_PRIV]: (api, exchange, enclave) => api.initWithPriv(exchange, enclave),
  [OP_SNAPSHOT]: (api, exchange, enclave) => api.snapshot(exchange, enclave),
  [OP_RESTORE]: (api, exchange, enclave, body) => api.restore(exchange, enclave, body.length === 32 ? body : null),
  [OP_RECOVER]: (api, exchange, enclave) => api.recover(exchange, enclave),
};

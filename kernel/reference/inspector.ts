import { utf8 } from '../../protocol/bytes.ts';
import { DEFAULT_LIMITS, inspectBody } from '../../protocol/inspect.ts';
import { receiptOf } from '../../protocol/records.ts';
import type { Inspector, Limits } from '../kernel.ts';

/** The stateless half of the reference kernel: the codec of protocol/ behind the interface of kernel/kernel.ts. */
export function createReferenceInspector(limits: Limits = DEFAULT_LIMITS): Inspector {
  return {
    inspect: (body, mode, enclave) => inspectBody(body, mode, enclave, limits),
    receipt: (enclave, record) => utf8(receiptOf(enclave, record)),
  };
}

/** With the default limits. */
export const referenceInspector: Inspector = createReferenceInspector();

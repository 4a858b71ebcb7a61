import { freshOutput, IN } from './input';
import { putReceipt, RECEIPT_ROOM } from './render';
import { PATH_ENCLAVE } from './inspect';

/** The Receipt of the event record in the input, an event of the enclave at PATH_ENCLAVE; in the output. */
export function receipt(): void {
  const out = freshOutput();
  out.end(putReceipt(out.reserve(RECEIPT_ROOM), IN.ptr, PATH_ENCLAVE));
}

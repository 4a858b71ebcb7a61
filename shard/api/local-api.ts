import { REQUEST_CONSISTENCY, REQUEST_STH } from '../../kernel/kernel.ts';
import { type Answer, getRequest } from '../enclave/reads.ts';
import type { Api, Exchange } from './api.ts';
import type { ApiContext } from './context.ts';
import { closeBundle, initWithPriv } from './local-admin.ts';
import { post } from './post.ts';

/** The calls as this process answers them, from its own enclaves. `about`: see Api. */
export function createLocalApi(about: string, context: ApiContext): Api {
  const { reads, snapshots, restore } = context;
  const whole = (exchange: Exchange, answer: Promise<Answer>): void =>
    void answer.then(
      ({ code, body }) => exchange.answer(code, body),
      (error: unknown) => exchange.fail(error),
    );
  const done = (exchange: Exchange, work: Promise<void>): void =>
    void work.catch((error: unknown) => exchange.fail(error));
  return {
    about: () => about,
    post: (exchange, mode, enclave) => post(context, mode, exchange, enclave),
    sth: (exchange, enclave) => whole(exchange, reads.read(getRequest(REQUEST_STH, enclave))),
    consistency: (exchange, enclave, from, to) =>
      whole(exchange, reads.read(getRequest(REQUEST_CONSISTENCY, enclave, from, to))),
    receipt: (exchange, enclave, hash, sig) => whole(exchange, reads.receipt(enclave, hash, sig)),
    closeBundle: (exchange, enclave) => done(exchange, closeBundle(context, exchange, enclave)),
    initWithPriv: (exchange, enclave) => done(exchange, initWithPriv(context, exchange, enclave)),
    snapshot: (exchange, enclave) => done(exchange, snapshots.send(enclave, exchange)),
    restore: (exchange, enclave, expected) => whole(exchange, restore.restore(enclave, exchange.upload, expected)),
    recover: (exchange, enclave) => whole(exchange, restore.recover(enclave, exchange.upload)),
  };
}

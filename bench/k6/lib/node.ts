import { sleep } from 'k6';
import http, { type RefinedParams, type RefinedResponse } from 'k6/http';
import { Counter } from 'k6/metrics';
import { NODE_URL, TOKEN } from './env.ts';

/** Calls that were sent again because the answer said so, or because there was none. */
export const retries: Counter = new Counter('enc_retries');

/** A client gives a call up then, s: longer than a fail-over may take (ARCHITECTURE §6). */
const DEADLINE_S = 15;
const TIMEOUT = '10s';
/** Before it is sent again, s, if the answer names no time; up to twice that, so that clients spread. */
const PAUSE_S = 0.1;
/** `unavailable`, `fenced`, `overloaded`, `rate_limited`, and 0 for a lost connection: the same call may succeed later. */
const RETRIED: ReadonlySet<number> = new Set([0, 429, 503]);
/** What counts as answered in k6's `http_req_failed`: a refusal that a script asks for is none, and checks say the rest. */
const ANSWERED = http.expectedStatuses({ min: 200, max: 499 });
const HEADERS = { 'content-type': 'application/json' };

export interface Answer {
  /** of HTTP; 0: no answer within the deadline */
  readonly status: number;
  readonly text: string;
  /** parsed; undefined if it is no JSON */
  readonly json: unknown;
  /** from the first time it was sent to the last byte of this answer, ms */
  readonly ms: number;
}

/** How a call appears in k6's own figures; `admin` sends the operator's token, if there is one. */
export interface CallOptions {
  readonly name: string;
  readonly admin?: boolean;
}

export function post(body: string, options: CallOptions, path = '/'): Answer {
  const headers = options.admin && TOKEN !== '' ? { ...HEADERS, authorization: `Bearer ${TOKEN}` } : HEADERS;
  return ask((params) => http.post(NODE_URL + path, body, { ...params, headers }), options.name);
}

export function get(path: string, options: CallOptions): Answer {
  return ask((params) => http.get(NODE_URL + path, params), options.name);
}

type Sent = RefinedResponse<'text'>;
type Params = RefinedParams<'text'>;

/** Sends a call, and again while that may help: the same commit gets the same receipt (PROTOCOL §3). */
function ask(send: (params: Params) => Sent, name: string): Answer {
  const params: Params = { tags: { name }, timeout: TIMEOUT, responseType: 'text', responseCallback: ANSWERED };
  const began = Date.now();
  for (let retried = false; ; retried = true) {
    const response = send(params);
    const { status, body } = response;
    const pause = Number(response.headers['Retry-After'] ?? 0) || PAUSE_S * (1 + Math.random());
    if (!RETRIED.has(status) || Date.now() - began + pause * 1000 > DEADLINE_S * 1000) {
      // k6 times a call in fractions of a ms, its clock counts whole ones.
      return answerOf(status, body ?? '', retried ? Date.now() - began : response.timings.duration);
    }
    retries.add(1, { name });
    sleep(pause);
  }
}

function answerOf(status: number, text: string, ms: number): Answer {
  try {
    return { status, text, json: JSON.parse(text), ms };
  } catch {
    return { status, text, json: undefined, ms };
  }
}

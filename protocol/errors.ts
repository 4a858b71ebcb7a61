/**
 * The one table of errors: code on the wire, its number inside the node (kernel, records, pool), HTTP status, and the
 * fixed sentence that says what to do (PROTOCOL §1, §9). Answers are comparable as bytes, so details never go into the
 * sentence: they are fields of their own.
 */
interface ErrorRow {
  readonly code: string;
  readonly number: number;
  readonly status: number;
  readonly message: string;
}

export const ERRORS = [
  {
    code: 'invalid_json',
    number: 1,
    status: 400,
    message: 'Send strict JSON in UTF-8 with integer numbers, unique keys and at most 32 levels.',
  },
  {
    code: 'invalid_commit',
    number: 2,
    status: 400,
    message: 'Send exactly the fields that this call defines, each in its shape.',
  },
  { code: 'invalid_hash', number: 3, status: 400, message: 'Compute the hash over the fields as they are sent.' },
  {
    code: 'invalid_filter',
    number: 4,
    status: 400,
    message: 'Use only the defined parameters, each in its shape and range.',
  },
  { code: 'invalid_manifest', number: 5, status: 400, message: 'Correct the Manifest at the given path.' },
  {
    code: 'invalid_content',
    number: 6,
    status: 400,
    message: 'Send the content that this event type defines, with names that the Manifest declares.',
  },
  {
    code: 'invalid_snapshot',
    number: 7,
    status: 400,
    message: 'Get an intact snapshot: this one fails verification at the given seq.',
  },
  { code: 'expired', number: 8, status: 400, message: 'Sign the commit anew with an exp in the future.' },
  { code: 'exp_too_far', number: 9, status: 400, message: 'Sign the commit anew with an earlier exp.' },
  {
    code: 'invalid_signature',
    number: 10,
    status: 401,
    message: 'Sign the hash with the key of from, under the alg that is named.',
  },
  {
    code: 'invalid_session',
    number: 11,
    status: 401,
    message: 'Make a session token for this sequencer with the key of from.',
  },
  { code: 'session_expired', number: 12, status: 401, message: 'Make a new session token: this one has expired.' },
  { code: 'unauthorized', number: 13, status: 401, message: 'Send the admin token as a bearer token.' },
  { code: 'forbidden', number: 14, status: 403, message: 'Ask for a column that allows this: none of yours does.' },
  { code: 'rank', number: 15, status: 403, message: 'Ask an identity of higher rank to do this.' },
  { code: 'state_mismatch', number: 16, status: 403, message: 'Read the current state and commit against it.' },
  { code: 'no_change', number: 17, status: 403, message: 'Nothing to do: it is so already.' },
  {
    code: 'owner_must_transfer',
    number: 18,
    status: 403,
    message: 'Transfer the rank-0 trait before its holder is moved out.',
  },
  { code: 'gate_closed', number: 19, status: 403, message: 'Wait until the gate is opened.' },
  { code: 'enclave_not_found', number: 20, status: 404, message: 'Check the enclave id: this node does not host it.' },
  {
    code: 'event_not_found',
    number: 21,
    status: 404,
    message: 'Check the event: there is no such event for this call.',
  },
  { code: 'invalid_route', number: 22, status: 404, message: 'Use a call that this node serves.' },
  { code: 'deleted', number: 23, status: 409, message: 'Choose another event: this one has been deleted for good.' },
  { code: 'bundle_open', number: 24, status: 409, message: 'Try again when the bundle has been closed.' },
  { code: 'enclave_exists', number: 25, status: 409, message: 'Choose another enclave: this one exists already.' },
  { code: 'enclave_paused', number: 26, status: 409, message: 'Wait until the enclave is resumed.' },
  {
    code: 'enclave_read_only',
    number: 27,
    status: 409,
    message: 'Commit where the sequencer key is held: here the enclave is read-only.',
  },
  { code: 'enclave_terminated', number: 28, status: 410, message: 'Use another enclave: this one has ended.' },
  { code: 'enclave_migrated', number: 29, status: 410, message: 'Commit to the new sequencer: the enclave has moved.' },
  { code: 'too_large', number: 30, status: 413, message: 'Send less: a size limit is exceeded.' },
  { code: 'rate_limited', number: 31, status: 429, message: 'Slow down and try again after the given time.' },
  {
    code: 'unavailable',
    number: 32,
    status: 503,
    message: 'Send the same request again: its outcome is not known yet.',
  },
  {
    code: 'fenced',
    number: 33,
    status: 503,
    message: 'Send the same request again: another process owns the enclave now.',
  },
  {
    code: 'enclave_regressed',
    number: 34,
    status: 503,
    message: 'Tell the operator: the log of this enclave has lost events and must be recovered.',
  },
  { code: 'overloaded', number: 35, status: 503, message: 'Try again after the given time: the node is busy.' },
  { code: 'internal', number: 36, status: 500, message: 'Tell the operator: the node met an unexpected fault.' },
] as const satisfies readonly ErrorRow[];

export type ErrorCode = (typeof ERRORS)[number]['code'];

export interface ErrorInfo extends ErrorRow {
  readonly code: ErrorCode;
}

const byCode = new Map<string, ErrorInfo>(ERRORS.map((row) => [row.code, row]));

/** The number of a code, 1…36. */
export function errorNumber(code: ErrorCode): number {
  return errorOf(code).number;
}

/** The row of a code or a number; throws RangeError on anything that is not in the table. */
export function errorOf(codeOrNumber: ErrorCode | number): ErrorInfo {
  const row: ErrorInfo | undefined =
    typeof codeOrNumber === 'number' ? ERRORS[codeOrNumber - 1] : byCode.get(codeOrNumber);
  if (row === undefined) throw new RangeError(`no such error: ${codeOrNumber}`);
  return row;
}

/** True for the codes of the table: what a client may find in a foreign answer. */
export function isErrorCode(text: string): text is ErrorCode {
  return byCode.has(text);
}

/**
 * `{"type":"Error","error","message"…}` (PROTOCOL §9). `detail`: canonical JSON members without braces, such as
 * `"path":"/RBAC/init/0"`, or ''.
 */
export function errorBody(codeOrNumber: ErrorCode | number, detail = ''): string {
  const row = errorOf(codeOrNumber);
  return `{"type":"Error","error":"${row.code}","message":"${row.message}"${detail === '' ? '' : `,${detail}`}}`;
}

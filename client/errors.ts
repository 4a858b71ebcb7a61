/**
 * What can go wrong between a client and a node. Every error has a `code` for programs and a sentence for people.
 * `Refused` carries the node's own code (PROTOCOL §9); the other classes are this side's conclusions.
 */
export class EncError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The node answered with an Error of PROTOCOL §9. `fields` holds what it said besides code and sentence. */
export class Refused extends EncError {
  readonly status: number;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Milliseconds the node asks us to wait (`Retry-After`). */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: string,
    message: string,
    status: number,
    fields: Readonly<Record<string, unknown>> = {},
    retryAfterMs?: number,
  ) {
    super(code, message);
    this.status = status;
    this.fields = fields;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * An answer of the node does not check: a bad signature, another enclave's event, a proof that proves something else.
 * Nothing of that answer was handed on. `call` is what was asked, `evidence` what came back.
 */
export class NodeLied extends EncError {
  readonly call: string;
  readonly what: string;
  readonly evidence: unknown;

  constructor(call: string, what: string, evidence?: unknown) {
    super(
      'node_lied',
      `The answer to "${call}" does not check: ${what}. Do not trust this node with this enclave; keep the answer as evidence.`,
    );
    this.call = call;
    this.what = what;
    this.evidence = evidence;
  }
}

/**
 * An archive does not prove what it should: an object is damaged, missing, exchanged or made up. `object` is its name, ''
 * when the fault is in no single one.
 */
export class ArchiveRefused extends EncError {
  readonly object: string;
  readonly what: string;

  constructor(object: string, what: string) {
    super('archive_refused', `The archive does not check${object === '' ? '' : ` at ${object}`}: ${what}.`);
    this.object = object;
    this.what = what;
  }
}

/** No answer, an answer that was cut off, or one that no ENC node gives. */
export class Unreachable extends EncError {
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options?: ErrorOptions & { retryAfterMs?: number }) {
    super('unreachable', message, options);
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/** The commit's `exp` has passed and the node says that it never was and never will be accepted (PROTOCOL §9). */
export class NeverAccepted extends EncError {
  readonly hash: string;

  constructor(hash: string, cause?: unknown) {
    super(
      'never_accepted',
      `The commit ${hash} was not accepted before it expired, and never will be. Build it again with a later exp.`,
      { cause },
    );
    this.hash = hash;
  }
}

/** The deadline passed before the outcome of a commit could be learned. The same commit may be sent or asked for again. */
export class OutcomeUnknown extends EncError {
  readonly hash: string;

  constructor(hash: string, cause?: unknown) {
    super(
      'outcome_unknown',
      `It is not known whether the commit ${hash} was accepted. Ask for its receipt again later.`,
      { cause },
    );
    this.hash = hash;
  }
}

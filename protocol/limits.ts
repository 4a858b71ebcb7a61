/** Limits of the protocol (fixed) and defaults of settings (an operator may change them). Times in ms unless said. */

/** PROTOCOL §1: a request body. Setting: room for one array of commits with contents of some KiB each. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;
/** PROTOCOL §1: text of one commit. Setting: what one event may cost every replayer, and 1/8 of a body. */
export const MAX_COMMIT_BYTES = 1024 * 1024;
/** PROTOCOL §1: commits of one array. Setting: two batches of the pipeline (512) fill a shard for about 0.1 s. */
export const MAX_ARRAY = 1000;
/** PROTOCOL §3: exp > T + window is `exp_too_far`. Setting: every unexpired hash is remembered, so this bounds that memory. */
export const EXP_WINDOW = 600_000;

/** PROTOCOL §3: tags of a commit, strings of a tag, bytes of a string. Tags are kept when content is erased. */
export const MAX_TAGS = 32;
export const MAX_TAG_STRINGS = 8;
export const MAX_TAG_BYTES = 256;
/** PROTOCOL §3: an event type. Also the rule for aliases. */
export const TYPE_PATTERN = /^[A-Za-z0-9_.:-]{1,64}$/;
/** PROTOCOL §5: key of a Shared or Own slot, in bytes of UTF-8. */
export const MAX_SLOT_KEY_BYTES = 256;

/** PROTOCOL §9: events of an answer, when none is asked for and at most. */
export const DEFAULT_LIMIT = 100;
export const MAX_LIMIT = 1000;
/** PROTOCOL §9: values of one list of a filter; also its tag names. */
export const MAX_FILTER_VALUES = 100;
/** PROTOCOL §9: keys of one /state-batch. */
export const MAX_STATE_KEYS = 256;

/** A raw kv key of a state proof, in bytes: the longest form of PROTOCOL §6 has under 320. */
export const MAX_RAW_KEY_BYTES = 1024;

/** PROTOCOL §8, seconds: lifetime of a session, and how far the clocks of client and node may differ. */
export const SESSION_LIFETIME = 7200;
export const SESSION_LEEWAY = 60;

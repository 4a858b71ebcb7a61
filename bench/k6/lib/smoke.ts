import { check } from 'k6';
import { NODE_URL, text } from './env.ts';
import { type Answer, get, post } from './node.ts';
import { headFault, type Key, keyOf, newKey, receiptFault, refusal, type Signed, session, sign } from './protocol.js';

/** Commits of a smoke test are good for so long, ms. */
const LIFETIME_MS = 120_000;
const BATCH = 4;

/**
 * The short life of one enclave: founded, written to one by one and in a batch, read back, with a sample of what must be
 * refused. Every receipt and the tree head are verified, signatures included. A check that fails says why.
 */
export function smoke(): void {
  try {
    walk();
    expect('it runs to its end', null);
  } catch (error) {
    expect('it runs to its end', String(error));
  }
}

function walk(): void {
  aboutNode();
  const owner = ownerKey();
  const { enclave, sequencer } = found(owner);
  const note = (n: number, key = owner): Signed => sign(key, { enclave, type: 'note', content: { n }, exp: soon() });

  const first = note(0);
  const answered = post(first.body, { name: 'commit' });
  expect('a commit gets its receipt', receiptFault(answered.json, first, sequencer));
  expect('the same commit gets the same receipt', same(post(first.body, { name: 'commit' }).text, answered.text));
  const path = `/${enclave}/receipt/${first.hash}?sig=${first.sig}`;
  expect('the receipt can be asked for later', same(get(path, { name: 'receipt' }).text, answered.text));

  const many = Array.from({ length: BATCH }, (_, i) => note(1 + i));
  batch(many, sequencer);
  refusals(note, enclave);
  reads(owner, enclave, sequencer, [first, ...many]);
}

function aboutNode(): void {
  const about = get('/', { name: 'about' });
  if (about.status === 0) throw new Error(`${NODE_URL} does not answer`);
  const { version, protocol, kernel } = record(about);
  expect('the node says what it is', about.status === 200 && version && protocol === 'enc/2' ? null : about.text);
  expect('and which kernel it runs', /^[0-9a-f]{64}$/.test(String(kernel)) ? null : about.text);
}

/** OWNER is a key of yours, for nodes that know who may create enclaves. */
function ownerKey(): Key {
  const given = text('OWNER', '');
  return given === '' ? newKey() : keyOf(given);
}

/** A Manifest that names its sequencer (PROTOCOL §3). */
function found(owner: Key): { enclave: string; sequencer: string } {
  const content = {
    enc_v: 2,
    nonce: newKey().id,
    bundle: { size: 2 },
    RBAC: {
      states: ['OWNER'],
      readers: [{ type: 'OWNER', reads: '*' }],
      customs: [{ event: 'note', operator: 'OWNER', ops: ['C'] }],
      init: [{ identity: owner.id, state: 'OWNER', traits: [] }],
    },
  };
  const asked = post(JSON.stringify({ type: 'Sequencer', from: owner.id, content }), { name: 'sequencer' });
  const sequencer = String(record(asked)['sequencer']);
  const manifest = sign(owner, { type: 'Manifest', content: { ...content, sequencer }, exp: soon() });
  const answer = post(manifest.body, { name: 'manifest', admin: true });
  const fault = receiptFault(answer.json, manifest, sequencer);
  expect('a Manifest founds an enclave', fault);
  if (fault !== null) throw new Error(answer.text);
  return { enclave: manifest.enclave, sequencer };
}

/** Each element is answered alone: a repeated one with the same receipt, a false signature with an error. */
function batch(many: readonly Signed[], sequencer: string): void {
  const [one] = many as [Signed];
  const forged = one.body.replace(/"sig":"[0-9a-f]{64}/, `"sig":"${'0'.repeat(64)}`);
  const bodies = [...many.map(({ body }) => body), one.body, forged];
  const answer = post(`[${bodies.join(',')}]`, { name: 'batch' });
  const answers = Array.isArray(answer.json) ? answer.json : [];
  expect('an array is answered element by element', answers.length === bodies.length ? null : answer.text);
  for (const [i, commit] of [...many, one].entries())
    expect('each commit of an array gets its receipt', receiptFault(answers[i], commit, sequencer));
  const repeated = JSON.stringify(answers[many.length]);
  expect('a commit twice in an array gets one receipt', same(repeated, JSON.stringify(answers[0])));
  expect('a forged one among them is refused', same(answers.at(-1)?.error, 'invalid_signature'));
}

function refusals(note: (n: number, key?: Key) => Signed, enclave: string): void {
  refused('a stranger is refused', 'forbidden', note(-1, newKey()).body);
  refused('a changed commit is refused', 'invalid_hash', note(-2).body.replace('"n":-2', '"n":-3'));
  refused('what is no JSON is refused', 'invalid_json', '{"exp":1.5}');
  const unknown = { type: 'Info', enclave: enclave.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) };
  refused('an unknown enclave is not found', 'enclave_not_found', JSON.stringify(unknown));
}

function refused(what: string, code: string, body: string): void {
  const { status, text } = refusal(code);
  const answer = post(body, { name: 'refused' });
  expect(what, same(`${answer.status} ${answer.text}`, `${status} ${text}`));
}

function reads(owner: Key, enclave: string, sequencer: string, sent: readonly Signed[]): void {
  const info = record(post(JSON.stringify({ type: 'Info', enclave }), { name: 'info' }));
  expect('the head counts what was acknowledged', same(info['head'], sent.length));
  expect('the enclave has the sequencer that was promised', same(info['sequencer'], sequencer));
  const token = session(owner, sequencer, Math.floor(Date.now() / 1000) + 600);
  const query = { type: 'Query', enclave, from: owner.id, session: token, filter: { type: 'note' } };
  const { events } = record(post(JSON.stringify(query), { name: 'query' }));
  const found = Array.isArray(events) ? events.map((event) => event.hash) : events;
  expect('a query finds all of it in order', same(JSON.stringify(found), JSON.stringify(sent.map(({ hash }) => hash))));
  const head = get(`/${enclave}/sth`, { name: 'sth' });
  expect('the tree head is signed', headFault(head.json, enclave, sequencer));
  expect('the tree head counts closed bundles', Number(record(head)['ts']) >= 2 ? null : head.text);
}

function expect(what: string, fault: string | null): void {
  if (!check(fault, { [what]: (f) => f === null })) console.error(`${what}: ${fault}`);
}

const same = (got: unknown, wanted: unknown): string | null => (got === wanted ? null : `${got} is not ${wanted}`);
const soon = (): number => Date.now() + LIFETIME_MS;
const record = ({ json }: Answer): Readonly<Record<string, unknown>> =>
  typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};

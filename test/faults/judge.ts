import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keySeed, sequencerSecret } from '../../protocol/hash.ts';
import { toHex, unhex } from '../../protocol/hex.ts';
import type { Json } from '../../protocol/json.ts';
import { checkHistory } from './check-history.ts';
import { errorCode, type History, isReceipt } from './history.ts';
import { NotServed, readView, type View } from './outside-view.ts';
import type { Random } from './random.ts';
import { checkReplay } from './replay-both.ts';
import { takeApart } from './snapshot-items.ts';
import type { Tally } from './tally.ts';
import { secp } from './wire.ts';

export interface Judged {
  readonly violations: string[];
  readonly views: ReadonlyMap<string, View>;
}

/** Reads every enclave of the history back and checks I1 to I7. All of them must be served. */
export async function judge(
  url: string,
  history: History,
  random: Random,
  tally: Tally,
  only?: ReadonlySet<string>,
): Promise<Judged> {
  const views = new Map<string, View>();
  const violations: string[] = [];
  for (const enclave of history.enclaves) {
    if (only && !only.has(enclave.id)) continue;
    try {
      views.set(enclave.id, await readView(url, enclave, history, random));
    } catch (error) {
      if (!(error instanceof NotServed)) throw error;
      violations.push(`I1 ${enclave.id} is not served: ${error.message}`);
    }
  }
  violations.push(...checkHistory(history, views, secp));
  for (const view of views.values()) violations.push(...(await checkReplay(view)));
  for (const view of views.values()) count(view, tally);
  return { violations, views };
}

/** Counts the moments that show in the histories themselves. */
export function countRetries(history: History, tally: Tally): void {
  for (const { attempts } of history.asked) {
    let known: number | null = null;
    for (const [i, { answer, sent }] of attempts.entries()) {
      if (!isReceipt(answer)) {
        const code = errorCode(answer);
        tally.add(code ? `answer ${code}` : 'no answer');
        continue;
      }
      known ??= Number(/"timestamp":(\d+)/.exec(answer)?.[1]);
      // The event is older than this request: an earlier attempt had made it.
      if (i > 0 && known < sent) tally.add('deduplicated retry');
    }
  }
}

/** A bundle that is not full and was closed when it was due. */
function count(view: View, tally: Tally): void {
  const { size, timeout } = view.enclave.bundle;
  for (const item of takeApart(view.snapshot).items) {
    if (item.kind !== 'closing') continue;
    const first = view.events[item.firstSeq]?.timestamp ?? Number.POSITIVE_INFINITY;
    if (item.size < size && item.t >= first + timeout) tally.add('bundle closed by time-out');
  }
}

/** I8: neither the master secret nor a sequencer's key is in any of these texts or files, raw, in hex or in base64. */
export function checkSecrets(data: string, views: Iterable<View>, texts: readonly string[]): string[] {
  const file = JSON.parse(readFileSync(join(data, 'keys', 'master.json'), 'utf8')) as {
    versions: { secret: string }[];
  };
  const secrets: [string, Uint8Array][] = file.versions.map(({ secret }) => ['the master secret', unhex(secret)]);
  const haystacks: [string, Buffer][] = texts.map((text, i) => [`output ${i}`, Buffer.from(text)]);
  for (const view of views) {
    haystacks.push([`the snapshot of ${view.enclave.id}`, view.snapshot]);
    const manifest = view.events[0];
    if (!manifest) continue;
    for (const { secret } of file.versions) {
      secrets.push([
        'a sequencer key',
        sequencerSecret(unhex(secret), keySeed(unhex(manifest.from), manifest.content as Json, manifest.tags ?? [])),
      ]);
    }
  }
  const found: string[] = [];
  for (const [what, secret] of secrets) {
    const forms = [
      Buffer.from(secret),
      Buffer.from(toHex(secret)),
      Buffer.from(toHex(secret).toUpperCase()),
      ...base64Forms(secret),
    ];
    for (const [where, bytes] of haystacks)
      if (forms.some((form) => bytes.includes(form))) found.push(`I8 ${what} is in ${where}`);
  }
  return found;
}

/** The parts of base64 that do not depend on what stands around the secret, for each of the three alignments. */
function base64Forms(secret: Uint8Array): Buffer[] {
  return [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), secret])
      .toString('base64')
      .replace(/=+$/, '');
    return Buffer.from(text.slice(shift === 0 ? 0 : shift + 1, -2));
  });
}

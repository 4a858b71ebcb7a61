import { type Event, signEvent } from '../../protocol/event.ts';
import type { EnclaveId } from '../../protocol/hex.ts';
import { toJson } from '../../protocol/json.ts';
import { receiptJson, receiptOfEvent } from '../../protocol/receipt.ts';
import { type Sth, signSth } from '../../protocol/sth.ts';
import { type Attempt, type History, isReceipt } from './history.ts';
import type { View } from './outside-view.ts';
import type { Random } from './random.ts';
import { type Identity, secp, sign } from './wire.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? Mutable<U>[] : T[K] };
export type Views = Map<string, { -readonly [K in keyof View]: View[K] }>;

export interface Plant {
  /** the violation that the judge must find */
  readonly expect: RegExp;
  readonly plant: (own: { history: History; views: Views }) => void;
}

const first = (all: Views): Mutable<View> => [...all.values()][0] as unknown as Mutable<View>;

export const flip = (hex: string): string => (hex[0] === '0' ? '1' : '0') + hex.slice(1);

const notFound = (timestamp: number): string =>
  `{"type":"Error","error":"event_not_found","message":"There is no such event.","timestamp":${timestamp}}`;

/**
 * A violation for every check of the judge, by name. `secretOf`: the sequencer's own key, for the plants that matter most
 * are signed.
 */
export function plants(
  random: Random,
  secretOf: (view: Pick<View, 'events'>) => Uint8Array,
): Readonly<Record<string, Plant>> {
  /** A receipt of an event in this view, as an attempt that can be changed. */
  function acknowledged(
    own: Pick<History, 'asked'>,
    view: Pick<View, 'enclave'>,
  ): { attempt: Mutable<Attempt>; asked: History['asked'][number] } {
    const asked = random.pick(
      own.asked.filter(
        ({ commit, attempts }) =>
          commit.enclave === view.enclave.id &&
          commit.type === 'note' &&
          attempts.some(({ answer }) => isReceipt(answer)),
      ),
    );
    return { asked, attempt: asked.attempts.find(({ answer }) => isReceipt(answer)) as Mutable<Attempt> };
  }

  return {
    'a lost receipt': {
      expect: /^I1 acknowledged seq \d+ .* is missing/,
      plant: ({ views }) => {
        const view = first(views);
        view.events.pop();
        view.head--;
      },
    },
    'a lost event in the middle': {
      expect: /^I3 seq/,
      plant: ({ views }) => void first(views).events.splice(random.int(1, 8), 1),
    },
    'a head that is ahead of the events': { expect: /^I3 the head/, plant: ({ views }) => void first(views).head++ },
    'two events in each other’s place': {
      expect: /^I1 acknowledged seq \d+ .* is another event/,
      plant: ({ views }) => {
        const { events } = first(views);
        const at = random.int(1, events.length - 2);
        [events[at], events[at + 1]] = [events[at + 1] as Event, events[at] as Event];
      },
    },
    'another event, signed, under an acknowledged seq': {
      expect: /^I2 two events under seq/,
      plant: ({ views }) => {
        const view = first(views);
        const at = view.events.length - 1;
        const event = view.events[at] as Event;
        view.events[at] = signEvent(event, { timestamp: event.timestamp + 1, seq: event.seq }, secretOf(view), secp);
      },
    },
    'a receipt of a fenced owner, under a seq that the next owner gave to another commit': {
      expect: /^I2 two events under seq \d+ .* in the log/,
      plant: ({ history, views }) => {
        const view = first(views);
        const { seq, timestamp, exp } = view.events.at(-2) as Event;
        const { owner, id } = view.enclave;
        const draft = { enclave: id as EnclaveId, type: 'note', content: toJson({ by: 'the former owner' }), exp };
        const commit = sign(owner as Identity, draft);
        const answer = receiptJson(receiptOfEvent(signEvent(commit, { timestamp, seq }, secretOf(view), secp)));
        history.asked.push({ commit, attempts: [{ sent: 1, got: 2, life: 1, status: 200, answer }] });
      },
    },
    'events of a former owner that landed behind a fence': {
      expect: /^event \d+ of [0-9a-f]+ is a commit that nobody sent/,
      plant: ({ history, views }) => {
        const view = first(views);
        const last = view.events.at(-1) as Event;
        const at = history.asked.findIndex(({ commit }) => commit.hash === last.hash);
        history.asked.splice(at, 1);
      },
    },
    'an acknowledged event that an Update does not find': {
      expect: /^I1 acknowledged event [0-9a-f]+ .* was not found by Update/,
      plant: ({ history, views }) => {
        const view = first(views);
        const { asked, attempt } = acknowledged(history, view);
        const target = view.events.find(({ hash }) => hash === asked.commit.hash)?.id ?? '';
        const draft = { enclave: asked.commit.enclave, type: 'Update', content: toJson({ target, content: 1 }) };
        const commit = sign(view.enclave.owner as Identity, { ...draft, exp: asked.commit.exp });
        const sent = attempt.got + 10_000;
        const answer = '{"type":"Error","error":"event_not_found","message":"There is no such event."}';
        history.asked.push({ commit, attempts: [{ ...attempt, sent, got: sent + 1, status: 404, answer }] });
      },
    },
    'one commit accepted twice': {
      expect: /^I4 commit [0-9a-f]+ is twice/,
      plant: ({ views }) => {
        const view = first(views);
        const event = view.events[random.int(1, 5)] as Event;
        view.events.push(
          signEvent(
            event,
            { timestamp: view.events.at(-1)?.timestamp ?? 0, seq: view.events.length },
            secretOf(view),
            secp,
          ),
        );
        view.head++;
      },
    },
    'a second receipt for a commit': {
      expect: /^I4 two receipts/,
      plant: ({ history, views }) => {
        const view = first(views);
        const { asked, attempt } = acknowledged(history, view);
        const event = view.events.find(({ hash }) => hash === asked.commit.hash) as Event;
        const other = receiptJson(
          receiptOfEvent(signEvent(event, { timestamp: event.timestamp, seq: event.seq + 1 }, secretOf(view), secp)),
        );
        asked.attempts.push({ ...attempt, answer: other });
      },
    },
    'a receipt with a wrong signature': {
      expect: /does not verify: invalid_/,
      plant: ({ history, views }) => {
        const { attempt } = acknowledged(history, first(views));
        attempt.answer = attempt.answer.replace(/"seq_sig":"(.)/, (_, digit: string) => `"seq_sig":"${flip(digit)}`);
      },
    },
    'a receipt of another sequencer': {
      expect: /signed by another sequencer/,
      plant: ({ history, views }) => {
        const view = first(views);
        const { asked, attempt } = acknowledged(history, view);
        const event = view.events.find(({ hash }) => hash === asked.commit.hash) as Event;
        attempt.answer = receiptJson(receiptOfEvent(signEvent(event, event, random.bytes(32), secp)));
      },
    },
    'a receipt that reads back differently': {
      expect: /^I4 the receipt of .* reads back differently/,
      plant: ({ views }) => {
        const view = first(views);
        const [hash, answer] = [...view.receipts][0] as [string, string];
        (view.receipts as Map<string, string>).set(hash, answer.replace('"seq":', '"seq":1'));
      },
    },
    'a refused commit in the log': {
      expect: /was refused .* and is in the log/,
      plant: ({ history, views }) => {
        const { asked } = acknowledged(history, first(views));
        for (const attempt of asked.attempts as Mutable<Attempt>[])
          Object.assign(attempt, { status: 403, answer: '{"type":"Error","error":"forbidden","message":"x"}' });
      },
    },
    'a commit that nobody sent': {
      expect: /is a commit that nobody sent/,
      plant: ({ history, views }) =>
        void history.asked.splice(history.asked.indexOf(acknowledged(history, first(views)).asked), 1),
    },
    'an internal error': {
      expect: /answered 'internal'/,
      plant: ({ history, views }) =>
        void acknowledged(history, first(views)).asked.attempts.push({
          sent: 0,
          got: 0,
          life: 1,
          status: 500,
          answer: '{"type":"Error","error":"internal","message":"x"}',
        }),
    },
    'a pulled event that is another one now': {
      expect: /^I2 two events under seq/,
      plant: ({ history }) => {
        const seen = random.pick([...history.seen]);
        history.see({ ...seen, id: flip(seen.id) });
      },
    },
    'a pulled event that is gone': {
      expect: /^I1 event \d+ of .* was shown and is missing/,
      plant: ({ history, views }) =>
        history.see({
          enclave: first(views).enclave.id,
          seq: 9999,
          id: flip(views.keys().next().value as string),
          hash: '',
        }),
    },
    'an event whose content was changed': {
      expect: /does not verify: invalid_hash/,
      plant: ({ views }) => {
        const view = first(views);
        const at = view.events.findIndex(({ type, content }) => type === 'note' && content !== null);
        view.events[at] = { ...(view.events[at] as Event), content: 'another' };
      },
    },
    'time that goes back': {
      expect: /^I3 time goes back/,
      plant: ({ views }) => {
        const { events } = first(views);
        events[5] = { ...(events[5] as Event), timestamp: (events[4] as Event).timestamp - 1 };
      },
    },
    'two signed tree heads of one size': {
      expect: /^I6 two tree heads/,
      plant: ({ history, views }) => {
        const view = first(views);
        history.heads.push(signSth({ ...view.sth, r: flip(view.sth.r) as Sth['r'] }, secretOf(view), secp));
      },
    },
    'a signed tree head of a log that was longer': {
      expect: /^I6 a tree head of .* had \d+ bundles, now/,
      plant: ({ history, views }) => {
        const view = first(views);
        history.heads.push(signSth({ ...view.sth, ts: view.sth.ts + 1 }, secretOf(view), secp));
      },
    },
    'an unsigned tree head': {
      expect: /^I6 a tree head of .* is not signed/,
      plant: ({ views }) => {
        const view = first(views);
        view.sth = { ...view.sth, sig: flip(view.sth.sig) as Sth['sig'] };
      },
    },
    'tree heads that do not continue each other': {
      expect: /^I6 tree head \d+ of .* does not continue/,
      plant: ({ views }) => {
        const one = random.pick(
          [...views.values()].flatMap((view) => view.consistency).filter(({ path }) => (path?.length ?? 0) > 0),
        );
        (one as Mutable<typeof one>).path = [flip(one.path?.[0] ?? ''), ...(one.path ?? []).slice(1)];
      },
    },
    'a tree head without a proof': {
      expect: /^I6 tree head \d+ of .* has no consistency proof/,
      plant: ({ views }) => {
        for (const view of views.values()) view.consistency = [];
      },
    },
    'a bundle proof of something else': {
      expect: /^the proof of event \d+ .* fails: bundle/,
      plant: ({ views }) => {
        const proof = [...views.values()]
          .flatMap((view) => view.proofs)
          .find(({ bundle }) => (bundle?.siblings.length ?? 0) > 0);
        proof?.bundle?.siblings.splice(0, 1, flip(proof.bundle.siblings[0] ?? ''));
      },
    },
    'an inclusion proof with another state': {
      expect: /^the proof of event \d+ .* fails: inclusion/,
      plant: ({ views }) => {
        const inclusion = first(views).proofs[0]?.inclusion;
        if (inclusion) inclusion.state_hash = flip(inclusion.state_hash);
      },
    },
    'an acknowledged commit whose receipt is not found': {
      expect: /^I1 the receipt of acknowledged commit [0-9a-f]+ was not found/,
      plant: ({ history, views }) => {
        const { asked, attempt } = acknowledged(history, first(views));
        history.lookUps.push({ commit: asked.commit, sent: attempt.got + 2000, answer: notFound(0) });
      },
    },
    'a look-up that says of an accepted commit that it never will be': {
      expect: /^I4 commit [0-9a-f]+ was said never to be accepted, and is in the log/,
      plant: ({ history, views }) => {
        const { commit } = acknowledged(history, first(views)).asked;
        history.lookUps.push({ commit, sent: 0, answer: notFound(commit.exp) });
      },
    },
    'a look-up of another receipt': {
      expect: /^I4 the receipt of [0-9a-f]+ was looked up as another one/,
      plant: ({ history, views }) => {
        const { asked, attempt } = acknowledged(history, first(views));
        history.lookUps.push({ commit: asked.commit, sent: 0, answer: attempt.answer.replace('"seq":', '"seq":1') });
      },
    },
    'a look-up without a time': {
      expect: /^a look-up of [0-9a-f]+ tells no time/,
      plant: ({ history, views }) => {
        const { commit } = acknowledged(history, first(views)).asked;
        history.lookUps.push({ commit, sent: 0, answer: '{"type":"Error","error":"event_not_found","message":"x"}' });
      },
    },
    'an internal error of a look-up': {
      expect: /^a look-up was answered 'internal'/,
      plant: ({ history, views }) => {
        const { commit } = acknowledged(history, first(views)).asked;
        history.lookUps.push({ commit, sent: 0, answer: '{"type":"Error","error":"internal","message":"x"}' });
      },
    },
    'an answer that is none': {
      expect: /^an answer is neither a receipt nor an error/,
      plant: ({ history, views }) => {
        acknowledged(history, first(views)).attempt.answer = '{"type":"Receipt","seq":1}';
      },
    },
    'a receipt for another commit': {
      expect: /^a receipt for another commit/,
      plant: ({ history, views }) => {
        const { asked, attempt } = acknowledged(history, first(views));
        const others = { asked: history.asked.filter((one) => one !== asked) };
        attempt.answer = acknowledged(others, first(views)).attempt.answer;
      },
    },
    'a receipt for an expired commit': {
      expect: /^the receipt of [0-9a-f]+ is for an expired commit/,
      plant: ({ history, views }) => {
        const { asked } = acknowledged(history, first(views));
        const at = history.asked.indexOf(asked);
        history.asked[at] = { ...asked, commit: { ...asked.commit, exp: 1 } };
      },
    },
    'events that are none': {
      expect: /^\d+ malformed events/,
      plant: ({ views }) => void first(views).malformed++,
    },
    'an event of another enclave': {
      expect: /^event \d+ of [0-9a-f]+ belongs to another enclave/,
      plant: ({ views }) => {
        const { events } = first(views);
        events[3] = { ...(events[3] as Event), enclave: flip(events[3]?.enclave ?? '') as EnclaveId };
      },
    },
    'an event of another sequencer': {
      expect: /^event \d+ of [0-9a-f]+ is signed by another sequencer/,
      plant: ({ views }) => {
        const { events } = first(views);
        const event = events[3] as Event;
        events[3] = signEvent(event, event, random.bytes(32), secp);
      },
    },
    'a proof that is not given': {
      expect: /^the proof of event \d+ .* fails: it is missing/,
      plant: ({ views }) => {
        const [proof] = first(views).proofs;
        if (proof) proof.bundle = null;
      },
    },
    'a proof about another event': {
      expect: /^the proof of event \d+ .* fails: it is about something else/,
      plant: ({ views }) => {
        const bundle = first(views).proofs[0]?.bundle;
        if (bundle) bundle.event_id = flip(bundle.event_id);
      },
    },
    'a proof of another place': {
      expect: /^the proof of event \d+ .* fails: another place in the bundle/,
      plant: ({ views }) => {
        const inclusion = first(views).proofs[0]?.inclusion;
        if (inclusion) inclusion.first_seq++;
      },
    },
  };
}

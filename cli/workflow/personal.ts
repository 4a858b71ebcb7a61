import { EncError } from '../../client/errors.ts';
import type { TreeHead } from '../../client/heads.ts';
import type { Commit, EncEvent, Receipt } from '../../client/types.ts';
import { TEMPLATES } from '../templates.ts';
import { expect, type Step } from './runner.ts';
import type { World } from './world.ts';

/** One person's log, and every proof there is: 16 steps. */
export function personalSteps(world: World): Step[] {
  const nonce = Math.random().toString(36).slice(2);
  let sequencer = '';
  let manifest: Record<string, unknown> = {};
  let receipt: Receipt;
  let batch: Commit[] = [];
  let last = 0;
  let older: TreeHead;
  let newer: TreeHead;
  const owner = () => world.as('owner');
  return [
    {
      name: 'node answers',
      run: async () => {
        const node = await world.client.node();
        return `${node.name} ${node.version}`;
      },
    },
    {
      name: 'sequencer asked',
      run: async () => {
        manifest = {
          ...(TEMPLATES['personal'] as (id: string) => Record<string, unknown>)(world.person('owner').id),
          nonce,
        };
        sequencer = await world.client.sequencerFor(world.person('owner').id, manifest);
        return sequencer.slice(0, 16);
      },
    },
    {
      name: 'enclave created',
      run: async () => {
        receipt = await world.found('owner', { ...manifest, sequencer });
        expect(receipt.seq === 0, 'the Manifest is not event 0');
        return world.enclave.id.slice(0, 16);
      },
    },
    {
      name: 'signed commit, receipt verified',
      run: async () => {
        receipt = await world.commit('first', 'owner', 'note', { text: 'the first note' }, [['topic', 'first']]);
        expect(receipt.sequencer === sequencer, 'another sequencer signed');
        return `event ${receipt.seq}`;
      },
    },
    {
      name: 'array of 20 commits',
      run: async () => {
        if (batch.length === 0) {
          const exp = Date.now() + 300_000;
          batch = await Promise.all(Array.from({ length: 20 }, (_, n) => owner().build('note', { n }, { exp })));
        }
        const answers = await owner().submitAll(batch);
        const wrong = answers.find((answer) => answer instanceof EncError);
        if (wrong) throw wrong;
        last = Math.max(...(answers as Receipt[]).map((answer) => answer.seq));
        return `events up to ${last}`;
      },
    },
    {
      name: 'query',
      run: async () => {
        const [event, ...more] = await owner().query({ type: 'note', tags: { topic: 'first' } });
        expect(event && more.length === 0, 'it did not find exactly the tagged note');
        expect(event.id === receipt.id, 'it found another event than the receipt names');
        return JSON.stringify(event.content);
      },
    },
    {
      name: 'pull, complete and in order',
      run: async () => {
        const events: EncEvent[] = [];
        for await (const event of owner().pull({ complete: true, pageSize: 7 })) events.push(event);
        expect(events.length === last + 1, `${events.length} events came, not ${last + 1}`);
        return `${events.length} events`;
      },
    },
    {
      name: 'info',
      run: async () => {
        const info = await owner().info();
        expect(info.status === 'active' && info.head >= last, 'status or head are wrong');
        return `head ${info.head}, ${info.status}`;
      },
    },
    {
      name: 'bundle closed',
      run: async () => {
        older = await world.close(last);
        return `${older.ts} bundles`;
      },
    },
    {
      name: 'signed tree head',
      run: async () => {
        const sth = await owner().sth();
        expect(sth.ts >= older.ts && sth.ts > 0, 'it covers nothing');
        return `root ${sth.r.slice(0, 16)}`;
      },
    },
    {
      name: 'bundle proof and inclusion proof of an event',
      run: async () => {
        const proof = await owner().prove({ id: receipt.id });
        expect(proof.seq === receipt.seq, 'it proves another seq');
        return `event ${proof.seq} in bundle ${proof.bundle.leaf_index}`;
      },
    },
    {
      name: 'state proof of a member',
      run: async () => {
        const { value } = await owner().state({ member: world.person('owner').id });
        expect(value !== null && Number.parseInt(value, 16) === 1, 'the owner does not hold OWNER');
        return 'OWNER';
      },
    },
    {
      name: 'state proof of a stranger (non-membership)',
      run: async () => {
        const { value } = await owner().state({ member: world.person('stranger').id });
        expect(value === null, 'the stranger holds something');
        return 'nothing';
      },
    },
    {
      name: 'consistency of tree heads',
      run: async () => {
        const { seq } = await world.commit('second', 'owner', 'Shared', { key: 'topic', value: 'proofs' });
        newer = await world.close(seq);
        expect(newer.ts > older.ts, 'no bundle was closed');
        const path = await owner().consistency(older, newer);
        return `${older.ts} → ${newer.ts} bundles, ${path.length} hashes`;
      },
    },
    {
      name: 'retry gives the same receipt',
      run: async () => {
        const again = await owner().submit(world.sent('first'));
        expect(JSON.stringify(again) === JSON.stringify(receipt), 'the receipts differ');
        const asked = await owner().receipt(world.sent('first'));
        expect(JSON.stringify(asked) === JSON.stringify(receipt), 'the receipt asked for differs');
        return `event ${again.seq}`;
      },
    },
    {
      name: 'denial for a stranger',
      run: async () => {
        await world.refused('forbidden', 'write', () => world.as('stranger').commit('note', { text: 'let me in' }));
        return world.refused('forbidden', 'read', () => world.as('stranger').query({ type: 'note' }));
      },
    },
  ];
}

import { TEMPLATES } from '../templates.ts';
import { expect, type Step } from './runner.ts';
import type { World } from './world.ts';

/** The life of a chat room, told by its roles: 14 steps. */
export function groupSteps(world: World): Step[] {
  const nonce = Math.random().toString(36).slice(2);
  const id = (name: string): string => world.person(name).id;
  const act = (label: string, name: string, type: string, content: unknown) => world.commit(label, name, type, content);
  const say = (label: string, name: string) => act(label, name, 'message', { text: label });
  const move = (label: string, by: string, whom: string, from: string, to: string) =>
    act(label, by, 'Move', { target: id(whom), from, to });
  const messages = async (name: string) => (await world.as(name).query({ type: 'message', limit: 1000 })).length;
  return [
    {
      name: 'create the room',
      run: async () => {
        await world.found('alice', {
          ...(TEMPLATES['group'] as (id: string) => Record<string, unknown>)(id('alice')),
          nonce,
        });
        return world.enclave.id.slice(0, 16);
      },
    },
    {
      name: 'the owner invites members',
      run: async () => {
        for (const name of ['bob', 'carol', 'dave']) await move(`invite ${name}`, 'alice', name, 'OUTSIDER', 'MEMBER');
        return 'bob, carol, dave';
      },
    },
    {
      name: 'members talk and read each other',
      run: async () => {
        for (const name of ['alice', 'bob', 'carol', 'dave']) await say(`hello from ${name}`, name);
        for (const name of ['bob', 'dave'])
          expect((await messages(name)) === 4, `${name} does not see the four messages`);
        return '4 messages';
      },
    },
    {
      name: 'the owner appoints a moderator; a member can not',
      run: async () => {
        await world.refused('forbidden', 'carol appoints', () =>
          world.as('carol').commit('Grant', { target: id('carol'), trait: 'moderator' }),
        );
        await act('appoint bob', 'alice', 'Grant', { target: id('bob'), trait: 'moderator' });
        return 'bob';
      },
    },
    {
      name: 'the moderator deletes a message and invites, but can not appoint',
      run: async () => {
        const { id: target } = await say('something rude', 'dave');
        await world.refused('forbidden', 'carol deletes', () => world.as('carol').commit('Delete', { target }));
        await act('remove it', 'bob', 'Delete', { target });
        const [gone] = await world.as('carol').query({ id: target });
        expect(gone?.status === 'deleted' && gone.content === null, 'the message is still there');
        await move('bob invites erin', 'bob', 'erin', 'OUTSIDER', 'MEMBER');
        return world.refused('forbidden', 'bob appoints', () =>
          world.as('bob').commit('Grant', { target: id('erin'), trait: 'moderator' }),
        );
      },
    },
    {
      name: 'the room is closed and opened (gate)',
      run: async () => {
        await act('close the room', 'alice', 'Gate', { alias: 'room', open: false });
        const code = await world.refused('gate_closed', 'closed', () =>
          world.as('carol').commit('message', { text: 'too late' }),
        );
        await act('open the room', 'alice', 'Gate', { alias: 'room', open: true });
        await say('in time', 'carol');
        return code;
      },
    },
    {
      name: 'a muted member reads but can not write',
      run: async () => {
        await move('mute dave', 'bob', 'dave', 'MEMBER', 'MUTED');
        const code = await world.refused('forbidden', 'muted', () =>
          world.as('dave').commit('message', { text: 'hmm' }),
        );
        expect((await messages('dave')) > 0, 'dave can not read any more');
        await move('unmute dave', 'bob', 'dave', 'MUTED', 'MEMBER');
        return code;
      },
    },
    {
      name: 'an author updates and deletes own messages, nobody else updates',
      run: async () => {
        const { id: first } = await say('tpyo', 'carol');
        await world.refused('forbidden', 'bob updates', () =>
          world.as('bob').commit('Update', { target: first, content: { text: 'hacked' } }),
        );
        await act('correct it', 'carol', 'Update', { target: first, content: { text: 'typo' } });
        const [updated] = await world.as('dave').query({ id: first });
        expect(updated?.status === 'updated', 'it is not shown as updated');
        await act('take it back', 'carol', 'Delete', { target: first });
        return world.refused('deleted', 'deleted', () =>
          world.as('carol').commit('Update', { target: first, content: { text: 'again' } }),
        );
      },
    },
    {
      name: 'a topic for all (Shared), profiles for each (Own)',
      run: async () => {
        const { seq, hash } = await act('set the topic', 'bob', 'Shared', { key: 'topic', value: 'proofs' });
        await world.refused('forbidden', 'carol topic', () =>
          world.as('carol').commit('Shared', { key: 'topic', value: 'mine' }),
        );
        await act('a profile', 'carol', 'Own', { key: 'profile', value: { name: 'Carol' } });
        await world.close(seq);
        const { value } = await world.as('dave').state({ shared: 'topic' });
        expect(value === hash, 'the state tree holds another topic');
        return 'topic proved';
      },
    },
    {
      name: 'ownership is handed on',
      run: async () => {
        await act('hand over', 'alice', 'Transfer', { target: id('carol'), trait: 'owner' });
        await act('carol appoints an admin', 'carol', 'Grant', { target: id('alice'), trait: 'admin' });
        return world.refused('forbidden', 'alice hands over', () =>
          world.as('alice').commit('Transfer', { target: id('bob'), trait: 'owner' }),
        );
      },
    },
    {
      name: 'rank: a moderator can not remove an admin, an admin removes a moderator',
      run: async () => {
        const code = await world.refused('rank', 'bob kicks alice', () =>
          world.as('bob').commit('Move', { target: id('alice'), from: 'MEMBER', to: 'OUTSIDER' }),
        );
        await act('dismiss bob', 'alice', 'Revoke', { target: id('bob'), trait: 'moderator' });
        return code;
      },
    },
    {
      name: 'a member is removed, and is out',
      run: async () => {
        await move('kick dave', 'carol', 'dave', 'MEMBER', 'OUTSIDER');
        return world.refused('forbidden', 'dave is out', () =>
          world.as('dave').commit('message', { text: 'let me back in' }),
        );
      },
    },
    {
      name: 'who is gone reads what was before, and nothing after (retention)',
      run: async () => {
        const after = await say('without dave', 'erin');
        const seen = await world.as('dave').query({ type: 'message', limit: 1000 });
        expect(seen.length > 0, 'dave lost what was before');
        expect(
          seen.every((event) => event.seq < after.seq),
          'dave reads what came after',
        );
        await world.refused('forbidden', 'stranger reads', () => world.as('stranger').query({}));
        return `${seen.length} messages`;
      },
    },
    {
      name: 'audit: members proved, everything verified from the first event',
      run: async () => {
        const { head } = await world.enclave.info();
        await world.close(head);
        const { members } = await world.as('carol').members();
        const roles = new Map(members.map((member) => [member.id, [member.state, ...member.traits].join(' ')]));
        expect(
          members.every((member) => member.proof === 'proved'),
          'a member is not proved',
        );
        expect(roles.get(id('carol')) === 'MEMBER owner', 'carol is not the owner');
        expect(roles.get(id('alice')) === 'MEMBER admin' && roles.get(id('bob')) === 'MEMBER', 'the traits are wrong');
        expect(!roles.has(id('dave')), 'dave is still there');
        const report = await world.as('carol').verify();
        return `${report.events} events, ${report.bundles} bundles`;
      },
    },
  ];
}

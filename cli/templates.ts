/** Manifests to begin with. `owner` is the creator's identity. */
type Manifest = Record<string, unknown>;

/** One person's log: the owner writes, updates and deletes notes, and may let readers in. */
function personal(owner: string): Manifest {
  return {
    enc_v: 2,
    meta: { template: 'personal' },
    RBAC: {
      states: ['OWNER', 'READER'],
      readers: [
        { type: 'OWNER', reads: '*' },
        { type: 'READER', reads: ['note'] },
      ],
      moves: [
        { event: 'Move', from: 'OUTSIDER', to: 'READER', operator: 'OWNER', ops: ['C'] },
        { event: 'Move', from: 'READER', to: 'OUTSIDER', operator: 'OWNER', ops: ['C'] },
      ],
      slots: [
        { event: 'Shared', operator: 'OWNER', ops: ['C', 'U', 'D'], key: '*' },
        { event: 'Own', operator: 'OWNER', ops: ['C', 'U', 'D'], key: '*' },
      ],
      customs: [{ event: 'note', operator: 'OWNER', ops: ['C', 'U', 'D'] }],
      init: [{ identity: owner, state: 'OWNER', traits: [] }],
    },
  };
}

/**
 * A chat room: members write messages and change their own, moderators delete any message and remove members, admins
 * appoint moderators and open or close the room, the owner's trait can be handed on.
 */
function group(owner: string): Manifest {
  const message = { event: 'message', alias: 'room' };
  return {
    enc_v: 2,
    meta: { template: 'group' },
    RBAC: {
      states: ['MEMBER', 'MUTED'],
      traits: ['owner(0)', 'admin(1)', 'moderator(2)'],
      readers: [
        { type: 'MEMBER', reads: '*', retention: 'snapshot' },
        { type: 'MUTED', reads: '*' },
      ],
      moves: [
        { event: 'Move', from: 'OUTSIDER', to: 'MEMBER', operator: 'owner', ops: ['C'] },
        { event: 'Move', from: 'OUTSIDER', to: 'MEMBER', operator: 'moderator', ops: ['C'] },
        { event: 'Move', from: 'MEMBER', to: 'MUTED', operator: 'moderator', ops: ['C'] },
        { event: 'Move', from: 'MUTED', to: 'MEMBER', operator: 'moderator', ops: ['C'] },
        { event: 'Move', from: 'MEMBER', to: 'OUTSIDER', operator: 'owner', ops: ['C'] },
        { event: 'Move', from: 'MEMBER', to: 'OUTSIDER', operator: 'moderator', ops: ['C'] },
        { event: 'Move', from: 'MEMBER', to: 'OUTSIDER', operator: 'Self', ops: ['C'] },
        { event: 'Move', from: 'MUTED', to: 'OUTSIDER', operator: 'owner', ops: ['C'] },
      ],
      grants: [
        { event: 'Grant', operator: ['owner', 'admin'], scope: ['MEMBER'], trait: ['moderator'] },
        { event: 'Revoke', operator: ['owner', 'admin'], scope: ['MEMBER', 'MUTED'], trait: ['moderator'] },
        { event: 'Grant', operator: ['owner'], scope: ['MEMBER'], trait: ['admin'] },
        { event: 'Revoke', operator: ['owner'], scope: ['MEMBER', 'MUTED'], trait: ['admin'] },
      ],
      transfers: [{ event: 'Transfer', operator: ['owner'], scope: ['MEMBER'], trait: ['owner'] }],
      slots: [
        { event: 'Shared', operator: 'owner', ops: ['C', 'U', 'D'], key: '*' },
        { event: 'Shared', operator: 'moderator', ops: ['C', 'U'], key: 'topic' },
        { event: 'Own', operator: 'MEMBER', ops: ['C', 'U', 'D'], key: 'profile' },
      ],
      customs: [
        { ...message, operator: 'MEMBER', ops: ['C'], gate: { operator: ['owner', 'admin'], open: true } },
        { event: 'message', operator: 'Sender', ops: ['U', 'D'] },
        { event: 'message', operator: 'moderator', ops: ['D'] },
      ],
      init: [{ identity: owner, state: 'MEMBER', traits: ['owner'] }],
    },
  };
}

export const TEMPLATES: Readonly<Record<string, (owner: string) => Manifest>> = { personal, group };

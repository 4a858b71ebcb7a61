import { type Person, person } from './memory-node.test-util.ts';

/** The people and the Manifest of a small chat group that uses most of the matrix. */
export const owner: Person = person('owner');
export const admin: Person = person('admin');
export const alice: Person = person('alice');
export const bob: Person = person('bob');
export const carol: Person = person('carol');
export const stranger: Person = person('stranger');

export function groupManifest(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    bundle: { size: 4, timeout: 5000 },
    RBAC: {
      states: ['OWNER', 'MEMBER', 'BANNED'],
      traits: ['root(0)', 'admin(1)', 'mod(2)', 'muted(9)'],
      readers: [
        { type: 'OWNER', reads: '*' },
        { type: 'admin', reads: '*' },
        { type: 'MEMBER', reads: ['Message', 'Update', 'Delete', 'Shared', 'Own', 'AC_Bundle'], retention: 'snapshot' },
        { type: 'Self', reads: ['Move', 'Grant'] },
      ],
      moves: [
        {
          event: 'Move',
          from: 'OUTSIDER',
          to: 'MEMBER',
          operator: 'Self',
          ops: ['C'],
          alias: 'joining',
          gate: { operator: ['OWNER', 'admin'], open: false },
        },
        { event: 'Move', from: 'OUTSIDER', to: 'MEMBER', operator: 'admin', ops: ['C'] },
        { event: 'Move', from: 'OUTSIDER', to: 'MEMBER', operator: 'OWNER', ops: ['C'] },
        { event: 'Move', from: 'MEMBER', to: 'OUTSIDER', operator: 'Self', ops: ['C'] },
        { event: 'Move', from: 'MEMBER', to: 'OUTSIDER', operator: 'admin', ops: ['C'] },
        { event: 'Move', from: 'MEMBER', to: 'BANNED', operator: 'mod', ops: ['C'] },
        { event: 'Move', from: 'BANNED', to: 'OUTSIDER', operator: 'admin', ops: ['C'] },
      ],
      grants: [
        { event: 'Grant', operator: ['OWNER', 'admin'], scope: ['MEMBER'], trait: ['admin', 'mod', 'muted'] },
        { event: 'Revoke', operator: ['OWNER', 'admin', 'Self'], scope: ['MEMBER'], trait: ['admin', 'mod', 'muted'] },
      ],
      transfers: [{ event: 'Transfer', operator: ['root', 'admin'], scope: ['MEMBER'], trait: ['root', 'admin'] }],
      slots: [
        { event: 'Shared', operator: 'MEMBER', ops: ['C', 'U'], key: 'topic' },
        { event: 'Shared', operator: 'admin', ops: ['C', 'U', 'D'], key: 'cfg.*' },
        { event: 'Own', operator: 'MEMBER', ops: ['C', 'U', 'D'], key: '*' },
      ],
      customs: [
        { event: 'Message', operator: 'MEMBER', ops: ['C'] },
        { event: 'Message', operator: 'muted', ops: ['_C'] },
        { event: 'Message', operator: 'Sender', ops: ['U', 'D', 'R'] },
        { event: 'Message', operator: 'mod', ops: ['D'] },
        { event: 'Message', operator: 'BANNED', ops: ['_R'] },
        {
          event: 'Poll',
          operator: 'MEMBER',
          ops: ['C', 'U', 'P'],
          alias: 'polls',
          gate: { operator: ['admin'], open: false },
        },
      ],
      init: [
        { identity: owner.id, state: 'OWNER', traits: ['root'] },
        { identity: admin.id, state: 'MEMBER', traits: ['admin'] },
        { identity: alice.id, state: 'MEMBER', traits: [] },
      ],
    },
    ...more,
  };
}

import { CORPUS } from './env.ts';
import { post } from './node.ts';
import type { Load } from './profile.ts';
import { type Key, keyOf } from './protocol.js';
import { type Readable, readable } from './sessions.ts';
import type { Supply } from './supply.ts';

/** What `setup` hands to the scenarios. */
export interface Entered {
  /** who may read everything */
  readonly reader: Key;
  /** some of the enclaves */
  readonly readable: readonly Readable[];
}

/** `commits`: that a file must have. */
export type Needs = Pick<Load, 'name' | 'hot' | 'warmUp' | 'duration'> & { readonly commits: number };

/** Manifests of one POST: together they stay far below the size of a body. */
const AT_ONCE = 50;
/** Enclaves that are read: each costs a signature. */
const READABLE = 16;

/** Looks whether the corpus fits, founds its enclaves, signs sessions. Throws, and so ends k6, with what to do. */
export function enter(supply: Supply, needs: Needs): Entered {
  const { name, hot } = needs;
  const { enclaves, commits, good_until, reader } = supply.header;
  const make = `npm run bench -- corpus ${hot ? '--one' : '--enclaves 1000'}`;
  if (hot !== (enclaves === 1))
    throw new Error(`${name} needs a corpus of ${hot ? 'one enclave' : 'many enclaves'}: ${make}`);
  if (commits !== null && commits < needs.commits)
    throw new Error(
      `${CORPUS} has ${commits} commits, ${name} needs ${needs.commits}: ${make} --commits ${needs.commits}`,
    );
  const takes = needs.warmUp + needs.duration;
  const left = good_until === null ? Number.POSITIVE_INFINITY : Math.floor((good_until - Date.now()) / 1000);
  if (left < takes)
    throw new Error(
      `${name} takes ${takes} s, and ${CORPUS} is good for ${Math.max(0, left)} s more: make a new one (${make}), ` +
        'or for longer loads serve one (--serve 8070, then -e CORPUS=http://127.0.0.1:8070)',
    );
  const sequencers = found(supply, make);
  const key = keyOf(reader);
  const some = [...sequencers].slice(0, READABLE);
  return { reader: key, readable: some.map(([enclave, sequencer]) => readable(key, enclave, sequencer)) };
}

/** Founds the enclaves; their sequencers by their ids. */
function found(supply: Supply, make: string): Map<string, string> {
  const manifests = supply.manifests();
  const sequencers = new Map<string, string>();
  for (let i = 0; i < manifests.length; i += AT_ONCE) {
    const answer = post(`[${manifests.slice(i, i + AT_ONCE).join(',')}]`, { name: 'manifests', admin: true });
    if (!Array.isArray(answer.json)) throw new Error(`Manifests were answered with ${answer.status} ${answer.text}`);
    for (const [j, { enclave, sequencer, error, message }] of answer.json.entries()) {
      // A server signs its Manifests anew each time: on a second run they are there.
      if (error === 'enclave_exists') {
        const { enclave: id } = JSON.parse(manifests[i + j] as string);
        sequencers.set(id, infoOf(id).sequencer);
      } else if (error !== undefined) throw new Error(`a Manifest was refused: ${error}. ${message}`);
      else sequencers.set(enclave, sequencer);
    }
  }
  const [first] = sequencers.keys();
  if (supply.header.commits !== null && infoOf(first as string).head > 0)
    throw new Error(`${CORPUS} has been used on this node: its commits would be repetitions. Make a new one: ${make}`);
  return sequencers;
}

function infoOf(enclave: string): { sequencer: string; head: number } {
  const answer = post(JSON.stringify({ type: 'Info', enclave }), { name: 'info' });
  if (answer.status !== 200) throw new Error(`Info of ${enclave} was answered with ${answer.status} ${answer.text}`);
  return answer.json as { sequencer: string; head: number };
}

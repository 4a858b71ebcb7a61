import { CORPUS } from './env.ts';
import { post } from './node.ts';
import { keyOf, session } from './protocol.js';
import type { Supply } from './supply.ts';

/** What `setup` hands to the scenarios. */
export interface Entered {
  /** hex32 */
  readonly reader: string;
  /** some of the enclaves, each with a session of the reader that is good for two hours */
  readonly readable: readonly { readonly enclave: string; readonly session: string }[];
}

export interface Needs {
  readonly name: string;
  readonly hot: boolean;
  /** commits of a file */
  readonly needed: number;
  /** that the profile will take from now on */
  readonly seconds: number;
}

/** Manifests of one POST: together they stay far below the size of a body. */
const AT_ONCE = 50;
/** Enclaves that are read: each costs a signature, which takes k6 some 30 ms. */
const READABLE = 16;
/** PROTOCOL §8 */
const SESSION_S = 7200;

/** Looks whether the corpus fits, founds its enclaves, signs sessions. Throws, and so ends k6, with what to do. */
export function enter(supply: Supply, { name, hot, needed, seconds }: Needs): Entered {
  const { enclaves, commits, good_until, reader } = supply.header;
  const make = `npm run bench -- corpus ${hot ? '--one' : '--enclaves 1000'}`;
  if (hot !== (enclaves === 1))
    throw new Error(`${name} needs a corpus of ${hot ? 'one enclave' : 'many enclaves'}: ${make}`);
  if (commits !== null && commits < needed)
    throw new Error(`${CORPUS} has ${commits} commits, ${name} needs ${needed}: ${make} --commits ${needed}`);
  if (good_until !== null && Date.now() + seconds * 1000 > good_until)
    throw new Error(
      `${name} takes ${seconds} s, and ${CORPUS} is good for ${Math.max(0, Math.floor((good_until - Date.now()) / 1000))} s more: ` +
        `make a new one (${make}), or for longer loads serve one (--serve 8070, -e CORPUS=http://127.0.0.1:8070)`,
    );
  const sequencers = found(supply, make);
  const key = keyOf(reader);
  const expires = Math.floor(Date.now() / 1000) + SESSION_S;
  const readable = [...sequencers].slice(0, READABLE).map(([enclave, sequencer]) => ({
    enclave,
    session: session(key, sequencer, expires),
  }));
  return { reader: key.id, readable };
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

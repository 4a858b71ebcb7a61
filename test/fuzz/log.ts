import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { isErrorCode } from '../../protocol/errors.ts';
import { member, owner, TestEnclave } from '../api/enclave.ts';
import { TestNode } from '../api/node.ts';
import { json, session, sign } from '../api/people.ts';
import { Random } from '../parity/random.ts';
import { ChildNode } from './child.ts';
import { Answers, Crash, type FuzzTarget, type Runner } from './target.ts';

/** How a process ends that read memory it must not: the database trusts its own pages. */
const MEMORY_SIGNALS = new Set(['SIGSEGV', 'SIGBUS']);

interface Original {
  readonly data: string;
  readonly id: string;
  readonly sequencer: string;
  readonly events: string;
  readonly head: number;
}

async function original(): Promise<Original> {
  const data = mkdtempSync(join(tmpdir(), 'enc-fuzz-'));
  await using node = await TestNode.start({ data });
  const enclave = await TestEnclave.found(node);
  for (let n = 0; n < 12; n++)
    await enclave.commit(n % 2 ? owner : member, n % 2 ? 'note' : 'chat', { n, text: 'x'.repeat(n * 40) });
  const gone = await enclave.commit(owner, 'note', 'gone');
  await enclave.commit(owner, 'Delete', { target: gone.id });
  return { data, id: enclave.id, sequencer: enclave.sequencer, events: (await enclave.pull(owner)).body, head: 14 };
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** Changes one file of the log: bits, bytes, pages, length. Returns what it did. */
function damage(folder: string, random: Random): string {
  const wanted = files(folder).filter((file) => statSync(file).size > 0 && !file.endsWith('lock.mdb'));
  // Of the journal only contents matter once the node was stopped; LMDB is where everything else is.
  const [tables, others] = [
    wanted.filter((file) => file.endsWith('.mdb')),
    wanted.filter((file) => !file.endsWith('.mdb')),
  ];
  const file = random.pick(others.length === 0 || random.chance(0.7) ? tables : others);
  const bytes = readFileSync(file);
  // Most of a fresh file is unused; what is used stands at its start.
  const used = bytes.findLastIndex((byte) => byte !== 0) + 1;
  const at = random.int(Math.max(1, used));
  const what = random.weighted({ bit: 5, bytes: 2, zero: 1, cut: 2, gone: 0.3, longer: 0.5 });
  if (what === 'bit') bytes[at] = (bytes[at] as number) ^ (1 << random.int(8));
  if (what === 'bytes') bytes.set(random.bytes(Math.min(16, bytes.length - at)), at);
  if (what === 'zero') bytes.fill(0, at, at + 512);
  if (what === 'gone') rmSync(file);
  else
    writeFileSync(
      file,
      what === 'cut' ? bytes.subarray(0, at) : what === 'longer' ? Buffer.concat([bytes, random.bytes(100)]) : bytes,
    );
  return `${what} at ${at} of ${relative(folder, file)}`;
}

/** Damaged log folders: the node says so, or serves exactly what was released; never anything else. */
export const log: FuzzTarget = {
  help: 'damaged log folders, opened by a node in its own process: refused, or exactly what was released (slow)',
  stride: 1,
  async open(seed: number): Promise<Runner> {
    const answers = new Answers();
    const whole = await original();
    return {
      answers,
      async run(run) {
        const random = new Random(seed * 2_971_215_073 + run);
        const copy = mkdtempSync(join(tmpdir(), 'enc-fuzz-'));
        let done = '';
        try {
          cpSync(whole.data, copy, { recursive: true });
          done = damage(join(copy, 'log'), random);
          answers.note(await open(copy, whole));
        } catch (error) {
          throw new Crash(done, new Uint8Array(Buffer.from(done)), error);
        } finally {
          rmSync(copy, { recursive: true, force: true });
        }
      },
      memory: () => process.memoryUsage().rss,
      close: async () => rmSync(whole.data, { recursive: true, force: true }),
    };
  },
};

async function open(data: string, { id, sequencer, events, head }: Original): Promise<string> {
  const started = await ChildNode.start(data);
  if (started.kind === 'ended') {
    if (started.signal && !MEMORY_SIGNALS.has(started.signal))
      throw new Error(`died of ${started.signal}: ${started.said}`);
    return started.signal ? 'died of memory' : `refused to start (${started.code})`;
  }
  const { node } = started;
  try {
    const ask = (body: string) =>
      fetch(`${node.url}/`, { method: 'POST', body, signal: AbortSignal.timeout(10_000) }).then((answer) =>
        answer.text(),
      );
    const token = session(owner, sequencer, Math.floor(Date.now() / 1000) + 600);
    const pulled = await ask(JSON.stringify({ type: 'Pull', enclave: id, from: owner.id, session: token }));
    const told = verdict(pulled, events);
    const answer = JSON.parse(await ask(json(sign(owner, id, 'note', 'next', { exp: Date.now() + 60_000 })))) as {
      type: string;
      seq?: number;
      error?: string;
    };
    if (answer.type === 'Receipt' && answer.seq !== head + 1)
      throw new Error(`a fork: the next commit got seq ${answer.seq} instead of ${head + 1}`);
    if (answer.type !== 'Receipt' && !isErrorCode(answer.error ?? ''))
      throw new Error(`a commit was answered ${JSON.stringify(answer)}`);
    return `${told}, then ${answer.error ?? 'accepted'}`;
  } catch (error) {
    if (node.ended && /SIG(SEGV|BUS)/.test(node.ended)) return 'died of memory';
    if (node.ended) return 'stopped itself';
    throw error;
  } finally {
    await node.stop();
  }
}

function verdict(pulled: string, events: string): string {
  if (pulled === events) return 'served whole';
  const { error } = JSON.parse(pulled) as { error?: string };
  if (!error) throw new Error(`other events than were released: ${pulled.slice(0, 300)}`);
  if (!isErrorCode(error)) throw new Error(`answered ${pulled.slice(0, 300)}`);
  return error;
}

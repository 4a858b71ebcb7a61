import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Command } from 'commander';
import type { Admin } from '../../client/admin.ts';
import type { EncClient } from '../../client/client.ts';
import { Refused, Unreachable } from '../../client/errors.ts';
import { isPassing } from '../../client/retry.ts';
import { beginning } from '../../client/same-history.ts';
import type { Tags } from '../../client/types.ts';
import type { KeptEnclave, NodeFolder } from '../../shard/operate/node-folder.ts';
import type { CliModules, Context } from '../context.ts';
import { Failed } from '../failures.ts';
import { command, integer, run } from '../options.ts';

/** Enclaves under way at once, unless told. */
const AT_ONCE = 4;
/** An enclave that meets a busy cluster is tried again so often, with this pause, ms. */
const TRIES = 5;
const PAUSE_MS = 1000;

/** What became of one enclave. */
type Outcome = 'imported' | 'there' | 'empty';

/** `enc admin import`: the enclaves of a single node, which has been stopped, into a cluster. */
export function importCommand(modules: CliModules): Command {
  return command('import', "bring the enclaves of a single node's data folder into a cluster", ['node', 'admin'])
    .argument('<folder>', 'data folder of the node, which must have been stopped')
    .option('--log-dir <folder>', 'its log/, if that is elsewhere')
    .option('--guard-dir <folder>', 'its guard/, if that is elsewhere')
    .option('--keys-dir <folder>', 'its keys/, if they are elsewhere')
    .option('--at-once <n>', `enclaves under way at a time (default: ${AT_ONCE})`, integer)
    .action(
      run(modules, async (context, options, data: string) => {
        const place = (name: string): string => (options[`${name}Dir`] as string | undefined) ?? join(data, name);
        // Loaded on use: it is a part of the shard, and takes time that other commands need not spend.
        const { NodeFolder } = await import('../../shard/operate/node-folder.ts');
        const folder = await NodeFolder.open({ log: place('log'), guard: place('guard'), keys: place('keys') });
        try {
          const atOnce = Math.max(1, (options['atOnce'] as number | undefined) ?? AT_ONCE);
          await new Import(context, await context.client(), folder).run(atOnce);
        } finally {
          await folder.close();
        }
      }),
    );
}

class Import {
  readonly counts: Record<Outcome, number> = { imported: 0, there: 0, empty: 0 };
  events = 0;
  readonly refused: { enclave: string; why: string }[] = [];
  readonly #context: Context;
  readonly #client: EncClient;
  readonly #admin: Admin;
  readonly #folder: NodeFolder;
  #checked = false;

  constructor(context: Context, client: EncClient, folder: NodeFolder) {
    this.#context = context;
    this.#client = client;
    this.#admin = client.admin(context.token);
    this.#folder = folder;
  }

  async run(atOnce: number): Promise<void> {
    const { out, signal } = this.#context;
    let total = 0;
    for await (const _ of this.#folder.ids()) total++;
    const bar = out.progress('importing', 'enclaves');
    const ids = this.#folder.ids();
    let done = 0;
    const lane = async (): Promise<void> => {
      for (let next = await ids.next(); !next.done && !signal.aborted; next = await ids.next()) {
        await this.#one(next.value);
        bar.update(++done, total, `${this.events} events`);
      }
    };
    try {
      await Promise.all(Array.from({ length: atOnce }, lane));
    } finally {
      bar.stop();
    }
    const { imported, there, empty } = this.counts;
    for (const { enclave, why } of this.refused) out.note(`${enclave}  ${why}`);
    const told = `${imported} imported with ${this.events} events, ${there} were there, ${empty} never founded`;
    if (signal.aborted) throw new Failed(`stopped: ${told}; call it again to go on`);
    if (this.refused.length > 0) {
      const why = out.json ? `: ${JSON.stringify(this.refused)}` : '';
      throw new Failed(`${this.refused.length} of ${total} enclaves were refused; ${told}${why}`);
    }
    out.result(`${out.good('imported')}  ${told}`, { ...this.counts, events: this.events, total });
  }

  async #one(enclave: Uint8Array): Promise<void> {
    let kept: KeptEnclave;
    try {
      kept = await this.#folder.look(enclave);
    } catch (error) {
      this.refused.push({ enclave: Buffer.from(enclave).toString('hex'), why: (error as Error).message });
      return;
    }
    for (let tries = 1; ; tries++) {
      try {
        const outcome = kept.founded ? await this.#bring(enclave, kept) : 'empty';
        this.counts[outcome]++;
        if (outcome === 'imported') this.events += kept.events;
        return;
      } catch (error) {
        // What is wrong with all of them, or with the way there, is not this enclave's.
        if (error instanceof Failed || (error instanceof Refused && error.code === 'unauthorized')) throw error;
        if (isPassing(error) && tries < TRIES && !this.#context.signal.aborted) {
          await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
          continue;
        }
        if (error instanceof Unreachable) throw error;
        this.refused.push({ enclave: kept.id, why: (error as Error).message });
        return;
      }
    }
  }

  async #bring(enclave: Uint8Array, kept: KeptEnclave): Promise<Outcome> {
    if (await this.#isThere(kept.id)) {
      await this.#compare(enclave, kept);
      return 'there';
    }
    await this.#checkMaster(enclave);
    const { imported, id } = kept;
    if (imported) await this.#admin.initWithPriv(id, imported.secret, imported.creator ?? undefined);
    const body = Readable.toWeb(Readable.from(this.#folder.snapshot(enclave))) as unknown as ReadableStream<Uint8Array>;
    const { signal } = this.#context;
    const answer = (await this.#admin.restore(id, body, { signal })) as { head?: unknown; bundles?: unknown };
    if (answer.head !== kept.events - 1 || answer.bundles !== kept.bundles)
      throw new Error(`the cluster has taken another history in than it was sent: ${JSON.stringify(answer)}`);
    return 'imported';
  }

  async #isThere(id: string): Promise<boolean> {
    try {
      await this.#client.enclave(id).info();
      return true;
    } catch (error) {
      if (error instanceof Refused && error.code === 'enclave_not_found') return false;
      throw error;
    }
  }

  /** It may have gone on since it was imported; what it had then must be what the folder has. */
  async #compare(enclave: Uint8Array, kept: KeptEnclave): Promise<void> {
    const mine = await beginning(this.#folder.snapshot(enclave), kept);
    const there = await this.#admin.snapshot(kept.id, this.#context.signal);
    const theirs = await beginning(there as unknown as AsyncIterable<Uint8Array>, kept);
    const same = theirs.events === mine.events && theirs.bundles === mine.bundles;
    if (!same || Buffer.compare(mine.digest, theirs.digest) !== 0)
      throw new Error('the cluster has an enclave of this id with another history: it was left as it is');
  }

  /** The cluster must hold the node's master secret, or its enclaves could be read there and not continued. */
  async #checkMaster(enclave: Uint8Array): Promise<void> {
    if (this.#checked) return;
    const sample = await this.#folder.sample(enclave);
    if (sample === null) return;
    const { from, content, tags, sequencer } = sample;
    if ((await this.#client.sequencerFor(from, content, tags as Tags | undefined)) !== sequencer)
      throw new Failed(
        "The cluster has another master secret than the node: give every shard the node's keys/master.json before it has enclaves.",
      );
    this.#checked = true;
  }
}

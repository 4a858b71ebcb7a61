import { toHex, unhex } from '../protocol/hex.ts';
import { claim, is, isId, isListOf, isSeq, isText, shaped, told } from './check.ts';
import type { Enclave } from './enclave.ts';
import type { TreeHead } from './heads.ts';
import type { Secp } from './secp.ts';
import type { Transport } from './transport.ts';

/** A snapshot as a stream, or in one piece. */
export type SnapshotBody = ReadableStream<Uint8Array> | Uint8Array;

/** A cluster as its operator sees it. */
export interface Topology {
  readonly version: number;
  readonly shards: number;
  readonly members: readonly TopologyMember[];
}

export interface TopologyMember {
  readonly shard: number;
  readonly alive: boolean;
  /** of those that are alive: whether they are no longer part of the topology, their link, the version that they follow,
   *  enclaves open, those of them that will move, and the stores that they can't use */
  readonly leaving?: boolean;
  readonly url?: string;
  readonly topology?: number;
  readonly active?: number;
  readonly guests?: number;
  readonly silent?: readonly string[];
}

/**
 * Calls for operators (PROTOCOL §9, "admin"). Without a token they work only on a node in development, from the same
 * machine. None of them is repeated by itself.
 */
export class Admin {
  private readonly transport: Transport;
  private readonly token: string | undefined;
  private readonly secp: Secp;

  constructor(transport: Transport, token: string | undefined, secp: Secp) {
    this.transport = transport;
    this.token = token;
    this.secp = secp;
  }

  /** Closes the open bundle now. The tree head is checked as `enclave.sth` checks it. */
  async closeBundle(enclave: Enclave): Promise<TreeHead> {
    const floor = enclave.trust.sth;
    const answer = await this.transport.json({
      method: 'POST',
      path: `/enclaves/${enclave.id}/close-bundle`,
      token: this.token,
    });
    return enclave.takeTreeHead(answer, 'close-bundle', floor);
  }

  /** The enclave as an `.enc` file (PROTOCOL §10), unchecked: `restore` checks it, and so does `checkSnapshot`. */
  snapshot(id: string, signal?: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    return this.transport.stream({
      method: 'GET',
      path: `/enclaves/${id}/snapshot`,
      token: this.token,
      timeoutMs: 0,
      signal,
    });
  }

  /** Hosts an enclave from its snapshot. `sequencer`: the one expected, unless the Manifest names it or the key is there. */
  restore(
    id: string,
    body: SnapshotBody,
    options: { sequencer?: string | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<unknown> {
    return this.upload(`/enclaves/${id}/restore`, body, options);
  }

  /** Puts events that an enclave's log lost back, from a snapshot of any origin (ARCHITECTURE §3). */
  recover(id: string, body: SnapshotBody, options: { signal?: AbortSignal | undefined } = {}): Promise<unknown> {
    return this.upload(`/enclaves/${id}/recover`, body, options);
  }

  /** Provisions an enclave id with an imported sequencer key (64 hex digits). Returns the sequencer's public key. */
  async initWithPriv(id: string, sequencerPriv: string, creator?: string): Promise<string> {
    const body = JSON.stringify({ enclave_id: id, sequencer_priv: sequencerPriv, ...(creator ? { creator } : {}) });
    const answer = await this.transport.json({
      method: 'POST',
      path: `/enclaves/${id}/init-with-priv`,
      body,
      token: this.token,
    });
    return told('init-with-priv', answer, () => {
      const { enclave_id, sequencer_pubkey } = shaped<{ enclave_id: string; sequencer_pubkey: string }>(
        answer,
        'the answer',
        {
          ok: is(true),
          enclave_id: isId,
          sequencer_pubkey: isId,
        },
      );
      const pub = this.secp.publicKey(unhex(sequencerPriv));
      claim(enclave_id === id, 'it is about another enclave');
      claim(pub && sequencer_pubkey === toHex(pub), 'the public key is not that of the secret');
      return sequencer_pubkey;
    });
  }

  /** The shape of the cluster behind a router. */
  async topology(): Promise<Topology> {
    const answer = await this.transport.json({ method: 'GET', path: '/cluster/topology', token: this.token });
    return told('topology', answer, () => topologyOf(answer));
  }

  /** Changes it. `version`: only if this one is in force (else `state_mismatch`). Returns the new one. */
  async setTopology(shards: number, version?: number): Promise<Topology> {
    const body = JSON.stringify({ shards, ...(version === undefined ? {} : { version }) });
    const answer = await this.transport.json({ method: 'POST', path: '/cluster/topology', body, token: this.token });
    return told('topology', answer, () => topologyOf(answer));
  }

  private upload(
    path: string,
    body: SnapshotBody,
    options: { sequencer?: string | undefined; signal?: AbortSignal | undefined },
  ): Promise<unknown> {
    const headers = options.sequencer ? { 'x-enc-sequencer': options.sequencer } : {};
    const contentType = 'application/cbor-seq';
    return this.transport.json({
      method: 'POST',
      path,
      body,
      contentType,
      token: this.token,
      headers,
      timeoutMs: 0,
      signal: options.signal,
    });
  }
}

function topologyOf(answer: unknown): Topology {
  const seen = shaped<Topology>(answer, 'the answer', {
    type: is('Topology'),
    version: isSeq,
    shards: isSeq,
    members: isListOf((member) => typeof member === 'object' && member !== null),
  });
  for (const member of seen.members) {
    shaped(member, 'a member', {
      shard: isSeq,
      alive: is(true, false),
      'leaving?': is(true, false),
      'url?': isText,
      'topology?': isSeq,
      'active?': isSeq,
      'guests?': isSeq,
      'silent?': isListOf(isText),
    });
  }
  return seen;
}

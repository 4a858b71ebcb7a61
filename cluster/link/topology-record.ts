import { isTopology, type Topology } from '../topology/topology.ts';
import { type FrameReader, MalformedFrame } from './frame-reader.ts';
import type { FrameWriter } from './frame-writer.ts';
import { TOPOLOGY } from './records.ts';

export function writeTopology(writer: FrameWriter, { version, shards, before }: Topology): void {
  writer.numbers(TOPOLOGY, 0, 0, version, shards, before);
}

/** Of the record at hand. Throws MalformedFrame. */
export function readTopology(r: FrameReader): Topology {
  const topology = { version: r.number(0), shards: r.number(4), before: r.number(8) };
  if (!isTopology(topology)) throw new MalformedFrame('that is no topology');
  return topology;
}

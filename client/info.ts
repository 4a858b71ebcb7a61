import { claim, is, isId, isSeq, shaped } from './check.ts';
import type { Remembered } from './heads.ts';
import type { Info } from './types.ts';

const INFO = {
  type: is('Info'),
  enclave: isId,
  sequencer: isId,
  head: isSeq,
  timestamp: isSeq,
  status: is('active', 'paused', 'terminated', 'migrated'),
  bundle: (value: unknown) => typeof value === 'object' && value !== null,
  lanes: isSeq,
  manifest: isId,
};

/** The answer as an Info about this enclave (PROTOCOL §9). Throws Mismatch. */
export function shapeInfo(answer: unknown, enclave: string): Info {
  const info = shaped<Info>(answer, 'the answer', INFO);
  shaped(info.bundle, 'its bundle', { size: isSeq, timeout: isSeq });
  claim(info.enclave === enclave, 'it is about another enclave');
  return info;
}

export interface KnownOfEnclave {
  readonly head: Remembered['head'];
  readonly manifestId: string | undefined;
  /** Content of the Manifest. */
  readonly manifest: Readonly<Record<string, unknown>> | undefined;
}

/** Holds an Info against what was known when it was asked for. Throws Mismatch. */
export function checkInfo(info: Info, { head, manifestId, manifest }: KnownOfEnclave): void {
  if (head) {
    claim(
      info.head >= head.seq,
      `the head is ${info.head}, but event ${head.seq} has been shown before: the node lost events or shows an old state`,
    );
    claim(info.timestamp >= head.timestamp, 'the time of the head is before that of an event shown earlier');
    claim(info.head !== head.seq || info.timestamp === head.timestamp, 'the time of the head is not that of the event');
  }
  claim(!manifestId || info.manifest === manifestId, 'it names another Manifest');
  if (!manifest) return;
  const { size = 256, timeout = 5000 } = (manifest['bundle'] ?? {}) as { size?: number; timeout?: number };
  claim(
    info.bundle.size === size && info.bundle.timeout === timeout,
    'the bundle settings are not those of the Manifest',
  );
}

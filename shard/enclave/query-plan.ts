import {
  FILTER_FROM, FILTER_ID, FILTER_SEQ, FILTER_TAGS, FILTER_TIME, FILTER_TYPE,
} from '../../kernel/kernel.ts';
import type { CandidatePlan } from '../log/enclave-log.ts';

const PAYLOAD = 144;
const ANY_VALUE = 0xffff;

export interface QueryPlan {
  readonly plan: CandidatePlan;
  /** events of the answer at most */
  readonly limit: number;
}

/** What the indexes can do for the filter of an inspected Query or Pull (layout: kernel/kernel.ts), up to seq `last`. */
export async function queryPlan(request: Uint8Array, last: number, seqAtTime: (time: number) => Promise<number>): Promise<QueryPlan> {
  const view = new DataView(request.buffer, request.byteOffset + PAYLOAD);
  const bytes = request.subarray(PAYLOAD);
  const present = bytes[5] as number;
  const has = (bit: number): boolean => (present & bit) !== 0;
  const count = (at: number): number => view.getUint32(at, true);
  const i64 = (at: number): number => Number(view.getBigInt64(at, true));
  const ids = count(12);
  const types = count(16);
  const froms = count(20);
  const seqs = count(24);
  const times = count(28);
  const tags = count(32);
  let at = 72;
  const raw32 = (n: number): Uint8Array[] => Array.from({ length: n }, () => bytes.slice(at, (at += 32)));
  const numbers = (n: number): number[] => Array.from({ length: n }, () => i64((at += 8) - 8));
  const string = (length: number): string => Buffer.from(bytes.subarray(at, (at += length))).toString('utf8');
  const short = (): number => view.getUint16((at += 2) - 2, true);
  const idList = raw32(ids);
  const fromList = raw32(froms);
  const seqList = numbers(seqs);
  const timeList = numbers(times);
  const typeList = Array.from({ length: types }, () => string(short()));
  const tagList = Array.from({ length: tags }, () => {
    const nameLength = short();
    const values = short();
    const name = string(nameLength);
    return { name, values: values === ANY_VALUE ? null : Array.from({ length: values }, () => string(short())) };
  });
  let from = Math.max(0, i64(40));
  let to = Math.min(last, i64(48));
  if (has(FILTER_TIME)) {
    const earliest = timeList.length > 0 ? Math.min(...timeList) : i64(56);
    const latest = timeList.length > 0 ? Math.max(...timeList) : i64(64);
    from = Math.max(from, await seqAtTime(earliest));
    to = Math.min(to, (await seqAtTime(latest + 1)) - 1);
  }
  return {
    limit: count(0),
    plan: {
      from, to, reverse: bytes[4] === 1,
      ...(has(FILTER_ID) ? { ids: idList } : {}),
      ...(has(FILTER_SEQ) && seqs > 0 ? { seqs: seqList } : {}),
      ...(has(FILTER_TYPE) ? { types: typeList } : {}),
      ...(has(FILTER_FROM) ? { froms: fromList } : {}),
      ...(has(FILTER_TAGS) ? { tags: tagList } : {}),
    },
  };
}

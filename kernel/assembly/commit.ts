import * as L from './layout';

/** A commit as the rules see it, whether it came as an IC or as a record. */
export class Commit {
  static flags: u32 = 0;
  static type: u32 = 0;
  static exp: u64 = 0;
  static from: usize = 0;
  static hash: usize = 0;
  static sig: usize = 0;
  static contentHash: usize = 0;
  static target: usize = 0;
  static typeName: usize = 0;
  static typeLength: u32 = 0;
  static tags: usize = 0;
  static tagsLength: u32 = 0;
  static content: usize = 0;
  static contentLength: u32 = 0;
}

export function commitFromIc(ic: usize): void {
  Commit.flags = load<u8>(ic, L.IC_FLAGS);
  Commit.type = load<u8>(ic, L.IC_TYPE);
  Commit.exp = load<u64>(ic, L.IC_EXP);
  Commit.from = ic + L.IC_FROM;
  Commit.hash = ic + L.IC_HASH;
  Commit.sig = ic + L.IC_SIG;
  Commit.contentHash = ic + L.IC_CONTENT_HASH;
  Commit.target = ic + L.IC_TARGET;
  Commit.typeName = ic + L.IC_TEXT;
  Commit.typeLength = load<u32>(ic, L.IC_TYPE_LENGTH);
  Commit.tags = Commit.typeName + Commit.typeLength;
  Commit.tagsLength = load<u32>(ic, L.IC_TAGS_LENGTH);
  Commit.content = Commit.tags + Commit.tagsLength;
  Commit.contentLength = load<u32>(ic, L.IC_CONTENT_LENGTH);
}

export function commitFromRecord(record: usize, content: usize): void {
  Commit.flags = load<u8>(record, L.R_FLAGS);
  Commit.type = load<u8>(record, L.R_TYPE);
  Commit.exp = load<u64>(record, L.R_EXP);
  Commit.from = record + L.R_FROM;
  Commit.hash = record + L.R_HASH;
  Commit.sig = record + L.R_SIG;
  Commit.contentHash = record + L.R_CONTENT_HASH;
  Commit.target = record + L.R_TARGET;
  Commit.typeName = record + L.R_TEXT;
  Commit.typeLength = load<u16>(record, L.R_TYPE_LENGTH);
  Commit.tags = Commit.typeName + Commit.typeLength;
  Commit.tagsLength = load<u32>(record, L.R_TAGS_LENGTH);
  Commit.content = content;
  Commit.contentLength = load<u32>(record, L.R_CONTENT_LENGTH);
}

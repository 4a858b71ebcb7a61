/** Passing copies share chunks: an ArrayBuffer of its own for each costs more than what is copied. */
const CHUNK = 65536;
const SMALL = 4096;
let chunk = new ArrayBuffer(CHUNK);
let used = 0;

function room(length: number): Uint8Array<ArrayBuffer> {
  const size = (length + 7) & ~7;
  if (used + size > CHUNK) {
    chunk = new ArrayBuffer(CHUNK);
    used = 0;
  }
  const out = new Uint8Array(chunk, used, length);
  used += size;
  return out;
}

/** The memory of an instance, seen as bytes. Growing it detaches every view, so views are taken anew when it has grown. */
export class WasmMemory {
  private readonly memory: Pick<WebAssembly.Memory, 'buffer'>;
  private view: Uint8Array<ArrayBuffer>;

  constructor(memory: Pick<WebAssembly.Memory, 'buffer'>) {
    this.memory = memory;
    this.view = new Uint8Array(memory.buffer as ArrayBuffer);
  }

  /** All of it; good until the next call into the instance. */
  get bytes(): Uint8Array<ArrayBuffer> {
    // A detached view has length 0: cheaper to see than to ask for the buffer each time.
    if (this.view.length === 0) this.view = new Uint8Array(this.memory.buffer as ArrayBuffer);
    return this.view;
  }

  /** A copy of `length` bytes at `ptr`, in a buffer of its own. */
  copy(ptr: number, length: number): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(ptr, ptr + length);
  }

  /** A copy that will not be kept for long: it may share its buffer with others, which live as long as it does. */
  passing(ptr: number, length: number): Uint8Array<ArrayBuffer> {
    if (length > SMALL) return this.copy(ptr, length);
    const out = room(length);
    out.set(this.peek(ptr, length));
    return out;
  }

  /** The bytes themselves; good until the next call into the instance. */
  peek(ptr: number, length: number): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(ptr, ptr + length);
  }

  put(ptr: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, ptr);
  }

  /** The little-endian number at `ptr`. */
  u32(ptr: number): number {
    const b = this.bytes;
    return (
      ((b[ptr] as number) |
        ((b[ptr + 1] as number) << 8) |
        ((b[ptr + 2] as number) << 16) |
        ((b[ptr + 3] as number) << 24)) >>>
      0
    );
  }

  /** The little-endian 64-bit integer at `ptr`, of either sign, |n| ≤ 2^53−1. */
  u53(ptr: number): number {
    return (this.u32(ptr + 4) | 0) * 4294967296 + this.u32(ptr);
  }

  get size(): number {
    return this.bytes.length;
  }
}

/** The memory of an instance, seen as bytes. Growing it detaches every view, so views are taken anew when it has grown. */
export class WasmMemory {
  private readonly memory: WebAssembly.Memory;
  private view: Uint8Array<ArrayBuffer>;

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    this.view = new Uint8Array(memory.buffer as ArrayBuffer);
  }

  /** All of it; good until the next call into the instance. */
  get bytes(): Uint8Array<ArrayBuffer> {
    // A detached view has length 0: cheaper to see than to ask for the buffer each time.
    if (this.view.length === 0) this.view = new Uint8Array(this.memory.buffer as ArrayBuffer);
    return this.view;
  }

  /** A copy of `length` bytes at `ptr`. */
  copy(ptr: number, length: number): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(ptr, ptr + length);
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

/** An unfolded chunk that a reader holds until its last message is given out. */
interface OpenChunk {
  readonly bytes: number;
  /** log time of its last message */
  readonly end: bigint;
}

/**
 * The chunks that an indexed reader holds at once: it merges those that overlap in time, so that a recording whose
 * chunks all span the whole of it would have to lie in memory.
 */
export class OpenChunks {
  readonly #limit: number;
  #chunks: OpenChunk[] = [];
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws Error where the chunks held take more than the limit */
  open(chunk: OpenChunk): void {
    this.#chunks.push(chunk);
    this.#held += chunk.bytes;
    if (this.#held > this.#limit) {
      throw new Error(
        `${this.#chunks.length} of its chunks overlap in time and take more than ${this.#limit} bytes together; write it anew in order of time (mcap sort)`,
      );
    }
  }

  /** The reader has come to this log time: chunks that ended before it are let go. */
  reach(time: bigint): void {
    this.#chunks = this.#chunks.filter((chunk) => {
      if (chunk.end >= time) return true;
      this.#held -= chunk.bytes;
      return false;
    });
  }
}

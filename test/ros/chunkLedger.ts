/** What the soak keeps of an ActionChunk. */
export interface SoakedChunk {
  readonly episode: number;
  readonly chunk: number;
  readonly cache: {
    readonly policy: string;
    readonly refresh_interval: number;
    readonly range_start: number;
    readonly range_end: number;
  };
}

/**
 * Keeps the books of chunk numbers: in an episode they run from 0 without a gap, episodes go up, and both begin again
 * from 0 only after the node has been configured anew.
 */
export class ChunkLedger {
  chunks = 0;
  episodes = 0;
  /** one line for each number that is missing or came twice */
  readonly faults: string[] = [];
  #last: SoakedChunk | undefined;
  #restarts = 0;

  /** The node is about to forget its numbers; the next episode 0 is a new one. */
  expectRestart(): void {
    this.#restarts += 1;
  }

  enter(chunk: SoakedChunk): void {
    const last = this.#last;
    this.#last = chunk;
    this.chunks += 1;
    if (chunk.chunk === 0) this.episodes += 1;
    if (last === undefined) {
      if (chunk.chunk !== 0) this.#fault('begins with', chunk);
    } else if (chunk.episode === last.episode && chunk.chunk === last.chunk + 1) {
      // the next one
    } else if (chunk.episode > last.episode && chunk.chunk === 0) {
      // a new episode
    } else if (this.#restarts > 0 && chunk.episode === 0 && chunk.chunk === 0) {
      this.#restarts = 0;
    } else {
      this.#fault(`after ${last.episode}:${last.chunk} came`, chunk);
    }
  }

  #fault(what: string, { episode, chunk }: SoakedChunk): void {
    this.faults.push(`chunk ${this.chunks}: ${what} ${episode}:${chunk}`);
  }
}

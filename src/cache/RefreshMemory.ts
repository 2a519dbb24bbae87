import { refreshReason } from './refresh';
import type { CommittedRefresh } from './refresh';

/**
 * What the last refresh of an episode left behind, with the life cycle that every cross-chunk cache shares: a chunk
 * stages what it would store, `commit` makes it the memory, `discard` forgets it. An aborted chunk changes nothing.
 */
export class RefreshMemory<T extends CommittedRefresh> {
  #committed: T | undefined;
  #staged: T | undefined;
  #clearedBecause = '';

  get committed(): T | undefined {
    return this.#committed;
  }

  get staged(): T | undefined {
    return this.#staged;
  }

  /** Why this chunk must refresh by the shared rule; empty if it may reuse. See {@link refreshReason}. */
  reason(chunk: { readonly chunk: number; readonly time: number }, interval: number, maxAge: number): string {
    return refreshReason({
      chunk: chunk.chunk,
      time: chunk.time,
      committed: this.#committed,
      clearedBecause: this.#clearedBecause,
      interval,
      maxAge,
    });
  }

  stage(refresh: T | undefined): void {
    this.#staged = refresh;
  }

  commit(): void {
    if (this.#staged === undefined) return;
    this.#committed = this.#staged;
    this.#staged = undefined;
    this.#clearedBecause = '';
  }

  discard(): void {
    this.#staged = undefined;
  }

  clear(reason: string): void {
    this.#committed = undefined;
    this.#staged = undefined;
    this.#clearedBecause = reason;
  }
}

import type { Feeds } from './Session';

/** Feeds by key; the oldest are forgotten while all together take more than `limit` bytes, but never the newest. */
export class KeptFeeds {
  readonly #kept = new Map<string, { readonly feeds: Feeds; readonly bytes: number }>();
  #bytes = 0;

  constructor(private readonly limit: number) {}

  get(key: string): Feeds | undefined {
    return this.#kept.get(key)?.feeds;
  }

  set(key: string, feeds: Feeds): void {
    this.delete(key);
    const bytes = Object.values(feeds).reduce((total, { data }) => total + byteLength(data), 0);
    this.#kept.set(key, { feeds, bytes });
    this.#bytes += bytes;
    for (const old of this.#kept.keys()) {
      if (this.#bytes <= this.limit || old === key) return;
      this.delete(old);
    }
  }

  delete(key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes ?? 0;
    this.#kept.delete(key);
  }

  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }
}

function byteLength(data: unknown): number {
  return ArrayBuffer.isView(data) ? data.byteLength : 0;
}

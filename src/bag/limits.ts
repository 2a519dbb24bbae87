/** How much memory or disk compressed data may unfold to. */
export interface ExpansionLimits {
  /** bytes */
  readonly total: number;
  /** unfolded bytes per stored byte, once past `free` */
  readonly ratio: number;
  /** bytes that are never too much: small data of one colour compress without end */
  readonly free: number;
}

/** A chunk or a message, which is held in memory as a whole. */
export const MEMORY_LIMITS: ExpansionLimits = { total: 2 ** 29, ratio: 32, free: 2 ** 26 };

/** A whole file, which is unfolded to disk. */
export const DISK_LIMITS: ExpansionLimits = { total: 2 ** 36, ratio: 200, free: 2 ** 28 };

/** Bytes that chunks may take which have to be held at once because they overlap in time. */
export function openChunksLimit(fileSize: number): number {
  return Math.min(Math.max(100e6, 32 * fileSize), 2 ** 30);
}

/** Why `unfolded` bytes from `stored` ones are too much, or undefined if they are not. */
export function whyTooLarge(stored: number, unfolded: number, limits: ExpansionLimits): string | undefined {
  if (unfolded > limits.total) return `it unfolds to more than ${limits.total} bytes`;
  if (unfolded > limits.free && unfolded > stored * limits.ratio) {
    return `it unfolds to more than ${limits.ratio} times its size`;
  }
  return undefined;
}

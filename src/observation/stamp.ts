/** Nanoseconds in a second. */
const GIGA = 1_000_000_000n;

export interface Time {
  readonly sec: number;
  readonly nanosec: number;
}

function isTime(value: unknown): value is Time {
  const time = value as Partial<Time> | null | undefined;
  return typeof time === 'object' && Number.isInteger(time?.sec) && Number.isInteger(time?.nanosec);
}

/** A builtin_interfaces/Time as nanoseconds. */
export function nanoseconds({ sec, nanosec }: Time): bigint {
  return BigInt(sec) * GIGA + BigInt(nanosec);
}

/** Nanoseconds as a builtin_interfaces/Time. */
export function timeMessage(stamp: bigint): Time {
  const sec = stamp / GIGA;
  return { sec: Number(sec), nanosec: Number(stamp - sec * GIGA) };
}

/** Seconds as nanoseconds, rounded. */
export function fromSeconds(seconds: number): bigint {
  return BigInt(Math.round(seconds * 1e9));
}

/** A difference of stamps in seconds. */
export function toSeconds(duration: bigint): number {
  return Number(duration) / 1e9;
}

/**
 * The stamp in a message's header, nanoseconds. Undefined where there is no header or its stamp was left at zero:
 * such a message counts as stamped when it was received.
 */
export function headerStamp(message: unknown): bigint | undefined {
  const header = (message as { header?: { stamp?: unknown } } | null | undefined)?.header;
  const stamp = header?.stamp;
  if (!isTime(stamp)) return undefined;
  const value = nanoseconds(stamp);
  return value === 0n ? undefined : value;
}

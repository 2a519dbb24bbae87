import type { Random } from './Random';

/** Numbers that lengths, counts and offsets are set to. */
const EDGES = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  1n << 33n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
];

/** A valid file with one to four things wrong: bits, lengths, cuts, parts twice or elsewhere, bytes of another file. */
export function mutate(random: Random, original: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes: Uint8Array = new Uint8Array(original);
  for (let acts = 1 + random.below(4); acts > 0; acts--) {
    const at = random.below(bytes.length + 1);
    const length = 1 + random.below(Math.min(64, bytes.length + 1));
    switch (random.below(7)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
        break;
      case 1:
        bytes = bytes.slice(0, at);
        break;
      case 2: {
        const width = random.pick([1, 2, 4, 8]);
        if (at + width > bytes.length) break;
        const edge = BigInt.asUintN(8 * width, random.pick(EDGES));
        for (let i = 0; i < width; i++) bytes[at + i] = Number((edge >> BigInt(8 * i)) & 0xffn);
        break;
      }
      case 3: // a part twice
        bytes = joined(bytes.subarray(0, at), bytes.subarray(Math.max(0, at - length)));
        break;
      case 4: // a part left out
        bytes = joined(bytes.subarray(0, at), bytes.subarray(at + length));
        break;
      case 5: // a part of another file
        bytes = joined(
          bytes.subarray(0, at),
          other.subarray(0, random.below(other.length + 1)).slice(-length),
          bytes.subarray(at),
        );
        break;
      default:
        bytes.fill(random.below(256), at, Math.min(at + length, bytes.length));
    }
  }
  return bytes;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

import { FileFormatError } from '../errors';

/** Bytes of the trie's length, and of each of its units. */
const UNIT = 4;
/** Longer graphemes are replaced character by character. Source: `normalize_string` of the crate spm_precompiled. */
const LONGEST_GRAPHEME = 6;

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const utf8 = new TextEncoder();

/** A replacement and how many bytes of the text it stands for. */
interface Match {
  readonly replacement: string;
  readonly bytes: number;
}

/**
 * The table by which sentencepiece normalises text: a double-array trie (darts-clone) of UTF-8 prefixes and, for each,
 * the text that replaces it. It stands in `spiece.model` (`precompiled_charsmap`) and, in base64, in `tokenizer.json`.
 */
export class Charsmap {
  readonly #units: DataView;
  readonly #replacements: Buffer;

  /**
   * @param bytes the length of the trie in bytes (uint32), the trie, and texts that end with a zero byte
   * @throws FileFormatError where they are not that; `path` is the file, for messages
   */
  constructor(bytes: Uint8Array, path: string) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = bytes.byteLength < UNIT ? -1 : view.getUint32(0, true);
    if (size < UNIT || size % UNIT !== 0 || UNIT + size > bytes.byteLength) {
      throw new FileFormatError(
        path,
        `has a damaged precompiled_charsmap: a trie of ${size} bytes in ${bytes.byteLength}`,
      );
    }
    this.#units = new DataView(bytes.buffer, bytes.byteOffset + UNIT, size);
    this.#replacements = Buffer.from(bytes.subarray(UNIT + size));
  }

  /**
   * Replaces as the `tokenizers` library does: whole graphemes of less than six bytes by the shortest prefix that has a
   * replacement, longer ones character by character.
   */
  byGraphemes(text: string): string {
    let out = '';
    for (const { segment } of graphemes.segment(text)) {
      const bytes = utf8.encode(segment);
      const whole = bytes.length < LONGEST_GRAPHEME ? this.#first(bytes) : undefined;
      if (whole !== undefined) {
        out += whole.replacement;
        continue;
      }
      for (const character of segment) {
        out += this.#first(utf8.encode(character))?.replacement ?? character;
      }
    }
    return out;
  }

  /**
   * Replaces as sentencepiece itself does: the longest prefix at each place.
   * @returns the pieces, in order: each a replacement, or a character that has none
   */
  *byLongestPrefix(text: string): Generator<string> {
    const bytes = utf8.encode(text);
    let at = 0;
    while (at < bytes.length) {
      let longest: Match | undefined;
      for (const match of this.#matches(bytes.subarray(at))) longest = match;
      const taken = longest?.bytes ?? characterLength(bytes[at] ?? 0);
      yield longest?.replacement ?? Buffer.from(bytes.subarray(at, at + taken)).toString('utf8');
      at += taken;
    }
  }

  #first(bytes: Uint8Array): Match | undefined {
    for (const match of this.#matches(bytes)) return match;
    return undefined;
  }

  /** Prefixes of the bytes that have a replacement, shortest first. Source: darts.h of darts-clone. */
  *#matches(bytes: Uint8Array): Generator<Match> {
    let place = offsetOf(this.#unit(0));
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i] ?? 0;
      place ^= byte;
      const unit = this.#unit(place);
      if ((unit & 0x800000ff) !== byte) return;
      place ^= offsetOf(unit);
      if ((unit >>> 8) & 1) {
        yield { replacement: this.#replacement(this.#unit(place) & 0x7fffffff), bytes: i + 1 };
      }
    }
  }

  /** 0 outside of the trie: a label that fits no byte but zero, and no leaf. */
  #unit(place: number): number {
    const at = place * UNIT;
    return at >= 0 && at < this.#units.byteLength ? this.#units.getInt32(at, true) : 0;
  }

  #replacement(start: number): string {
    const end = this.#replacements.indexOf(0, start);
    return this.#replacements.toString('utf8', start, end < 0 ? this.#replacements.length : end);
  }
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

/** Bytes of the UTF-8 character that begins with this byte. */
function characterLength(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

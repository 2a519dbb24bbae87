import { InputError } from '../../errors';

/**
 * Reads the plain CDR that ROS 2 middlewares put on the wire, every length checked against what is there: a hostile
 * message costs an error, never memory or time.
 */
export class CdrReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #littleEndian: boolean;
  /** position after the four bytes of the encapsulation header; alignment counts from there */
  #at = 0;

  constructor(message: Uint8Array) {
    if (message.length < 4) throw new InputError(`a CDR message has at least 4 bytes, got ${message.length}`);
    const kind = message[1];
    if (message[0] !== 0 || (kind !== 0 && kind !== 1)) {
      throw new InputError(`expected plain CDR (0x0000 or 0x0001), got 0x${hex(message[0])}${hex(kind)}`);
    }
    this.#littleEndian = kind === 1;
    this.#bytes = message.subarray(4);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
  }

  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), this.#littleEndian);
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), this.#littleEndian);
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8), this.#littleEndian);
  }

  /** UTF-8 with a terminating zero. */
  string(): string {
    const length = this.uint32();
    const at = this.#take(length, 1);
    return length === 0 ? '' : utf8.decode(this.#bytes.subarray(at, at + length - 1));
  }

  /** uint8[], a view into the message. */
  bytes(): Uint8Array {
    const length = this.uint32();
    const at = this.#take(length, 1);
    return this.#bytes.subarray(at, at + length);
  }

  float64Array(): Float64Array {
    const length = this.#count(8, 8);
    const at = length === 0 ? this.#at : this.#take(length * 8, 8);
    return Float64Array.from({ length }, (_, i) => this.#view.getFloat64(at + 8 * i, this.#littleEndian));
  }

  float32Array(): Float32Array {
    const length = this.#count(4, 4);
    const at = length === 0 ? this.#at : this.#take(length * 4, 4);
    return Float32Array.from({ length }, (_, i) => this.#view.getFloat32(at + 4 * i, this.#littleEndian));
  }

  stringArray(): string[] {
    // a string is at least its length
    const length = this.#count(4, 1);
    return Array.from({ length }, () => this.string());
  }

  /** Reads a sequence of anything else; an item takes at least `itemBytes`. */
  sequence<T>(itemBytes: number, item: () => T): T[] {
    const length = this.#count(itemBytes, 1);
    return Array.from({ length }, item);
  }

  #count(itemBytes: number, alignment: number): number {
    const length = this.uint32();
    const left = this.#bytes.length - this.#at;
    if (length * itemBytes > left + alignment) {
      throw new InputError(
        `a list of ${length} items at byte ${this.#at} does not fit the ${left} bytes left`,
      );
    }
    return length;
  }

  /** Position of the next `size` bytes, aligned as CDR does. */
  #take(size: number, alignment = size): number {
    const at = Math.ceil(this.#at / alignment) * alignment;
    if (at + size > this.#bytes.length) {
      throw new InputError(
        `the message ends at byte ${this.#bytes.length}, wanted ${size} more at byte ${at}`,
      );
    }
    this.#at = at + size;
    return at;
  }
}

const utf8 = new TextDecoder();

function hex(byte: number | undefined): string {
  return (byte ?? 0).toString(16).padStart(2, '0');
}

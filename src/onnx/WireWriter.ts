/**
 * Writes protobuf wire format: varints, fixed32 and length-delimited fields. Large payloads are kept by reference
 * until `bytes()` joins everything once.
 * Source: protobuf.dev, "Encoding".
 */
export class WireWriter {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  #push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#length += bytes.byteLength;
  }

  #varint(value: bigint): void {
    const out: number[] = [];
    let rest = BigInt.asUintN(64, value);
    while (rest > 0x7fn) {
      out.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    out.push(Number(rest));
    this.#push(Uint8Array.from(out));
  }

  #tag(field: number, wireType: 0 | 2 | 5): void {
    this.#varint(BigInt((field << 3) | wireType));
  }

  /** int64, int32, enum and bool fields. */
  integer(field: number, value: number | bigint): this {
    this.#tag(field, 0);
    this.#varint(BigInt(value));
    return this;
  }

  float(field: number, value: number): this {
    this.#tag(field, 5);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setFloat32(0, value, true);
    this.#push(bytes);
    return this;
  }

  raw(field: number, bytes: Uint8Array): this {
    this.#tag(field, 2);
    this.#varint(BigInt(bytes.byteLength));
    this.#push(bytes);
    return this;
  }

  text(field: number, value: string): this {
    return this.raw(field, Buffer.from(value, 'utf8'));
  }

  message(field: number, inner: WireWriter): this {
    this.#tag(field, 2);
    this.#varint(BigInt(inner.#length));
    for (const chunk of inner.#chunks) this.#push(chunk);
    return this;
  }

  /** Appends the fields of another message (protobuf messages concatenate). */
  fields(other: WireWriter): this {
    for (const chunk of other.#chunks) this.#push(chunk);
    return this;
  }

  get byteLength(): number {
    return this.#length;
  }

  bytes(): Uint8Array {
    const out = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      out.set(chunk, at);
      at += chunk.byteLength;
    }
    return out;
  }
}

/** A varint, a float, or what has a length: bytes, text, a message. Doubles do not occur in the models here. */
export type Field = bigint | number | Uint8Array;

/** A protobuf message as its fields, enough to look into an ONNX model. */
export type Message = Map<number, Field[]>;

export function parse(bytes: Uint8Array): Message {
  const message: Message = new Map();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const [field, wire] = [tag >> 3, tag & 7];
    const values = message.get(field) ?? [];
    message.set(field, values);
    if (wire === 0) values.push(varint());
    else if (wire === 5) {
      values.push(new DataView(bytes.buffer, bytes.byteOffset + at).getFloat32(0, true));
      at += 4;
    } else if (wire === 2) {
      const size = Number(varint());
      values.push(bytes.subarray(at, at + size));
      at += size;
    } else throw new Error(`wire type ${wire}`);
  }
  return message;
}

export const messages = (from: Message, field: number): Message[] =>
  (from.get(field) ?? []).map((value) => parse(value as Uint8Array));

export const texts = (from: Message, field: number): string[] =>
  (from.get(field) ?? []).map((value) => Buffer.from(value as Uint8Array).toString());

export const number = (from: Message, field: number): number => Number(from.get(field)?.[0] ?? 0n);

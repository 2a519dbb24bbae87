import { ZipWriter } from '../../src/formats/ZipWriter';

/** A torch zip with this pickle, these storages and further entries, in memory. */
export function torchZip(
  pickle: Buffer,
  storages: readonly Buffer[] = [],
  more: Readonly<Record<string, string>> = {},
): Buffer {
  return zipOf((zip) => {
    zip.add('x/data.pkl', pickle);
    for (const [name, text] of Object.entries(more)) zip.add(`x/${name}`, Buffer.from(text));
    storages.forEach((bytes, i) => zip.add(`x/data/${i}`, bytes));
  });
}

/** A zip archive in memory. */
export function zipOf(fill: (zip: ZipWriter) => void): Buffer {
  const parts: Uint8Array[] = [];
  const sink = {
    position: 0,
    write(bytes: Uint8Array): void {
      parts.push(bytes);
      sink.position += bytes.length;
    },
    skip(length: number): void {
      sink.write(new Uint8Array(length));
    },
  };
  const zip = new ZipWriter(sink, '');
  fill(zip);
  zip.finish();
  return Buffer.concat(parts);
}

// Pickles by hand, one instruction each (pickletools' names).
export const proto2 = Buffer.of(0x80, 2);
export const stop = Buffer.from('.');
export const mark = Buffer.from('(');
export const tuple = Buffer.from('t');
export const reduce = Buffer.from('R');
export const emptyTuple = Buffer.from(')');
export const newFalse = Buffer.of(0x89);
export const global = (module: string, name: string): Buffer => Buffer.from(`c${module}\n${name}\n`);
export const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  const head = Buffer.alloc(5, 'X');
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};
export const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(5, 'J');
  bytes.writeInt32LE(value, 1);
  return bytes;
};
export const ints = (...values: number[]): Buffer => Buffer.concat([mark, ...values.map(int), tuple]);
export const pickle = (...parts: Buffer[]): Buffer => Buffer.concat([proto2, ...parts, stop]);
export const storage = (key: string, count: number, type = 'FloatStorage'): Buffer =>
  Buffer.concat([
    mark,
    text('storage'),
    global('torch', type),
    text(key),
    text('cpu'),
    int(count),
    tuple,
    Buffer.from('Q'),
  ]);
export const tensor = (from: Buffer, offset: number, shape: number[], strides: number[]): Buffer =>
  Buffer.concat([
    global('torch._utils', '_rebuild_tensor_v2'), mark, from, int(offset), ints(...shape), ints(...strides), newFalse,
    global('collections', 'OrderedDict'), emptyTuple, reduce, tuple, reduce,
  ]); // prettier-ignore
export const sixFloats = Buffer.from(Float32Array.of(0, 1, 2, 3, 4, 5).buffer);

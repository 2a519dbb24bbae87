import { writeFileSync } from 'node:fs';

export interface ElfContent {
  readonly machine?: number;
  readonly soname?: string;
  readonly needed?: readonly string[];
  readonly runpath?: string;
  readonly rpath?: string;
}

/** Writes a shared library that has nothing but a dynamic section: one loaded segment, as linkers lay it out. */
export function writeElf(path: string, content: ElfContent): void {
  writeFileSync(path, elfBytes(content));
}

export function elfBytes({ machine = 62, soname, needed = [], runpath, rpath }: ElfContent): Buffer {
  const strings: string[] = [''];
  let stringBytes = 1;
  const at = (text: string): bigint => {
    strings.push(text);
    const offset = stringBytes;
    stringBytes += Buffer.byteLength(text) + 1;
    return BigInt(offset);
  };
  const entries: [bigint, bigint][] = [
    ...needed.map((name): [bigint, bigint] => [1n, at(name)]),
    ...(soname === undefined ? [] : [[14n, at(soname)] as [bigint, bigint]]),
    ...(rpath === undefined ? [] : [[15n, at(rpath)] as [bigint, bigint]]),
    ...(runpath === undefined ? [] : [[29n, at(runpath)] as [bigint, bigint]]),
  ];
  const dynamicAt = 64 + 2 * 56;
  const dynamicLength = (entries.length + 3) * 16; // and DT_STRTAB, DT_STRSZ, DT_NULL
  const stringsAt = dynamicAt + dynamicLength;
  const address = 0x10000; // not its offset in the file, so that a reader that confuses the two fails
  entries.push([5n, BigInt(address + stringsAt)], [10n, BigInt(stringBytes)], [0n, 0n]);

  const bytes = Buffer.alloc(stringsAt + stringBytes);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.writeUInt16LE(3, 16); // ET_DYN
  bytes.writeUInt16LE(machine, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(64n, 32); // program headers
  bytes.writeUInt16LE(64, 52);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(2, 56);
  const segment = (index: number, type: number, offset: number, length: number): void => {
    const header = 64 + index * 56;
    bytes.writeUInt32LE(type, header);
    bytes.writeUInt32LE(6, header + 4);
    bytes.writeBigUInt64LE(BigInt(offset), header + 8);
    bytes.writeBigUInt64LE(BigInt(address + offset), header + 16);
    bytes.writeBigUInt64LE(BigInt(address + offset), header + 24);
    bytes.writeBigUInt64LE(BigInt(length), header + 32);
    bytes.writeBigUInt64LE(BigInt(length), header + 40);
    bytes.writeBigUInt64LE(type === 1 ? 0x1000n : 8n, header + 48);
  };
  segment(0, 1, 0, bytes.length);
  segment(1, 2, dynamicAt, dynamicLength);
  entries.forEach(([tag, value], i) => {
    bytes.writeBigUInt64LE(tag, dynamicAt + i * 16);
    bytes.writeBigUInt64LE(value, dynamicAt + i * 16 + 8);
  });
  bytes.write(strings.join('\0'), stringsAt);
  return bytes;
}

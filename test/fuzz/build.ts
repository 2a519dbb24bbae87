import type { Random } from './Random';

/** Words and numbers that mean something to one of the readers. */
const WORDS = [
  'ros__parameters',
  '/**',
  '/*',
  'cameras',
  'topic',
  'proprio',
  'joints',
  'actions',
  'limits',
  'min',
  'max',
  'state',
  'action',
  'global_std',
  'weights',
  'path',
  '__proto__',
  'constructor',
  'a',
  'yes',
  '.nan',
  '1e999',
  '0x1f',
  '\u001b[2J',
  '../../etc/passwd',
  '/dev/zero',
  '~',
  '%s',
  '\u0000',
  'x'.repeat(300),
];

/** A value of any shape, as deep as the generator likes. */
export function value(random: Random, depth = 0): unknown {
  switch (random.below(depth > 6 ? 5 : 8)) {
    case 0:
      return random.pick([0, -1, 1e39, -0, 2 ** 53, 0.1, 3]);
    case 1:
      return random.pick(WORDS);
    case 2:
      return random.pick([true, false, null]);
    case 3:
      return [];
    case 4:
      return {};
    case 5:
      return Array.from({ length: random.below(6) }, () => value(random, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.below(6) }, () => [random.pick(WORDS), value(random, depth + 1)]),
      );
  }
}

export const text = {
  json: (random: Random): string => JSON.stringify(value(random)),

  /** Lines of keys, flows, anchors and nonsense; now and then one construct without end. */
  yaml(random: Random): string {
    const count = random.pick([1, 3, 10, 3000]);
    switch (random.below(8)) {
      case 0:
        return random
          .pick(['[', '{a: ', '- ', '? ', '&a ', '!!x ', '"\\\n', 'a,', '*a ', '---\n', '#\n', '|\n '])
          .repeat(count);
      case 1:
        return Array.from({ length: count }, (_, i) => `k${i}: &a${i} [*a${i - 1}, *a${i - 1}]`).join('\n');
      case 2:
        return Array.from(
          { length: Math.min(count, 200) },
          (_, i) => `${' '.repeat(i)}${random.pick(WORDS)}:`,
        ).join('\n');
      default:
        return Array.from(
          { length: Math.min(count, 12) },
          () => `${' '.repeat(random.below(4))}${random.pick(WORDS)}: ${JSON.stringify(value(random))}`,
        ).join('\n');
    }
  },

  /** A message definition: fields of types that exist, do not, hold themselves, or are lists of nothing. */
  definition(random: Random): string {
    const types = ['string', 'uint8', 'float64', 'bool', 'A', 'B', 'std_msgs/Header', 'wstring', 'time'];
    const fields = (): string =>
      Array.from({ length: random.below(5) }, (_, i) => {
        const list = random.pick(['', '', '[]', '[3]', '[0]', '[<=4]', '[4294967295]']);
        return `${random.pick(types)}${list} f${i}${random.below(9) === 0 ? '=1' : ''}`;
      }).join('\n');
    return ['', 'MSG: A', 'MSG: B'].map((head) => `${head}\n${fields()}`).join(`\n${'='.repeat(80)}\n`);
  },
};

/** A pickle of instructions that exist, with arguments that need not fit. */
export function pickle(random: Random): Uint8Array {
  const opcodes = [
    ...Array.from('N(]}).aeutsRQ0122'),
    '\x85',
    '\x86',
    '\x87',
    '\x94',
    '\x88',
    '\x89',
    '\x81',
    '\x93',
  ];
  const parts: Buffer[] = [Buffer.from([0x80, 2])];
  for (let i = random.pick([3, 20, 200, 20_000]); i > 0; i--) {
    switch (random.below(6)) {
      case 0:
        parts.push(Buffer.from([0x4b, random.below(256)]));
        break;
      case 1:
        parts.push(Buffer.from([random.pick([0x68, 0x71]), random.below(8)]));
        break;
      case 2:
        parts.push(
          Buffer.from(
            random.pick([
              'ccollections\nOrderedDict\n',
              'ctorch\nSize\n',
              'X\x01\x00\x00\x00a',
              'cos\nsystem\n',
              'ctorch._utils\n_rebuild_tensor_v2\n',
            ]),
            'latin1',
          ),
        );
        break;
      default:
        parts.push(Buffer.from(random.pick(opcodes), 'latin1'));
    }
  }
  parts.push(Buffer.from('.'));
  return Buffer.concat(parts);
}

/** A PNG whose header says anything and whose data are few. */
export function png(random: Random): Uint8Array {
  const header = Buffer.alloc(33);
  header.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
  const side = (): number => random.pick([0, 1, 16, 16_384, 2 ** 24, 2 ** 26, 2 ** 31 - 1, 2 ** 32 - 1]);
  header.writeUInt32BE(side(), 16);
  header.writeUInt32BE(side(), 20);
  header.set([random.pick([1, 8, 16]), random.pick([0, 2, 3, 4, 6]), 0, 0, random.below(2)], 24);
  return Buffer.concat([header, random.bytes(random.below(64))]);
}

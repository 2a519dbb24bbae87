import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compress, isLoaded } from '@foxglove/wasm-zstd';
import { beforeAll, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { openBag } from '../../src/bag/openBag';
import { FastWamError, InputError } from '../../src/errors';
import { bytesOf, mcapBytes, writeDatabase, writeSmallBag } from './sampleBagFiles';
import type { Encoded } from './sampleBagFiles';
import { temporaryFolder } from './temporary';

const folder = temporaryFolder();
const RUNS = Number(process.env.FUZZ_RUNS ?? 60);

/** Whole recordings by kind, which are then damaged. */
const originals = new Map<string, Uint8Array>();

async function readEncoded(path: string): Promise<Encoded[]> {
  const bag = await openBag(path);
  const messages: Encoded[] = [];
  for await (const { topic, logTime, data } of bag.messages()) messages.push({ topic, logTime, data });
  await bag.close();
  return messages;
}

beforeAll(async () => {
  await isLoaded;
  const compressed = await writeSmallBag(join(folder, 'compressed'), 'zstd');
  const messages = await readEncoded(compressed);
  originals.set('mcap zstd', bytesOf(compressed));
  originals.set('mcap plain', bytesOf(await writeSmallBag(join(folder, 'plain'), 'none')));
  originals.set('mcap unchunked', await mcapBytes(messages, { useChunks: false }));
  writeDatabase(join(folder, 'a.db3'), messages, { definitions: true });
  originals.set('sqlite3', bytesOf(join(folder, 'a.db3')));
  originals.set('mcap.zstd', new Uint8Array(compress(originals.get('mcap plain')!, 3)));
  originals.set('db3.zstd', new Uint8Array(compress(originals.get('sqlite3')!, 3)));
});

/** Reads all there is; how it ended. Anything but a named error fails the test. */
async function read(path: string): Promise<{ messages: number; warnings: number; error?: FastWamError }> {
  try {
    const bag = await openBag(path);
    let messages = 0;
    try {
      for await (const message of bag.messages()) {
        messages++;
        try {
          bag.decode(message);
        } catch (error) {
          if (!(error instanceof InputError)) throw error;
        }
      }
      return { messages, warnings: bag.warnings.length };
    } finally {
      await bag.close();
    }
  } catch (error) {
    if (!(error instanceof FastWamError)) throw error;
    return { messages: 0, warnings: 0, error };
  }
}

/** One act of damage; positions are shares of the file. */
const damage = fc.oneof(
  fc.record({ kind: fc.constant('cut' as const), at: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({
    kind: fc.constant('flip' as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    bit: fc.nat(7),
  }),
  fc.record({
    kind: fc.constant('length' as const),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    value: fc.constantFrom(0xffffffffffffffffn, 0x7fffffffffffffffn, 0xffffffffn, 0x7fffffffn, 1n << 33n, 0n),
  }),
);

function damaged(
  original: Uint8Array,
  acts: readonly (typeof damage extends fc.Arbitrary<infer T> ? T : never)[],
): Uint8Array {
  let bytes = original.slice();
  for (const act of acts) {
    const at = Math.min(Math.floor(act.at * bytes.length), bytes.length - 1);
    if (at < 0) break;
    if (act.kind === 'cut') bytes = bytes.subarray(0, at);
    else if (act.kind === 'flip') bytes[at] = bytes[at]! ^ (1 << act.bit);
    else if (at + 8 <= bytes.length) new DataView(bytes.buffer).setBigUint64(at, act.value, true);
  }
  return bytes;
}

describe('a damaged or hostile recording', () => {
  it.each(['mcap zstd', 'mcap plain', 'mcap unchunked', 'sqlite3', 'mcap.zstd', 'db3.zstd'])(
    'ends in a named error or a shorter recording, in bounded time and memory (%s)',
    async (kind) => {
      const original = originals.get(kind)!;
      const path = join(folder, 'damaged');
      writeFileSync(path, original);
      expect(await read(path)).toEqual({ messages: 40, warnings: 0 });
      const before = process.memoryUsage().rss;
      await fc.assert(
        fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), async (acts) => {
          writeFileSync(path, damaged(original, acts));
          const begin = performance.now();
          await read(path);
          expect(performance.now() - begin).toBeLessThan(20_000);
        }),
        { numRuns: RUNS },
      );
      // A false length of 2 GiB and more would show here.
      expect(process.memoryUsage().rss - before).toBeLessThan(1e9);
    },
    300_000,
  );

  it('that unfolds without end is refused when it passes the limit', async () => {
    // 128 MiB of zeros in a few kB.
    const bomb = compress(new Uint8Array(2 ** 27), 3);
    const path = join(folder, 'bomb.mcap.zstd');
    writeFileSync(path, bomb);
    const { error } = await read(path);
    expect(error?.message).toMatch(/holds neither an MCAP file nor an SQLite database/);
    const chunk = await mcapBytes([{ topic: '/task', logTime: 1n, data: new Uint8Array(2 ** 27) }], {
      compressChunk: (data) => ({ compression: 'zstd', compressedData: compress(data, 3) }),
    });
    writeFileSync(path, chunk);
    expect(await warningsOf(path)).toMatch(
      /a zstd chunk is refused: it unfolds to more than 32 times its size/,
    );
  });

  it('with a program in place of its tables is refused', async () => {
    const path = join(folder, 'view.db3');
    const endless =
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS id, 1 AS topic_id, i AS timestamp, zeroblob(9) AS data FROM n';
    writeDatabase(path, [], {
      definitions: false,
      spoil: `DROP TABLE messages; CREATE VIEW messages AS ${endless};`,
    });
    expect((await read(path)).error?.message).toMatch(/messages is not a plain table/);
    writeDatabase(join(folder, 'generated.db3'), [], {
      definitions: false,
      spoil:
        'DROP TABLE messages; CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id, timestamp, data AS (zeroblob(1000000000)));',
    });
    expect((await read(join(folder, 'generated.db3'))).error?.message).toMatch(
      /the table messages has no column data/,
    );
  });
});

async function warningsOf(path: string): Promise<string> {
  const bag = await openBag(path);
  for await (const message of bag.messages()) expect(message).toBeUndefined();
  const text = bag.warnings.join();
  await bag.close();
  return text;
}

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compress, isLoaded } from '@foxglove/wasm-zstd';
import { beforeAll, describe, expect, it } from 'vitest';
import { BagWriter } from '../../src/bag/BagWriter';
import { definitionText } from '../../src/bag/definitionText';
import { openBag } from '../../src/bag/openBag';
import { keptForLateComers } from '../../src/ros/bags/BagPlayer';
import type { BagMessage, BagReader, ReadOptions } from '../../src/bag/types';
import { MEMORY_LIMITS } from '../../src/bag/limits';
import { decompressBytes } from '../../src/bag/zstd';
import {
  bytesOf,
  mcapBytes,
  smallMessages,
  storedLz4,
  TOPICS,
  writeDatabase,
  writeSmallBag,
} from './sampleBagFiles';
import type { Encoded } from './sampleBagFiles';
import { temporaryFolder } from './temporary';

const folder = temporaryFolder();
let encoded: Encoded[];
let written: string;

beforeAll(async () => {
  await isLoaded;
  written = await writeSmallBag(join(folder, 'written'), 'zstd');
  encoded = await collect(written, (_, message) => message);
});

interface Decoded {
  readonly topic: string;
  readonly logTime: bigint;
  readonly message: unknown;
}

async function collect<T>(
  path: string,
  use: (bag: BagReader, message: BagMessage) => T,
  options?: ReadOptions,
): Promise<T[]> {
  const bag = await openBag(path);
  const list: T[] = [];
  for await (const message of bag.messages(options)) list.push(use(bag, message));
  expect(bag.warnings).toEqual([]);
  await bag.close();
  return list;
}

function decode(bag: BagReader, message: BagMessage): Decoded {
  return { topic: message.topic, logTime: message.logTime, message: bag.decode(message) };
}

/** What was written, as it comes back: number lists are typed arrays. */
const expected: readonly Decoded[] = smallMessages.map(({ topic, logTime, message }) => ({
  topic,
  logTime,
  message:
    topic === '/joints' ? { ...message, velocity: new Float64Array(), effort: new Float64Array() } : message,
}));

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe('the bag writer', () => {
  it('writes what the reader gives back, compressed or not', async () => {
    expect(await collect(written, decode)).toEqual(expected);
    expect(await collect(await writeSmallBag(join(folder, 'plain'), 'none'), decode)).toEqual(expected);
  });

  it('writes metadata that agrees with the file', async () => {
    const bag = await openBag(join(folder, 'written'));
    expect(bag.metadata).toMatchObject({ version: 9, rosDistro: 'jazzy', messageCount: 40 });
    expect(bag.topics.map(({ name, type, count }) => [name, type, count])).toEqual([
      ['/joints', 'sensor_msgs/msg/JointState', 36],
      ['/task', 'std_msgs/msg/String', 4],
    ]);
    expect([bag.start, bag.end]).toEqual([encoded[0]!.logTime, encoded[39]!.logTime]);
    expect(bag.warnings).toEqual([]);
    await bag.close();
  });

  it('writes the same bytes for the same messages', async () => {
    mkdirSync(join(folder, 'again'));
    const second = await writeSmallBag(join(folder, 'again', 'written'), 'zstd');
    const sha = (path: string): string => createHash('sha1').update(readFileSync(path)).digest('hex');
    expect(sha(second)).toBe(sha(written));
  });

  it('refuses folders that exist, unknown topics and unknown types', async () => {
    await expect(BagWriter.create({ folder, compression: 'none' })).rejects.toThrow(
      'exists already; name a new folder',
    );
    const bag = await BagWriter.create({ folder: join(folder, 'refused'), compression: 'none' });
    await expect(bag.addTopic({ name: '/a', type: 'no_msgs/msg/Such' })).rejects.toThrow(
      'no definition of the message type "no_msgs/msg/Such"',
    );
    await expect(bag.addTopic({ name: '/a', type: '../../etc/passwd' })).rejects.toThrow(
      'is not a message type',
    );
    await expect(bag.write('/a', 0n, {})).rejects.toThrow('the topic "/a" was not added');
    await bag.discard();
    await expect(openBag(join(folder, 'refused'))).rejects.toThrow('does not exist');
  });

  it('keeps messages in order though nobody waits between them', async () => {
    const bag = await BagWriter.create({
      folder: join(folder, 'hurried'),
      compression: 'zstd',
      chunkSize: 100,
    });
    await bag.addTopic(TOPICS[1]);
    await Promise.all(Array.from({ length: 50 }, (_, i) => bag.write('/task', BigInt(i), { data: `${i}` })));
    await bag.close();
    const texts = await collect(join(folder, 'hurried'), (reader, message) => reader.decode(message));
    expect(texts).toEqual(Array.from({ length: 50 }, (_, i) => ({ data: `${i}` })));
  });
});

describe('the definition of a type', () => {
  it('has all types it needs appended, as rosbag2 stores it', () => {
    const sections = definitionText('sensor_msgs/msg/JointState').split(/^=+\nMSG: /m);
    expect(sections.map((section, i) => (i === 0 ? '' : section.split('\n')[0]))).toEqual([
      '',
      'std_msgs/Header',
      'builtin_interfaces/Time',
    ]);
    expect(sections[0]).toMatch(/^std_msgs\/Header header$/m);
    expect(sections[2]).toMatch(/^int32 sec$/m);
  });

  it('follows types of the same package and types of one’s own', () => {
    mkdirSync(join(folder, 'own'));
    writeFileSync(join(folder, 'own', 'Report.msg'), 'Part[] parts # several\nstring<=5 text\n');
    writeFileSync(join(folder, 'own', 'Part.msg'), 'geometry_msgs/Point[3] corners\n');
    const text = definitionText('own_msgs/msg/Report', { own_msgs: join(folder, 'own') });
    expect([...text.matchAll(/^MSG: (.*)$/gm)].map(([, name]) => name)).toEqual([
      'own_msgs/Part',
      'geometry_msgs/Point',
    ]);
  });
});

describe('an MCAP file', () => {
  it.each([
    ['without chunks', { useChunks: false }],
    ['without a chunk index', { useChunkIndex: false }],
    ['without message indexes', { useMessageIndex: false }],
    ['without statistics', { useStatistics: false }],
    ['without channels in the summary', { repeatChannels: false }],
    ['without schemas in the summary', { repeatSchemas: false }],
    [
      'with LZ4 chunks',
      { compressChunk: (d: Uint8Array) => ({ compression: 'lz4', compressedData: storedLz4(d) }) },
    ],
  ])('%s is read like any other', async (name, options) => {
    const path = file(`${name}.mcap`, await mcapBytes(encoded, options));
    expect(await collect(path, decode)).toEqual(expected);
    const start = encoded[10]!.logTime;
    const end = encoded[20]!.logTime;
    const some = await collect(path, decode, { topics: ['/task'], start, end });
    expect(some).toEqual([expected[10], expected[20]]);
  });

  it('with an unknown compression says which', async () => {
    const compressChunk = (data: Uint8Array) => ({ compression: 'brotli', compressedData: data });
    const bag = await openBag(file('brotli.mcap', await mcapBytes(encoded, { compressChunk })));
    for await (const message of bag.messages()) expect(message).toBeUndefined();
    expect(bag.warnings.join()).toContain('Unsupported compression brotli');
    await bag.close();
  });

  it('in the middle of being written is read as far as it goes', async () => {
    const whole = bytesOf(written);
    const footer = whole.length - 8 - 29;
    const bag = await openBag(file('growing.mcap', whole.subarray(0, footer)));
    expect(bag.topics.map(({ count }) => count)).toEqual([36, 4]);
    await bag.close();
  });
});

describe('an SQLite3 recording', () => {
  it('is read with and without definitions, with and without an index', async () => {
    for (const [i, options] of [
      { definitions: true },
      { definitions: false },
      { definitions: false, index: false },
    ].entries()) {
      const path = join(folder, `${i}.db3`);
      writeDatabase(path, encoded, options);
      expect(await collect(path, decode)).toEqual(expected);
      const end = encoded[20]!.logTime;
      expect(await collect(path, decode, { topics: ['/task'], start: encoded[10]!.logTime, end })).toEqual([
        expected[10],
        expected[20],
      ]);
    }
  });

  it('is read in the order of time, though written in another', async () => {
    const path = join(folder, 'shuffled.db3');
    writeDatabase(path, [...encoded].reverse(), { definitions: true, index: false });
    expect(await collect(path, decode)).toEqual(expected);
  });

  it('that has no topics of rosbag2 is refused', async () => {
    const path = join(folder, 'other.db3');
    writeDatabase(path, [], { definitions: false, spoil: 'DROP TABLE topics' });
    await expect(openBag(path)).rejects.toThrow(
      'other.db3: cannot be read as a rosbag2 database: there is no table topics',
    );
  });
});

describe('messages that were compressed one by one', () => {
  it('are unfolded, and a damaged one is passed over with a warning', async () => {
    const packed = encoded.map((message) => ({
      ...message,
      data: new Uint8Array(compress(message.data, 3)),
    }));
    packed[5] = { ...packed[5]!, data: Uint8Array.of(1, 2, 3) };
    const path = join(folder, 'by_message');
    mkdirSync(path);
    writeFileSync(join(path, 'by_message_0.mcap'), await mcapBytes(packed));
    writeFileSync(
      join(path, 'metadata.yaml'),
      'rosbag2_bagfile_information: {version: 5, storage_identifier: mcap, relative_file_paths: [by_message_0.mcap], compression_format: zstd, compression_mode: MESSAGE}',
    );
    const bag = await openBag(path);
    const found: Decoded[] = [];
    for await (const message of bag.messages()) found.push(decode(bag, message));
    expect(found).toEqual(expected.filter((_, i) => i !== 5));
    expect(bag.warnings.join()).toMatch(/a message on \/joints cannot be decompressed/);
    await bag.close();
  });
});

describe('zstd', () => {
  it('unfolds several frames and skips what is marked to be skipped', () => {
    const text = new TextEncoder().encode('abc'.repeat(1000));
    const frame = new Uint8Array(compress(text, 3));
    const skippable = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9);
    const unfolded = decompressBytes(Buffer.concat([frame, skippable, frame]), MEMORY_LIMITS);
    expect(Buffer.from(unfolded).toString()).toBe('abc'.repeat(2000));
  });

  it('refuses a frame that asks for a window of 2 GiB before memory is taken for it', () => {
    // Magic, descriptor without single segment, window exponent 21: 2^(10+21).
    const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00);
    expect(() => decompressBytes(frame, MEMORY_LIMITS)).toThrow('asks for a window of 2147483648 bytes');
  });

  it('stops at the limits', () => {
    const zeros = compress(new Uint8Array(2 ** 20), 3);
    expect(() => decompressBytes(zeros, { total: 2 ** 19, ratio: 1e9, free: 0 })).toThrow(
      'more than 524288 bytes',
    );
    expect(() => decompressBytes(zeros, { total: 2 ** 30, ratio: 10, free: 0 })).toThrow(
      'more than 10 times its size',
    );
  });
});

describe('the quality of service that was recorded', () => {
  const OF_TASK = '- history: 1\n  depth: 1\n  reliability: 1\n  durability: 1\n';
  const qosOf = async (path: string): Promise<(string | undefined)[]> => {
    const bag = await openBag(path);
    await bag.close();
    return bag.topics.map(({ offeredQos }) => offeredQos);
  };
  /** metadata.yaml of a version of rosbag2 that wrote the profiles of /task so, indented as they stand there */
  const metadata = (version: number, profiles: string): string =>
    [
      'rosbag2_bagfile_information:',
      `  version: ${version}`,
      '  storage_identifier: sqlite3',
      '  relative_file_paths: [a_0.db3]',
      '  topics_with_message_count:',
      '    - topic_metadata:',
      '        name: /task',
      '        type: std_msgs/msg/String',
      '        serialization_format: cdr',
      `        offered_qos_profiles: ${profiles}`,
      '      message_count: 4',
      '',
    ].join('\n');

  it('is read from a column of a database', async () => {
    const path = join(folder, 'qos.db3');
    writeDatabase(path, encoded, {
      definitions: true,
      spoil: `ALTER TABLE topics ADD COLUMN offered_qos_profiles TEXT NOT NULL DEFAULT '';
              UPDATE topics SET offered_qos_profiles = '${OF_TASK}' WHERE name = '/task'`,
    });
    // /joints, /task
    expect(await qosOf(path)).toEqual([undefined, OF_TASK]);
  });

  it.each([
    ['text, as up to version 8', 5, JSON.stringify(OF_TASK)],
    ['a list, as since version 9', 9, '[{ history: keep_last, depth: 1, durability: transient_local }]'],
  ])(
    'is read from metadata.yaml where it is %s, and a damaged one is no obstacle',
    async (_, version, text) => {
      const bag = join(folder, `qos ${version}`);
      mkdirSync(bag);
      writeDatabase(join(bag, 'a_0.db3'), encoded, { definitions: true });
      writeFileSync(join(bag, 'metadata.yaml'), metadata(version, text));
      const [joints, task] = await qosOf(bag);
      expect(joints).toBeUndefined();
      expect(keptForLateComers({ offeredQos: task! })).toBe(1);
      writeFileSync(join(bag, 'metadata.yaml'), metadata(version, '7'));
      expect(await qosOf(bag)).toEqual([undefined, undefined]);
    },
  );

  it('says how many messages late comers got: those of all publishers together', () => {
    const kept = (offeredQos: string): number => keptForLateComers({ offeredQos });
    expect(kept('- { history: 1, depth: 1, durability: 2 }')).toBe(0);
    expect(kept('- { history: keep_last, depth: 1, durability: transient_local }\n'.repeat(3))).toBe(3);
    expect(kept('- { history: keep_all, depth: 0, durability: transient_local }')).toBe(100);
    expect(kept('- { history: 1, depth: 1000000, durability: 1 }')).toBe(100);
    for (const broken of ['', '[', '7', '- null', '- []', '- { durability: [1] }'])
      expect(kept(broken)).toBe(0);
  });
});

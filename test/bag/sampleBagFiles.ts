import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { Database } from 'node-sqlite3-wasm';
import { McapWriter } from '@mcap/core';
import { BagWriter } from '../../src/bag/BagWriter';
import { definitionText } from '../../src/bag/definitionText';

/** Topics of the small recordings below. */
export const TOPICS = [
  { name: '/joints', type: 'sensor_msgs/msg/JointState' },
  { name: '/task', type: 'std_msgs/msg/String' },
] as const;

const COUNT = 40;

/** Message i of a small recording: joints, and now and then an instruction. */
export function smallMessage(i: number): { topic: string; logTime: bigint; message: object } {
  const logTime = 1_700_000_000_000_000_000n + BigInt(i) * 10_000_000n;
  if (i % 10 === 0) return { topic: '/task', logTime, message: { data: `task ${i}` } };
  const header = { stamp: { sec: 1_700_000_000, nanosec: i * 10_000_000 }, frame_id: 'base' };
  const position = Float64Array.of(i, i / 7, -i);
  return {
    topic: '/joints',
    logTime,
    message: { header, name: ['a', 'b', 'c'], position, velocity: [], effort: [] },
  };
}

export const smallMessages = Array.from({ length: COUNT }, (_, i) => smallMessage(i));

/** Writes the small recording as a rosbag2 folder; chunks of a few messages. */
export async function writeSmallBag(folder: string, compression: 'zstd' | 'none'): Promise<string> {
  const bag = await BagWriter.create({ folder, compression, chunkSize: 600 });
  for (const topic of TOPICS) await bag.addTopic(topic);
  for (const { topic, logTime, message } of smallMessages) await bag.write(topic, logTime, message);
  await bag.close();
  return join(folder, `${folder.split('/').pop() ?? ''}_0.mcap`);
}

/** Encoded messages of the small recording, in order. */
export interface Encoded {
  readonly topic: string;
  readonly logTime: bigint;
  readonly data: Uint8Array;
}

export interface DatabaseOptions {
  /** with the table of definitions that came with ROS 2 Iron */
  readonly definitions: boolean;
  /** with rosbag2's index over time */
  readonly index?: boolean;
  /** SQL that runs at the end */
  readonly spoil?: string;
}

/** Writes encoded messages as a rosbag2 SQLite3 file. */
export function writeDatabase(path: string, messages: readonly Encoded[], options: DatabaseOptions): void {
  const database = new Database(path);
  database.exec(`
    CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, serialization_format TEXT NOT NULL);
    CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, data BLOB NOT NULL);
  `);
  if (options.index !== false) database.exec('CREATE INDEX timestamp_idx ON messages (timestamp ASC)');
  TOPICS.forEach(({ name, type }, i) =>
    database.run('INSERT INTO topics VALUES (?, ?, ?, ?)', [i + 1, name, type, 'cdr']),
  );
  for (const { topic, logTime, data } of messages) {
    const id = TOPICS.findIndex(({ name }) => name === topic) + 1;
    database.run('INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)', [id, logTime, data]);
  }
  if (options.definitions) {
    database.exec(
      'CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT, encoding TEXT, encoded_message_definition TEXT, type_description_hash TEXT)',
    );
    for (const { type } of TOPICS) {
      database.run('INSERT INTO message_definitions VALUES (NULL, ?, ?, ?, ?)', [
        type,
        'ros2msg',
        definitionText(type),
        '',
      ]);
    }
  }
  if (options.spoil !== undefined) database.exec(options.spoil);
  database.close();
}

/** What MCAP's own writer makes of encoded messages with other options than rosbag2's. */
export async function mcapBytes(
  messages: readonly Encoded[],
  options: Partial<ConstructorParameters<typeof McapWriter>[0]> = {},
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0n;
  const writer = new McapWriter({
    chunkSize: 600,
    ...options,
    writable: {
      position: () => length,
      write: (bytes) => {
        parts.push(bytes.slice());
        length += BigInt(bytes.length);
        return Promise.resolve();
      },
    },
  });
  await writer.start({ profile: 'ros2', library: 'test' });
  const channels = new Map<string, number>();
  for (const { name, type } of TOPICS) {
    const data = new TextEncoder().encode(definitionText(type));
    const schemaId = await writer.registerSchema({ name: type, encoding: 'ros2msg', data });
    const metadata = new Map<string, string>();
    channels.set(
      name,
      await writer.registerChannel({ topic: name, schemaId, messageEncoding: 'cdr', metadata }),
    );
  }
  for (const [sequence, { topic, logTime, data }] of messages.entries()) {
    const channelId = channels.get(topic);
    if (channelId === undefined) throw new Error(topic);
    await writer.addMessage({ channelId, sequence, logTime, publishTime: logTime, data });
  }
  await writer.end();
  return Buffer.concat(parts);
}

/** LZ4 frame (version 1, independent blocks of at most 64 KiB) that stores its blocks uncompressed. */
export function storedLz4(data: Uint8Array): Uint8Array {
  // The last byte is the second byte of xxHash32 over the two bytes before it.
  const parts: Uint8Array[] = [Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82)];
  for (let at = 0; at < data.length; at += 65536) {
    const block = data.subarray(at, at + 65536);
    const size = new Uint8Array(4);
    new DataView(size.buffer).setUint32(0, (block.length | 0x80000000) >>> 0, true);
    parts.push(size, block);
  }
  parts.push(new Uint8Array(4));
  return Buffer.concat(parts);
}

export function bytesOf(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}

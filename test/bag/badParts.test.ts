import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { isLoaded } from '@foxglove/wasm-zstd';
import { McapWriter, TempBuffer } from '@mcap/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { openBag } from '../../src/bag/openBag';
import { resolveTopics } from '../../src/bag/resolveTopics';
import { RangedFile } from '../../src/formats/RangedFile';
import type { TopicMapping } from '../../src/settings/mapping';
import { writeSmallBag } from './sampleBagFiles';
import { temporaryFolder } from './temporary';

const folder = temporaryFolder();
let whole = '';

beforeAll(async () => {
  await isLoaded;
  whole = await writeSmallBag(join(folder, 'whole'), 'none');
});

async function read(path: string): Promise<{ messages: number; warnings: readonly string[] }> {
  const bag = await openBag(path);
  let messages = 0;
  for await (const message of bag.messages()) if (message.data.length > 0) messages++;
  await bag.close();
  return { messages, warnings: bag.warnings };
}

function recording(name: string, files: Readonly<Record<string, string>>): string {
  const made = join(folder, name);
  mkdirSync(made);
  copyFileSync(whole, join(made, 'rec_0.mcap'));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(made, file), text);
  return made;
}

describe('one bad part of a recording', () => {
  const metadata = (...files: string[]): string =>
    `rosbag2_bagfile_information: {version: 9, storage_identifier: mcap, relative_file_paths: [${files.join(', ')}]}`;

  it.each([
    ['an empty split', { 'rec_1.mcap': '' }, /rec_1.mcap: is empty/],
    ['a split that is something else', { 'rec_1.mcap': 'hello' }, /rec_1.mcap: is not a recording/],
    [
      'a split that is missing',
      { 'metadata.yaml': metadata('rec_0.mcap', 'rec_1.mcap') },
      /lists the file "rec_1/,
    ],
    ['absolute paths', { 'metadata.yaml': metadata('/robot/rec/rec_0.mcap') }, undefined],
    ['metadata of 0 bytes', { 'metadata.yaml': '' }, /read without it/],
    ['metadata that is no YAML', { 'metadata.yaml': '[[[' }, /read without it/],
    ['resource forks of macOS', { '._rec_0.mcap': 'x', '._rec_1.mcap': 'x' }, undefined],
  ])('does not lose the rest: %s', async (name, files, warning) => {
    const { messages, warnings } = await read(recording(name.replaceAll(' ', '_'), files));
    expect(messages).toBe(40);
    if (warning === undefined) expect(warnings).toEqual([]);
    else expect(warnings.join('\n')).toMatch(warning);
  });

  it('is refused where nothing is left', async () => {
    const made = join(folder, 'nothing');
    mkdirSync(made);
    writeFileSync(join(made, 'a_0.mcap'), '');
    await expect(openBag(made)).rejects.toThrow(/a_0.mcap: is empty/);
  });
});

describe('what is no regular file', () => {
  it('is refused at once, not waited for', async () => {
    const pipe = join(folder, 'pipe.mcap');
    execFileSync('mkfifo', [pipe]);
    await expect(openBag(pipe)).rejects.toThrow(/not a regular file/);
    await expect(openBag('/dev/zero')).rejects.toThrow(/not a regular file/);
    expect(() => RangedFile.reading(folder, () => 0)).toThrow(/is a folder/);
  });
});

/** Messages of one topic after those of the other, without an index. */
async function disordered(path: string): Promise<void> {
  const buffer = new TempBuffer();
  const writer = new McapWriter({
    writable: buffer,
    useChunks: false,
    useSummaryOffsets: false,
    repeatChannels: false,
  });
  await writer.start({ profile: '', library: '' });
  for (const topic of ['/a', '/b']) {
    const data = new TextEncoder().encode('string data');
    const schemaId = await writer.registerSchema({ name: 'std_msgs/String', encoding: 'ros2msg', data });
    const channelId = await writer.registerChannel({
      topic,
      schemaId,
      messageEncoding: 'cdr',
      metadata: new Map(),
    });
    for (let i = 0; i < 10; i++) {
      const logTime = BigInt(i) * 1_000_000_000n + (topic === '/b' ? 1n : 0n);
      await writer.addMessage({
        channelId,
        sequence: i,
        logTime,
        publishTime: logTime,
        data: Uint8Array.of(0, 1, 0, 0, i),
      });
    }
  }
  await writer.end();
  writeFileSync(path, buffer.get());
}

describe('a recording without an index', () => {
  it('is sorted by time where topic follows topic', async () => {
    const path = join(folder, 'disordered.mcap');
    await disordered(path);
    const bag = await openBag(path);
    const seen: string[] = [];
    for await (const { topic, data } of bag.messages()) seen.push(`${topic} ${data[4] ?? -1}`);
    await bag.close();
    expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => [`/a ${i}`, `/b ${i}`]).flat());
    expect(bag.warnings.join()).toMatch(/not in order of time; they are sorted/);
  });
});

describe('types of topics', () => {
  const mapping = (
    topic: string,
    type: 'std_msgs/msg/Float32MultiArray' | 'sensor_msgs/msg/JointState',
  ): TopicMapping => ({
    cameras: [],
    proprio: [{ name: 'arm', topic, origin: 'p.yaml:3', type, joints: ['a'], field: 'position' }],
    instructionTopic: 'task',
  });

  it('are one whether written pkg/Name or pkg/msg/Name, and told apart on one name', async () => {
    const bag = await openBag(whole);
    const topics = [
      { name: '/x', type: 'std_msgs/msg/String', encoding: 'cdr' },
      { name: '/x', type: 'sensor_msgs/msg/JointState', encoding: 'cdr' },
      { name: '/ros1', type: 'sensor_msgs/msg/JointState', encoding: 'ros1' },
    ];
    const reader = Object.create(bag, { topics: { value: topics } }) as typeof bag;
    expect(resolveTopics(reader, mapping('/x', 'sensor_msgs/msg/JointState')).proprio[0]?.topic).toBe('/x');
    expect(() => resolveTopics(reader, mapping('/x', 'std_msgs/msg/Float32MultiArray'))).toThrow(
      /has the type std_msgs\/msg\/String, sensor_msgs\/msg\/JointState, .*; set proprio.arm.type to sensor_msgs\/msg\/JointState/,
    );
    // The encoding comes first: no type helps messages of ROS 1.
    expect(() => resolveTopics(reader, mapping('/ros1', 'std_msgs/msg/Float32MultiArray'))).toThrow(
      /encoded as ros1, only cdr/,
    );
    await bag.close();
  });
});

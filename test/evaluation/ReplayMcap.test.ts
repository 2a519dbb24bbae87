import { existsSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { McapIndexedReader } from '@mcap/core';
import { FileHandleReadable } from '@mcap/nodejs';
import { loadDecompressHandlers } from '@mcap/support';
import { afterAll, describe, expect, it } from 'vitest';
import { Interrupted, UsageError } from '../../src/errors';
import { replayRecording } from '../../src/evaluation/replayRecording';
import type { ReplayOutcome } from '../../src/evaluation/replayRecording';
import { removeFolders, temporaryFolder } from '../helpers';

interface Read {
  readonly topic: string;
  readonly type: string;
  readonly time: bigint;
  readonly message: Readonly<Record<string, unknown>>;
}

/** Every message, read by the libraries that viewers use, with the definitions in the file alone. */
async function readAll(file: string): Promise<Read[]> {
  const handle = await open(file, 'r');
  try {
    const reader = await McapIndexedReader.Initialize({
      readable: new FileHandleReadable(handle),
      decompressHandlers: await loadDecompressHandlers(),
    });
    expect(reader.header.profile).toBe('ros2');
    const found: Read[] = [];
    const readers = new Map<number, MessageReader>();
    for await (const { channelId, logTime, data } of reader.readMessages()) {
      const channel = reader.channelsById.get(channelId)!;
      const schema = reader.schemasById.get(channel.schemaId)!;
      expect([channel.messageEncoding, schema.encoding]).toEqual(['cdr', 'ros2msg']);
      const decoder =
        readers.get(channelId) ??
        new MessageReader(parse(new TextDecoder().decode(schema.data), { ros2: true }));
      readers.set(channelId, decoder);
      found.push({
        topic: channel.topic,
        type: schema.name,
        time: logTime,
        message: decoder.readMessage<Record<string, unknown>>(data),
      });
    }
    return found;
  } finally {
    await handle.close();
  }
}

const replayTo = (
  mcap: string,
  more: { chunks?: number; signal?: AbortSignal } = {},
): Promise<ReplayOutcome> =>
  replayRecording({
    bag: 'bags/tabletop_demo',
    bundle: 'bundles/tabletop',
    params: 'params/tabletop_demo.yaml',
    choices: { policies: ['c3ache'], texts: ['refresh_interval=4', 'range=0:6'], lists: false },
    execution: { threads: 1 },
    residuals: false,
    tolerance: { texts: [], measure: 'rmse' },
    command: ['fastwam', 'replay'],
    mcap,
    ...more,
  });

afterAll(removeFolders);

describe('a replay as a recording for viewers', () => {
  it('holds cameras, chunks, actions and cache reports, which the libraries of viewers read', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'replay.mcap');
    const { evaluation } = await replayTo(file, { chunks: 3 });
    expect(readdirSync(folder)).toEqual(['replay.mcap']);
    const all = await readAll(file);
    const topics = new Map(all.map(({ topic, type }) => [topic, type]));
    expect(Object.fromEntries(topics)).toEqual({
      '/cameras/front': 'sensor_msgs/msg/Image',
      '/cameras/wrist': 'sensor_msgs/msg/Image',
      '/none/action_chunk': 'fast_wam_msgs/msg/ActionChunk',
      '/none/cache_report': 'fast_wam_msgs/msg/CacheReport',
      '/none/actions': 'sensor_msgs/msg/JointState',
      '/c3ache_R4_0_6/action_chunk': 'fast_wam_msgs/msg/ActionChunk',
      '/c3ache_R4_0_6/cache_report': 'fast_wam_msgs/msg/CacheReport',
      '/c3ache_R4_0_6/actions': 'sensor_msgs/msg/JointState',
      '/recorded/actions': 'sensor_msgs/msg/JointState',
    });
    const of = (topic: string): Read[] => all.filter((one) => one.topic === topic);
    expect(of('/cameras/front')).toHaveLength(3);
    expect(of('/cameras/front')[0]!.message['data']).toHaveLength(3 * 64 * 64);

    evaluation.runs.forEach(({ chunks }, run) => {
      const name = ['none', 'c3ache_R4_0_6'][run]!;
      expect(of(`/${name}/action_chunk`).map(({ message }) => message['actions'])).toEqual(
        chunks.map(({ actions }) => actions),
      );
      expect(of(`/${name}/cache_report`).map(({ message }) => message['reused_steps'])).toEqual(
        chunks.map(({ report }) => report.reusedSteps),
      );
    });

    const { names, controlRate, replanSteps } = evaluation.layout;
    const lines = of('/c3ache_R4_0_6/actions');
    expect(lines).toHaveLength(3 * replanSteps);
    const [first] = of('/c3ache_R4_0_6/action_chunk');
    lines.slice(0, replanSteps).forEach(({ time, message }, k) => {
      // action k of a chunk holds from the stamp of its observation + (k+1)/rate on
      expect(time - first!.time).toBe(BigInt(Math.round(((k + 1) / controlRate) * 1e9)));
      expect(message['name']).toEqual(names);
      const actions = evaluation.runs[1]!.chunks[0]!.actions;
      expect([...(message['position'] as Float64Array)]).toEqual([
        ...actions.subarray(k * names.length, (k + 1) * names.length),
      ]);
    });
  });

  it('is not there, nor a part of it, when nothing was measured', async () => {
    const folder = temporaryFolder();
    await expect(replayTo(join(folder, 'replay.mcap'), { signal: AbortSignal.abort() })).rejects.toThrow(
      Interrupted,
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it('says where it cannot be written', async () => {
    const file = join(temporaryFolder(), 'nowhere', 'replay.mcap');
    await expect(replayTo(file, { chunks: 1 })).rejects.toThrow(UsageError);
    await expect(replayTo(file, { chunks: 1 })).rejects.toThrow(/--mcap .*cannot be written/);
    expect(existsSync(file)).toBe(false);
  });
});

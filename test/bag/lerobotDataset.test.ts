import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { LerobotDataset } from '../../src/bag/lerobot/LerobotDataset';
import { decodeFrames, sampleBag } from '../../src/bag/observations';
import type { BagSample } from '../../src/bag/types';
import { openBag } from '../../src/bag/openBag';
import type { TopicMapping } from '../../src/settings/mapping';
import { FIXTURES } from '../helpers';
import { temporaryFolder } from './temporary';

const folder = temporaryFolder();
const DATASETS = join(FIXTURES, 'lerobot_dataset');
const TASKS = [
  'pick up the red block and place it on the white plate',
  'put the red block on the grey plate',
];
const haveFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0;
if (!haveFfmpeg) console.warn('skipped: datasets with videos, because ffmpeg is not installed');

const camera = (name: string, transport: 'raw' | 'compressed') => ({
  name,
  topic: `/observation/images/${name}`,
  transport,
  origin: '',
});
const vector = (topic: string, joints: readonly string[]) => ({
  name: 'joints',
  topic,
  type: 'sensor_msgs/msg/JointState' as const,
  joints,
  field: 'position' as const,
  origin: '',
});

function mapping(transport: 'raw' | 'compressed'): TopicMapping {
  return {
    cameras: [camera('front', transport), camera('wrist', transport)],
    proprio: [vector('/observation/state', ['gripper_x', 'gripper_y', 'gripper_opening'])],
    commands: vector('/action', ['dx', 'dy', 'grip']),
    instructionTopic: '/task',
  };
}

async function observationsOf(path: string, transport: 'raw' | 'compressed') {
  const bag = await openBag(path);
  try {
    const sampler = sampleBag(bag, mapping(transport), {
      period: 0.1,
      replanSteps: 5,
      limits: { maxAge: 0.5, maxSkew: 0.1 },
    });
    const samples: BagSample[] = [];
    for await (const sample of sampler) samples.push(sample);
    return { observations: samples.filter((one) => one.kind === 'observation'), warnings: sampler.warnings };
  } finally {
    await bag.close();
  }
}

/** Mean of each channel, of the brighter fields of frame k of episode e: see the fixture's README. */
const bright = (e: number, k: number, wrist: boolean) => [40 + 20 * e, 16 * k, wrist ? 200 : 60];

async function expectRecorded(path: string, transport: 'raw' | 'compressed', tolerance: number) {
  const { observations, warnings } = await observationsOf(path, transport);
  expect(warnings).toEqual([]);
  // 12 frames: chunks at 0, 5, 10; 9 frames: at 0 and 5
  expect(observations.map(({ episode, chunk }) => [episode, chunk])).toEqual([
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 0],
    [1, 1],
  ]);
  for (const { episode: e, chunk, proprio, instruction, recordedAction, ...rest } of observations) {
    const k = 5 * chunk;
    expect(instruction).toBe(TASKS[e]);
    [0.1 * k + e, -0.05 * k, 0.5].forEach((value, i) => expect(proprio[i]).toBeCloseTo(value, 6));
    // action i of a chunk is that of row k + i, which holds until the next row
    expect(recordedAction?.[0]).toBeCloseTo(0.1, 6);
    expect(recordedAction?.[1]).toBeCloseTo(-0.05 + 0.01 * e, 6);
    for (let i = 0; i < 5 && k + i < (e === 0 ? 12 : 9); i++)
      expect(recordedAction?.[3 * i + 2]).toBeCloseTo((k + i) % 2, 6);
    const images = await decodeFrames({ episode: e, chunk, proprio, instruction, ...rest });
    for (const [name, { width, height, data }] of images) {
      expect([width, height]).toEqual([48, 32]);
      // the middle of the second field of the first row is a bright one
      const at = 3 * (4 * width + 18);
      bright(e, k, name === 'wrist').forEach((value, i) =>
        expect(Math.abs((data[at + i] ?? -1) - value)).toBeLessThanOrEqual(tolerance),
      );
    }
  }
}

describe('a LeRobot dataset as a recording', () => {
  it('gives the frames of pictures inside its table', () =>
    expectRecorded(join(DATASETS, 'v30_images'), 'compressed', 0));

  // H.264 at quarter colour resolution: a few levels beside an edge
  it.skipIf(!haveFfmpeg)('gives the frames of a video for each episode (2.1)', () =>
    expectRecorded(join(DATASETS, 'v21'), 'raw', 12),
  );

  it.skipIf(!haveFfmpeg)('gives the frames of episodes that share a video (3.0)', () =>
    expectRecorded(join(DATASETS, 'v30'), 'raw', 12),
  );

  it('names its features as topics', async () => {
    const dataset = await LerobotDataset.open(join(DATASETS, 'v21'));
    expect(dataset.topics.map(({ name, type, count }) => [name, type, count])).toEqual([
      ['/action', 'sensor_msgs/msg/JointState', 21],
      ['/observation/images/front', 'sensor_msgs/msg/Image', 21],
      ['/observation/images/wrist', 'sensor_msgs/msg/Image', 21],
      ['/observation/state', 'sensor_msgs/msg/JointState', 21],
      ['/task', 'std_msgs/msg/String', undefined],
    ]);
  });

  it('reads no table and no video of topics that nobody asks for', async () => {
    const copy = copied('v30');
    rmSync(join(copy, 'videos'), { recursive: true });
    const dataset = await LerobotDataset.open(copy);
    let count = 0;
    for await (const { topic } of dataset.messages({ topics: ['/observation/state'] })) {
      expect(topic).toBe('/observation/state');
      count++;
    }
    expect([count, dataset.warnings]).toEqual([21, []]);
  });

  it('without ffmpeg says in one sentence what to install', async () => {
    vi.stubEnv('PATH', folder);
    try {
      await expect(observationsOf(join(DATASETS, 'v21'), 'raw')).rejects.toThrow(
        /pictures of this dataset are videos, and ffmpeg is not installed; install it \(.*apt-get install ffmpeg\)/,
      );
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('passes over an episode whose table is damaged, and says so', async () => {
    const copy = copied('v21');
    truncateSync(join(copy, 'data', 'chunk-000', 'episode_000000.parquet'), 200);
    const dataset = await LerobotDataset.open(copy);
    let count = 0;
    for await (const { topic } of dataset.messages({ topics: ['/observation/state'] }))
      count += Number(topic === '/observation/state');
    expect(count).toBe(9);
    expect(dataset.warnings).toEqual([expect.stringMatching(/episode_000000\.parquet.*rest of episode 0/)]);
  });

  function copied(name: string): string {
    const copy = join(mkdtempSync(join(folder, 'copy-')), name);
    cpSync(join(DATASETS, name), copy, { recursive: true });
    return copy;
  }

  it.each<[string, (info: Record<string, unknown>) => void, RegExp]>([
    [
      'an older version',
      (info) => (info['codebase_version'] = 'v1.6'),
      /codebase_version is v1\.6; datasets of/,
    ],
    ['no rate', (info) => delete info['fps'], /info\.json: is not that of a LeRobot dataset: fps/],
    [
      'a path that leaves the folder',
      (info) => (info['data_path'] = '../../{episode_index}.parquet'),
      /the path \.\.\/\.\.\/0\.parquet leaves the dataset's folder/,
    ],
    [
      'an unknown placeholder',
      (info) => (info['data_path'] = 'data/{shard}.parquet'),
      /the placeholder \{shard\}; known are episode_index, episode_chunk/,
    ],
  ])('with %s is refused by what is wrong', async (_, spoil, expected) => {
    const copy = copied('v21');
    const file = join(copy, 'meta', 'info.json');
    const info = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    spoil(info);
    writeFileSync(file, JSON.stringify(info));
    await expect(openBag(copy)).rejects.toThrow(expected);
  });
});

import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openBag } from '../../src/bag/openBag';
import type { BagMessage, BagReader } from '../../src/bag/types';
import { haveRecordings, recording } from './recordings';
import { temporaryFolder } from './temporary';

const folder = temporaryFolder();

afterEach(() => vi.unstubAllEnvs());

async function withBag<T>(path: string, use: (bag: BagReader) => Promise<T>): Promise<T> {
  const bag = await openBag(path);
  try {
    return await use(bag);
  } finally {
    await bag.close();
  }
}

async function all(bag: BagReader, options?: Parameters<BagReader['messages']>[0]): Promise<BagMessage[]> {
  const messages: BagMessage[] = [];
  for await (const message of bag.messages(options)) messages.push(message);
  return messages;
}

/** Messages with a digest in place of their data, taken after all were read: it compares faster. */
async function digests(bag: BagReader): Promise<object[]> {
  return (await all(bag)).map((message) => ({
    ...message,
    data: createHash('sha1').update(message.data).digest('hex'),
  }));
}

function counts(bag: BagReader): Record<string, number | undefined> {
  return Object.fromEntries(bag.topics.map(({ name, count }) => [name, count]));
}

// Counts are those of each recording's metadata.yaml.
describe.skipIf(!haveRecordings)('real recordings', () => {
  it('of a robot give the same messages from MCAP and from SQLite3', async () => {
    const [mcap, db3] = await Promise.all(
      ['rosbag2_g1_000029', 'rosbag2_g1_000029_db3'].map((name) =>
        withBag(recording(name), async (bag) => {
          expect(bag.warnings).toEqual([]);
          const messages = await digests(bag);
          return { counts: counts(bag), start: bag.start, end: bag.end, messages, storage: bag.storage };
        }),
      ),
    );
    expect(mcap?.storage).toBe('mcap');
    expect(db3?.storage).toBe('sqlite3');
    expect(mcap?.counts).toEqual({
      '/cam_high/image_raw/compressed': 221,
      '/joint_commands': 221,
      '/joint_states': 221,
    });
    expect(mcap?.messages.length).toBe(663);
    expect({ ...db3, storage: 'mcap' }).toEqual(mcap);
  });

  it('compressed as a whole file are unfolded, and leave nothing behind', async () => {
    // other tests unfold recordings at the same time
    const own = join(folder, 'unfolded');
    mkdirSync(own);
    vi.stubEnv('TMPDIR', own);
    await withBag(recording('nav2'), async (bag) => {
      expect(readdirSync(own)).toHaveLength(1);
      expect(bag.warnings).toEqual([]);
      expect(counts(bag)).toEqual({ '/clock': 231, '/cmd_vel_smoothed': 231, '/local_costmap/costmap': 231 });
      const [clock] = await all(bag, { topics: ['/clock'] });
      expect(bag.decode(clock!)).toMatchObject({ clock: { sec: expect.any(Number) as number } });
    });
    expect(readdirSync(own)).toEqual([]);
  });

  it('of the oldest schema are decoded by the definitions of the distribution', async () => {
    await withBag(recording('plotjuggler'), async (bag) => {
      expect(bag.topics.every(({ definition }) => definition === undefined)).toBe(true);
      expect(counts(bag)).toMatchObject({ '/imu': 1565, '/battery': 1565, '/pose': 1565 });
      const messages = await all(bag, { topics: ['/pose', '/imu'] });
      expect(messages.length).toBe(3130);
      const pose = bag.decode(messages.find(({ topic }) => topic === '/pose')!) as {
        header: { frame_id: string };
      };
      expect(pose).toMatchObject({ pose: { orientation: { w: expect.any(Number) as number } } });
      for (const message of messages) bag.decode(message);
    });
  });

  it('of a database left in write-ahead mode are read in place, beside another reader', async () => {
    const path = recording('rosbag2_tests', 'talker.db3');
    const listed = readdirSync(recording('rosbag2_tests'));
    await withBag(path, (first) =>
      withBag(path, async (second) => {
        expect(await all(second)).toEqual(await all(first));
        const [message] = await all(second, { topics: ['/topic'] });
        expect(second.decode(message!)).toEqual({ data: 'Hello, world! 0' });
      }),
    );
    expect(readdirSync(recording('rosbag2_tests'))).toEqual(listed);
  });

  it('that are split are read as one, in the order of metadata.yaml or of their numbers', async () => {
    const split = join(folder, 'split');
    mkdirSync(split);
    for (const i of [0, 1, 2]) {
      copyFileSync(
        recording('rosbag2_tests', `multiple_files_${i}.mcap`),
        join(split, `multiple_files_${i}.mcap`),
      );
    }
    const byNumber = await withBag(split, async (bag) => {
      expect(counts(bag)).toEqual({ '/chatter': 1324 + 1324 + 529 });
      return all(bag);
    });
    expect(byNumber.length).toBe(3177);
    expect(byNumber.every(({ logTime }, i) => i === 0 || logTime >= byNumber[i - 1]!.logTime)).toBe(true);

    const files = [0, 1, 2].map((i) => `    - multiple_files_${i}.mcap`).join('\n');
    writeFileSync(
      join(split, 'metadata.yaml'),
      `rosbag2_bagfile_information:\n  version: 4\n  storage_identifier: mcap\n  message_count: 3177\n  relative_file_paths:\n${files}\n`,
    );
    await withBag(split, async (bag) => {
      expect(bag.warnings).toEqual([]);
      expect(await all(bag)).toEqual(byNumber);
      // Only the second file reaches into this stretch.
      const start = byNumber[1500]!.logTime;
      const end = byNumber[1509]!.logTime;
      expect(await all(bag, { start, end })).toEqual(byNumber.slice(1500, 1510));
    });
  });

  it('in one folder without metadata are not mixed up', async () => {
    await expect(openBag(recording('rosbag2_tests'))).rejects.toThrow(
      /holds several recordings; name one of .*talker\.db3/,
    );
  });

  it('are read up to the cut where the file was cut, and say so', async () => {
    const whole = readFileSync(recording('rosbag2_g1_000029', 'rosbag2_g1_000029_0.mcap'));
    const complete = await withBag(recording('rosbag2_g1_000029'), digests);
    const path = join(folder, 'cut.mcap');
    for (const share of [0.3, 0.7, 0.99]) {
      const size = Math.floor(whole.length * share);
      writeFileSync(path, whole.subarray(0, size));
      await withBag(path, async (bag) => {
        expect(bag.warnings.join()).toMatch(
          new RegExp(`cut\\.mcap: is truncated or damaged: .* of ${size}; read up to there`),
        );
        const messages = await digests(bag);
        expect(messages.length).toBeGreaterThan(complete.length * (share - 0.2));
        expect(messages).toEqual(complete.slice(0, messages.length));
      });
    }
  });

  it('compressed and cut are read up to the cut', async () => {
    const name = '_tmp_cm_bag_0.mcap.zstd';
    const whole = readFileSync(recording('nav2', name));
    const path = join(folder, name);
    writeFileSync(path, whole.subarray(0, Math.floor(whole.length * 0.8)));
    await withBag(path, async (bag) => {
      const messages = await all(bag);
      expect(messages.length).toBeGreaterThan(100);
      expect(messages.length).toBeLessThan(693);
      expect(
        bag.warnings.some((warning) => warning.includes('is truncated or damaged: it ends within a block')),
      ).toBe(true);
    });
  });
});

describe('opening a recording', () => {
  it('says what is wrong with a path that is none', async () => {
    await expect(openBag(join(folder, 'absent'))).rejects.toThrow('absent: does not exist');
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    await expect(openBag(empty)).rejects.toThrow('holds no recording: there is no metadata.yaml');
    const text = join(folder, 'notes.txt');
    writeFileSync(text, 'hello');
    await expect(openBag(text)).rejects.toThrow(
      'is not a recording: expected MCAP or a rosbag2 SQLite database',
    );
    writeFileSync(text, '');
    await expect(openBag(text)).rejects.toThrow('is empty');
  });

  it('does not leave the recording’s folder for a file that metadata.yaml lists', async () => {
    const evil = join(folder, 'evil');
    mkdirSync(evil);
    const lines = (file: string): string =>
      `rosbag2_bagfile_information:\n  version: 9\n  storage_identifier: mcap\n  relative_file_paths: [${file}]\n`;
    for (const file of ['../other.mcap', '/etc/passwd', 'a/../../b.mcap']) {
      writeFileSync(join(evil, 'metadata.yaml'), lines(file));
      await expect(openBag(evil)).rejects.toThrow('is not in');
    }
    writeFileSync(join(evil, 'metadata.yaml'), lines('gone.mcap'));
    await expect(openBag(evil)).rejects.toThrow('lists the file "gone.mcap", which is not in');
    writeFileSync(join(evil, 'metadata.yaml'), 'a: &x [1]\nb: *x');
    await expect(openBag(evil)).rejects.toThrow('metadata.yaml: is not a rosbag2 metadata file');
    writeFileSync(join(evil, 'metadata.yaml'), 'rosbag2_bagfile_information: {version: 9}');
    await expect(openBag(evil)).rejects.toThrow(
      'is not a rosbag2 metadata file: rosbag2_bagfile_information.storage_identifier',
    );
  });
});

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decodeFrames, sampleBag } from '../../src/bag/observations';
import type { SampleOptions } from '../../src/bag/observations';
import type { BagObservation, BagSample } from '../../src/bag/types';
import { openBag } from '../../src/bag/openBag';
import type { BagMessage, BagReader } from '../../src/bag/types';
import { readBytes, readFloat32 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import type { StoredTensor } from '../../src/formats/StoredTensor';
import { composeImage } from '../../src/observation/compose';
import type { CameraPlacement } from '../../src/observation/types';
import { readMapping } from '../../src/settings/mapping';
import type { FileMapping } from '../../src/settings/mapping';
import { haveRecordings, recording } from './recordings';

const ROOT = join(__dirname, '..', '..');
const UNLIMITED = { maxAge: Number.POSITIVE_INFINITY, maxSkew: Number.POSITIVE_INFINITY };

async function collect(samples: AsyncIterable<BagSample>): Promise<BagSample[]> {
  const list: BagSample[] = [];
  for await (const sample of samples) list.push(sample);
  return list;
}

function observations(samples: readonly BagSample[]): BagObservation[] {
  return samples.filter((sample) => sample.kind === 'observation');
}

describe('the bundled recording', () => {
  it('gives back the observations and executed actions it was made from, exactly', async () => {
    const source = openSafetensors(join(ROOT, 'test', 'fixtures', 'toy', 'bundled_closed_loop.safetensors'));
    const tensor = (name: string): StoredTensor => source.tensors.get(name)!;
    const [images, proprio, action] = [
      readBytes(tensor('images')),
      readFloat32(tensor('proprio')),
      readFloat32(tensor('action')),
    ];
    const side = { y: 0, width: 64, height: 64, rotate180: false, fit: 'cover' } as const;
    const placements: CameraPlacement[] = [
      { name: 'front', x: 0, ...side },
      { name: 'wrist', x: 64, ...side },
    ];

    const bag = await openBag(join(ROOT, 'bags', 'tabletop_demo'));
    const mapping = readMapping(join(ROOT, 'params', 'tabletop_demo.yaml'));
    const { rate, replanSteps } = mapping.control;
    const sampler = sampleBag(bag, mapping, {
      period: 1 / rate!,
      replanSteps: replanSteps!,
      horizon: 32,
      limits: { maxAge: 0.1, maxSkew: 0.01 },
    });
    const found = await collect(sampler);
    expect(sampler.warnings).toEqual([]);
    expect(found.map((o) => (o.kind === 'observation' ? [o.episode, o.chunk] : o))).toEqual(
      Array.from({ length: 80 }, (_, i) => [Math.floor(i / 20), i % 20]),
    );
    const bytes = 64 * 128 * 3;
    for (const [i, observation] of observations(found).entries()) {
      const composed = composeImage(placements, { width: 128, height: 64 }, await decodeFrames(observation));
      expect(Buffer.compare(composed, images.subarray(i * bytes, (i + 1) * bytes))).toBe(0);
      expect([...observation.proprio]).toEqual([...proprio.subarray(i * 3, i * 3 + 3)]);
      // Ten steps were executed of each chunk; the recording goes on with those of the chunks after it.
      const recorded = observation.recordedAction!;
      expect([...recorded.subarray(0, 30)]).toEqual([...action.subarray(i * 96, i * 96 + 30)]);
      if (observation.chunk < 19) {
        expect([...recorded.subarray(30, 60)]).toEqual([...action.subarray((i + 1) * 96, (i + 1) * 96 + 30)]);
      } else {
        // The last command holds for half a second, and then the recording has nothing to say.
        expect(recorded.subarray(45).every(Number.isNaN)).toBe(true);
      }
      expect([observation.skew, ...observation.ages.map(({ age }) => age)]).toEqual([0, 0, 0, 0]);
    }
    expect(new Set(observations(found).map(({ instruction }) => instruction)).size).toBe(4);
    await bag.close();
  });
});

describe.skipIf(!haveRecordings)('the recording of a real robot', () => {
  it('gives the same observations from MCAP and from SQLite3', async () => {
    const mapping = readMapping(join(ROOT, 'params', 'g1_replay.yaml'));
    const read = async (name: string): Promise<BagObservation[]> => {
      const bag = await openBag(recording(name));
      const sampler = sampleBag(bag, mapping, {
        period: 1 / mapping.control.rate!,
        replanSteps: mapping.control.replanSteps!,
        limits: { maxAge: 0.1, maxSkew: 0.1 },
      });
      const found = await collect(sampler);
      expect(sampler.warnings).toEqual([]);
      await bag.close();
      return observations(found);
    };
    const mcap = await read('rosbag2_g1_000029');
    // 7.333 s at one chunk every 10/30 s: at 0, 1/3 ... 22/3.
    expect(mcap.length).toBe(23);
    expect(mcap[0]).toMatchObject({
      episode: 0,
      chunk: 0,
      time: 0,
      instruction: 'Pick up the yellow bottle on the table.',
    });
    expect(mcap[0]!.proprio.length).toBe(26);
    expect(mcap[0]!.recordedAction!.length).toBe(10 * 26);
    expect(mcap.every(({ ages }) => ages.every(({ age }) => age >= 0 && age < 1 / 30 + 1e-3))).toBe(true);
    const digest = async (list: BagObservation[]): Promise<unknown[]> =>
      Promise.all(
        list.map(async ({ frames, proprio, recordedAction, ...rest }) => ({
          ...rest,
          frames: [...frames].map(([name, { stamp, value }]) => [
            name,
            stamp,
            Buffer.from(value.data).toString('base64'),
          ]),
          picture: Buffer.from(
            (await decodeFrames({ frames } as BagObservation)).get('cam_high')!.data.subarray(0, 3000),
          ).toString('hex'),
          proprio: [...proprio],
          recorded: [...recordedAction!],
        })),
      );
    expect(await digest(await read('rosbag2_g1_000029_db3'))).toEqual(await digest(mcap));
  });
});

/** Seconds as nanoseconds after an arbitrary start of the clock. */
const at = (seconds: number): bigint => 1_700_000_000_000_000_000n + BigInt(Math.round(seconds * 1e9));

const TYPES: Record<string, string> = {
  '/image': 'sensor_msgs/msg/CompressedImage',
  '/joints': 'sensor_msgs/msg/JointState',
  '/instruction': 'std_msgs/msg/String',
  '/commands': 'std_msgs/msg/Float64MultiArray',
};

interface Fake {
  readonly topic: string;
  readonly time: number;
  readonly message: object;
}

function header(seconds: number): object {
  const time = at(seconds);
  return { stamp: { sec: Number(time / 1_000_000_000n), nanosec: Number(time % 1_000_000_000n) } };
}

const image = (time: number, stamp = time): Fake => ({
  topic: '/image',
  time,
  message: { header: header(stamp), format: 'jpeg', data: Uint8Array.of(Math.round(stamp * 10)) },
});
const joints = (time: number, stamp = time): Fake => ({
  topic: '/joints',
  time,
  message: { header: header(stamp), name: ['j'], position: [stamp] },
});
const task = (time: number, data: string): Fake => ({ topic: '/instruction', time, message: { data } });
const command = (time: number, value: number): Fake => ({
  topic: '/commands',
  time,
  message: { data: [value] },
});

/** A recording in memory, in the given order. */
function fakeBag(messages: readonly Fake[]): BagReader {
  const decoded = new Map<BagMessage, object>();
  const list = messages.map(({ topic, time, message }): BagMessage => {
    const entry = {
      topic,
      type: TYPES[topic]!,
      encoding: 'cdr',
      logTime: at(time),
      publishTime: at(time),
      data: new Uint8Array(),
    };
    decoded.set(entry, message);
    return entry;
  });
  return {
    path: 'fake',
    storage: 'mcap',
    topics: Object.entries(TYPES).map(([name, type]) => ({ name, type, encoding: 'cdr' })),
    start: at(0),
    end: undefined,
    warnings: [],
    metadata: undefined,
    async *messages() {
      yield* await Promise.resolve(list);
    },
    decode: (message) => decoded.get(message),
    close: () => Promise.resolve(),
  };
}

const joint = {
  topic: '/joints',
  origin: 'p.yaml:1',
  type: 'sensor_msgs/msg/JointState',
  joints: ['j'],
  field: 'position',
} as const;
const MAPPING: FileMapping = {
  file: 'p.yaml',
  cameras: [{ name: 'cam', topic: '/image', transport: 'compressed', origin: 'p.yaml:2' }],
  proprio: [{ name: 'arm', ...joint }],
  commands: {
    ...joint,
    name: 'commands',
    topic: '/commands',
    type: 'std_msgs/msg/Float64MultiArray',
    joints: [],
  },
  instructionTopic: 'instruction',
  control: {},
  parameters: new Map(),
};
/** A chunk every second. */
const OPTIONS: SampleOptions = { period: 0.1, replanSteps: 10, limits: UNLIMITED };

async function sample(
  messages: readonly Fake[],
  options: Partial<SampleOptions> = {},
  mapping = MAPPING,
): Promise<BagSample[]> {
  return collect(sampleBag(fakeBag(messages), mapping, { ...OPTIONS, ...options }));
}

/** Image and joints every `step` seconds from `from` up to and including `to`. */
function stream(from: number, to: number, step = 0.1): Fake[] {
  const count = Math.round((to - from) / step) + 1;
  return Array.from({ length: count }, (_, i) => from + i * step).flatMap((t) => [image(t), joints(t)]);
}

function places(samples: readonly BagSample[]): unknown[] {
  return samples.map((s) =>
    s.kind === 'observation' ? [s.episode, s.chunk, Number(s.time.toFixed(6)), s.instruction] : s,
  );
}

describe('sampling a recording', () => {
  it('begins when every source has sent something, and goes on at the period of chunks', async () => {
    const messages = [joints(0), joints(0.3), ...stream(0.5, 2.7)];
    expect(places(await sample(messages))).toEqual([
      [0, 0, 0.5, undefined],
      [0, 1, 1.5, undefined],
      [0, 2, 2.5, undefined],
    ]);
  });

  it('uses only what was received by the sample time, however it is stamped', async () => {
    // The frame of 0.95 is received at 1.05, after the sample at 1.0.
    const messages = [image(0), joints(0), image(0.9, 0.9), joints(0.98), image(1.05, 0.95), joints(1.1)];
    const [, second] = observations(await sample(messages));
    expect([...second!.frames.values()].map(({ value }) => value.data[0])).toEqual([9]);
    expect(second!.ages.map(({ name, age }) => [name, Number(age.toFixed(6))])).toEqual([
      ['cam', 0.1],
      ['arm', 0.02],
    ]);
    expect([...second!.proprio]).toEqual([0.98]);
  });

  it('starts a new episode with another instruction, at once and with the frames at hand', async () => {
    const messages = [task(0, 'a'), ...stream(0, 1.4), task(1.4, 'a'), task(1.45, 'b'), ...stream(1.5, 2.6)];
    expect(places(await sample(messages))).toEqual([
      [0, 0, 0, 'a'],
      [0, 1, 1, 'a'],
      [1, 0, 1.45, 'b'],
      [1, 1, 2.45, 'b'],
    ]);
  });

  it('counts a frame that comes together with an instruction to the new episode, in either order', async () => {
    for (const together of [
      [task(1, 'b'), ...stream(1, 1)],
      [...stream(1, 1), task(1, 'b')],
    ]) {
      const samples = await sample([task(0, 'a'), ...stream(0, 0.9), ...together, ...stream(1.1, 1.2)]);
      expect(places(samples)).toEqual([
        [0, 0, 0, 'a'],
        [1, 0, 1, 'b'],
      ]);
    }
  });

  it('starts a new episode after a silence of all sources', async () => {
    const messages = [...stream(0, 1.2), ...stream(9, 9.5)];
    expect(places(await sample(messages))).toEqual([
      [0, 0, 0, undefined],
      [0, 1, 1, undefined],
      [1, 0, 9, undefined],
    ]);
  });

  it('starts a new episode when time jumps back, but not when messages are a little out of order', async () => {
    const messages = [...stream(5, 6.1), image(6.05), ...stream(2, 2.3)];
    expect(places(await sample(messages))).toEqual([
      [0, 0, 5, undefined],
      [0, 1, 6, undefined],
      [1, 0, 2, undefined],
    ]);
  });

  it('skips, with the reason, what a robot must not act on, and gives its number to the next one', async () => {
    const limits = { maxAge: 0.3, maxSkew: 1 };
    const messages = [...stream(0, 0.5), ...[0.6, 0.8, 1, 1.2].map((t) => joints(t)), ...stream(1.3, 2.1)];
    const samples = await sample(messages, { limits });
    expect(
      samples.map((s) => (s.kind === 'observation' ? s.chunk : s.refusals.map(({ message }) => message))),
    ).toEqual([0, ['cam is 0.500 s old, at most 0.3 s are allowed (observation.max_age)'], 1]);
  });

  it('looks up what was executed after each observation, within its episode', async () => {
    // Commands every 0.1 s whose value is their time in tenths; an observation every 0.3 s.
    const commands = Array.from({ length: 9 }, (_, i) => command((i + 1) / 10, i + 1));
    const messages = [...stream(0, 0.8, 0.1), ...commands].sort((a, b) => a.time - b.time);
    const samples = await sample([...messages, task(0.85, 'next')], { replanSteps: 3, horizon: 4 });
    const recorded = observations(samples).map(({ recordedAction }) => recordedAction && [...recordedAction]);
    expect(recorded.slice(0, 3)).toEqual([
      [1, 2, 3, 4],
      [4, 5, 6, 7],
      // 0.9 and 1.0 belong to the next episode.
      [7, 8, Number.NaN, Number.NaN],
    ]);
  });

  it('uses the time of receipt where the stamps are of another clock, and says so', async () => {
    const simulated = stream(0, 1.1).map((m) => ({
      ...m,
      message: { ...m.message, header: { stamp: { sec: 12, nanosec: 5 } } },
    }));
    const sampler = sampleBag(fakeBag(simulated), MAPPING, OPTIONS);
    const samples = await collect(sampler);
    expect(places(samples)).toHaveLength(2);
    expect(sampler.warnings).toEqual([
      "/image: is stamped by another clock than the recorder's; the time of receipt is used",
      "/joints: is stamped by another clock than the recorder's; the time of receipt is used",
    ]);
  });

  it('passes over messages that are not what they should be, and counts them', async () => {
    const broken: Fake = { topic: '/image', time: 0.05, message: { format: 7 } };
    const sampler = sampleBag(
      fakeBag([...stream(0, 0), broken, broken, ...stream(0.5, 1.1)]),
      MAPPING,
      OPTIONS,
    );
    expect(await collect(sampler)).toHaveLength(2);
    expect(sampler.warnings.join()).toMatch(
      /\/image: 2 unreadable messages, first: .*not a sensor_msgs\/msg\/CompressedImage/,
    );
  });

  it('names the topic that the recording lacks, or has as another type, with the line of the params file', () => {
    const camera = MAPPING.cameras[0]!;
    const open = (changed: object) => () => sampleBag(fakeBag([]), { ...MAPPING, ...changed }, OPTIONS);
    expect(open({ cameras: [{ ...camera, topic: '/imag' }] })).toThrow(
      'p.yaml:2: cameras.cam.topic: the recording has no topic "/imag" (did you mean /image?); it has /image, /joints',
    );
    expect(open({ cameras: [{ ...camera, transport: 'raw' }] })).toThrow(
      /"\/image" has the type sensor_msgs\/msg\/CompressedImage, expected sensor_msgs\/msg\/Image; set cameras\.cam\.transport to compressed/,
    );
    expect(open({ cameras: [{ ...camera, topic: 'image' }] })).not.toThrow();
  });

  it('keeps no more than the observations that wait for their commands', async () => {
    // Ten minutes of images of 100 kB each would be 600 MB.
    const big = (time: number): Fake => ({
      topic: '/image',
      time,
      message: { header: header(time), format: 'jpeg', data: new Uint8Array(1e5) },
    });
    const reader = fakeBag([]);
    const messages = function* (): Generator<Fake> {
      for (let i = 0; i < 6000; i++) yield* [big(i / 10), joints(i / 10), command(i / 10, i)];
    };
    let current: Fake | undefined;
    const streaming: BagReader = {
      ...reader,
      async *messages() {
        for (const fake of messages()) {
          current = fake;
          const time = at(fake.time);
          yield await Promise.resolve({
            topic: fake.topic,
            type: TYPES[fake.topic]!,
            encoding: 'cdr',
            logTime: time,
            publishTime: time,
            data: new Uint8Array(),
          });
        }
      },
      decode: () => current!.message,
    };
    let count = 0;
    let most = 0;
    for await (const one of sampleBag(streaming, MAPPING, { ...OPTIONS, horizon: 32 })) {
      if (one.kind === 'observation') count++;
      most = Math.max(most, process.memoryUsage().arrayBuffers);
    }
    expect(count).toBe(600);
    expect(most).toBeLessThan(300e6);
  });
});

import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compress, isLoaded } from '@foxglove/wasm-zstd';
import sharp from 'sharp';
import { ParquetFile } from '../../src/bag/lerobot/parquet';
import { MessageDecoder } from '../../src/bag/MessageDecoder';
import { openBag } from '../../src/bag/openBag';
import { Bundle, MANIFEST_FILE, readManifest } from '../../src/bundle/Bundle';
import { bacCalibration } from '../../src/cache/bac';
import { InputError } from '../../src/errors';
import { readModelConfig } from '../../src/export/modelConfig';
import { readRobot } from '../../src/export/robot';
import { openDatasetStats } from '../../src/formats/datasetStats';
import { readFloat64 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { openTextContext } from '../../src/formats/textContext';
import { openTensors } from '../../src/formats/torchFile';
import { PickleGlobal, unpickle } from '../../src/formats/unpickle';
import { decodeCompressedImage } from '../../src/observation/decodeCompressedImage';
import { CalibrationFile } from '../../src/policy/CalibrationFile';
import { RecordedInputs } from '../../src/policy/recordedEpisode';
import { decodeMessage } from '../../src/ros/client/decodeMessage';
import { readMapping } from '../../src/settings/mapping';
import { readInitialStates } from '../../src/sim/initialStates';
import { writeDatabase, writeSmallBag } from '../bag/sampleBagFiles';
import type { Encoded } from '../bag/sampleBagFiles';
import { FIXTURES, goldenCase } from '../helpers';
import { pickle, png, text } from './build';
import type { Random } from './Random';

/** A reader of files that others made, with inputs to damage and inputs made up from nothing. */
export interface FuzzedReader {
  readonly name: string;
  /** whole files */
  readonly seeds: readonly Uint8Array[];
  /** an input of the right shape and the wrong content */
  readonly build?: (random: Random) => Uint8Array;
  /** Reads an input as a command would; `path` holds it too. Ends, or throws a named error. */
  readonly read: (path: string, bytes: Uint8Array) => unknown;
}

const TABLETOP = join(FIXTURES, '..', '..', 'bundles', 'tabletop');
const encode = (source: string): Uint8Array => new TextEncoder().encode(source);
const fromText = (make: (random: Random) => string) => (random: Random) => encode(make(random));

/** The decoders of messages without numbers to pick. */
const DECODERS = [
  (bytes: Uint8Array) => decodeMessage.image(bytes),
  (bytes: Uint8Array) => decodeMessage.compressedImage(bytes),
  (bytes: Uint8Array) => decodeMessage.string(bytes),
];

async function readBag(path: string): Promise<void> {
  const bag = await openBag(path);
  try {
    for await (const message of bag.messages()) {
      try {
        bag.decode(message);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
      }
    }
  } finally {
    await bag.close();
  }
}

function readAll(path: string): void {
  for (const tensor of openSafetensors(path).tensors.values()) readFloat64(tensor);
}

/** All readers. `folder` is a place for what they need. */
export async function fuzzedReaders(folder: string): Promise<readonly FuzzedReader[]> {
  await isLoaded;
  const file = (path: string): Uint8Array => new Uint8Array(readFileSync(path));
  const mcap = file(await writeSmallBag(join(folder, 'zstd'), 'zstd'));
  const plain = file(await writeSmallBag(join(folder, 'plain'), 'none'));
  const messages: Encoded[] = [];
  const bag = await openBag(join(folder, 'plain'));
  for await (const { topic, logTime, data } of bag.messages()) messages.push({ topic, logTime, data });
  await bag.close();
  writeDatabase(join(folder, 'a.db3'), messages, { definitions: true });
  const sqlite = file(join(folder, 'a.db3'));
  const metadata = file(join(folder, 'plain', 'metadata.yaml'));

  const micro = goldenCase('libero_micro');
  const bundle = Bundle.describe(micro.folder);
  const contexts = join(FIXTURES, 'libero_micro', 'text_embeds');
  const [context = ''] = readdirSync(contexts);
  const picture = sharp({ create: { width: 24, height: 16, channels: 3, background: '#48c' } });
  const pictures = [
    await picture.clone().png().toBuffer(),
    await picture.clone().jpeg().toBuffer(),
    await picture.clone().jpeg({ progressive: true }).toBuffer(),
  ];

  const params = file(join(TABLETOP, '..', '..', 'params', 'tabletop_demo.yaml'));
  const robot = file(join(TABLETOP, 'robot.yaml'));
  const config = file(join(TABLETOP, 'checkpoint', 'config.json'));
  const globals = new Map(
    ['collections.OrderedDict', 'torch.Size', 'torch._utils._rebuild_tensor_v2'].map((name) => [
      name,
      new PickleGlobal<object>(name, (args) => [...args]),
    ]),
  );

  return [
    { name: 'mcap', seeds: [mcap, plain], read: readBag },
    { name: 'sqlite', seeds: [sqlite], read: readBag },
    { name: 'zstd recording', seeds: [new Uint8Array(compress(plain, 3))], read: readBag },
    {
      name: 'metadata.yaml',
      seeds: [metadata],
      build: fromText((random) => text.yaml(random)),
      read: async (path, bytes) => {
        const made = `${path}.folder`;
        mkdirSync(made, { recursive: true });
        try {
          writeFileSync(join(made, 'metadata.yaml'), bytes);
          writeFileSync(join(made, 'plain_0.mcap'), plain);
          await readBag(made);
        } finally {
          rmSync(made, { recursive: true });
        }
      },
    },
    {
      name: 'params file',
      seeds: [params],
      build: fromText((random) => text.yaml(random)),
      read: (path) => readMapping(path),
    },
    { name: 'robot', seeds: [robot], build: fromText((random) => text.yaml(random)), read: readRobot },
    {
      name: 'model config',
      seeds: [config],
      build: fromText((random) => text.yaml(random)),
      read: readModelConfig,
    },
    {
      name: 'bundle.json',
      seeds: [file(join(micro.folder, MANIFEST_FILE))],
      build: fromText(text.json),
      read: readManifest,
    },
    {
      name: 'statistics',
      seeds: [file(join(TABLETOP, 'checkpoint', 'dataset_stats.json'))],
      build: fromText(text.json),
      read: openDatasetStats,
    },
    { name: 'safetensors', seeds: [file(join(FIXTURES, 'compose.safetensors'))], read: readAll },
    {
      name: 'initial states',
      seeds: [file(join(FIXTURES, 'toy', 'outcomes.safetensors'))],
      read: readInitialStates,
    },
    {
      name: 'inputs of infer',
      seeds: [file(micro.inputs)],
      read: (path) => {
        const inputs = new RecordedInputs(path, bundle);
        inputs.observation(0, micro.task);
        inputs.noise(0);
      },
    },
    { name: 'text context', seeds: [file(join(contexts, context))], read: openTextContext },
    {
      name: 'Parquet',
      seeds: ['v21/data/chunk-000/episode_000000.parquet', 'v30/meta/tasks.parquet'].map((name) =>
        file(join(FIXTURES, 'lerobot_dataset', name)),
      ),
      read: async (path) => {
        const table = await ParquetFile.open(path);
        try {
          await table.read(table.columns, 0, 100);
        } finally {
          table.close();
        }
      },
    },
    {
      name: 'calibration',
      seeds: [encode(JSON.stringify({ weights: bundle.manifest.weights.policy.fingerprint, schedules: [] }))],
      build: fromText(text.json),
      read: (path, bytes) => {
        const made = `${path}.folder`;
        mkdirSync(made, { recursive: true });
        try {
          writeFileSync(join(made, bacCalibration.file), bytes);
          new CalibrationFile({ folder: made, manifest: bundle.manifest }, bacCalibration).read();
        } finally {
          rmSync(made, { recursive: true });
        }
      },
    },
    { name: 'torch file', seeds: [file(join(contexts, context))], read: (path) => openTensors(path) },
    {
      name: 'pickle',
      seeds: [
        Buffer.from('\x80\x02}q\x00(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00b]q\x01(K\x02K\x03eu.', 'latin1'),
      ],
      build: pickle,
      read: (path, bytes) =>
        unpickle<object>(Buffer.from(bytes), { path, globals, persistentLoad: () => null }),
    },
    {
      name: 'picture',
      seeds: pictures.map((one) => new Uint8Array(one)),
      build: png,
      read: (_path, data) => decodeCompressedImage({ format: 'png', data }),
    },
    {
      name: 'CDR message',
      seeds: messages.slice(0, 2).map(({ data }) => data),
      build: (random) => Buffer.concat([Buffer.from([0, 1, 0, 0]), random.bytes(random.below(80))]),
      read: (_path, bytes) => {
        for (const decode of DECODERS) {
          try {
            decode(bytes);
          } catch (error) {
            if (!(error instanceof InputError)) throw error;
          }
        }
        decodeMessage.vector('sensor_msgs/msg/JointState', bytes);
      },
    },
    {
      name: 'message definition',
      seeds: [encode('string data')],
      build: fromText((random) => text.definition(random)),
      read: (_path, bytes) => {
        const topic = { name: '/x', type: 'x/msg/X', encoding: 'cdr' };
        const definition = { encoding: 'ros2msg', text: new TextDecoder().decode(bytes) };
        const data = Uint8Array.from({ length: 256 }, (_, i) => (i < 4 ? [0, 1, 0, 0][i]! : 255));
        const times = { logTime: 0n, publishTime: 0n };
        new MessageDecoder([{ ...topic, definition }]).decode({
          topic: '/x',
          type: topic.type,
          encoding: 'cdr',
          data,
          ...times,
        });
      },
    },
  ];
}

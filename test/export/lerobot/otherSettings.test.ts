import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { BagWriter } from '../../../src/bag/BagWriter';
import { parseCommandLine } from '../../../src/cli/program';
import { readBytes, readFloat32 } from '../../../src/formats/readTensor';
import { openSafetensors, writeSafetensors } from '../../../src/formats/safetensors';
import { randn } from '../../../src/sampler/noise';
import { relativeError, removeFolders, temporaryFolder } from '../../helpers';
import { MICRO, PolicyFolder, VAE } from './policyFolder';

afterAll(removeFolders);

/*
 * A policy that shares no setting with the golden one: chunk, steps, seed, shift, normalisation, names of cameras, type and
 * files. Nothing of LeRobot's was run with it, so what it must give is computed here from LeRobot's formulas.
 */
const STEPS = 6;
const HORIZON = 16;
const SHIFT = 3;
const SEED = 7;
const CHUNKS = 4;
const TASK = 'open the drawer';
const ENCODER = 'test/fixtures/umt5_micro';
const MODES = { VISUAL: 'IDENTITY', STATE: 'MIN_MAX', ACTION: 'QUANTILES' };

let folder: PolicyFolder;
let work: string;
let bundle: string;

async function said(...command: string[]): Promise<string> {
  let text = '';
  const hear = (chunk: string | Uint8Array): boolean => {
    text += String(chunk);
    return true;
  };
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation(hear),
  );
  try {
    await parseCommandLine(command);
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return text;
}

beforeAll(async () => {
  folder = new PolicyFolder()
    .config({
      action_horizon: HORIZON,
      num_video_frames: HORIZON + 1,
      n_action_steps: 5,
      num_inference_steps: STEPS,
      inference_seed: SEED,
      sigma_shift: SHIFT,
      torch_dtype: 'float32',
      normalization_mapping: MODES,
    })
    .step('pre', 'rename_observations_processor', {
      rename_map: { 'observation.images.cam_high': 'observation.images.front' },
    })
    .step('pre', 'normalizer_processor', { norm_map: MODES })
    .step('post', 'unnormalizer_processor', { norm_map: MODES })
    .shard(3);
  writeFileSync(join(folder.path, 'instructions.txt'), `${TASK}\n`);
  work = temporaryFolder();
  bundle = join(work, 'bundle');
  const text = await said(
    ...['export', '--lerobot', folder.path, '--vae', VAE, '--text-encoder', ENCODER, '--out', bundle],
  );
  expect(text).toMatch(
    /6 steps, shift 3 \(.*sigma_shift.*\), images rounded to float32, timesteps to float32/,
  );
  expect(text).toContain('cam_high');
});

describe('a policy of other settings', () => {
  it('is what its files say, in info, and whole, by info --verify', async () => {
    const text = await said('info', bundle, '--verify');
    expect(text).toMatch(/chunk +16 actions at \d+ Hz, 5 executed before the next/);
    expect(text).toMatch(/sampler +6 Euler steps, shift 3/);
    expect(text).toMatch(/image +64 x 128 \(height x width\), from front, wrist/);
    expect(text).toContain(`- ${TASK}`);
    // Three shards, the VAE and four graphs.
    expect(text.match(/: as recorded/g)).toHaveLength(8);
  });

  it('is audited as a folder and as a bundle', async () => {
    const policy = await said('audit', folder.path);
    expect(policy).toMatch(/cam_high to observation.images.front {2}\[renamed-cameras\]/);
    expect(policy).toContain('stored-type');
    expect(policy).toContain(': 0 refused');
    const made = await said('audit', bundle);
    expect(made).toContain('no-limits');
    expect(made).toContain(': 0 refused');
    expect(made).not.toContain('no-hashes');
  });

  it('gives actions by its own steps, shift, seed and statistics', async () => {
    const file = openSafetensors(join(MICRO, 'episode.safetensors'));
    const inputs = join(work, 'inputs.safetensors');
    writeSafetensors(
      inputs,
      ['front', 'wrist', 'proprio'].map((name) => {
        const tensor = file.tensors.get(name === 'proprio' ? 'state' : `images.${name}`)!;
        return { name, dtype: tensor.dtype, shape: tensor.shape, data: readBytes(tensor) };
      }),
    );
    const out = join(work, 'chunks.safetensors');
    await said('infer', '--bundle', bundle, '--inputs', inputs, '--instruction', TASK, '--out', out);
    const tensors = openSafetensors(out).tensors;
    const action = tensors.get('action')!;
    const velocity = readFloat32(tensors.get('velocity')!);
    expect(action.shape).toEqual([CHUNKS, HORIZON, 7]);
    const sigma = (k: number): number => {
      const u = 1 - k / STEPS;
      return (SHIFT * u) / (1 + (SHIFT - 1) * u);
    };
    const size = HORIZON * 7;
    const noise = randn(SEED, size);
    const statistics = openSafetensors(join(folder.path, folder.stateFile('post'))).tensors;
    const [low, high] = ['action.q01', 'action.q99'].map((name) => readFloat32(statistics.get(name)!));
    const expected = Float64Array.from({ length: CHUNKS * size }, (_, i) => {
      const [chunk, at, item] = [Math.floor(i / size), i % size, i % 7];
      let x = noise[at]!;
      for (let k = 0; k < STEPS; k++)
        x += (sigma(k + 1) - sigma(k)) * velocity[(chunk * STEPS + k) * size + at]!;
      const denormalised = ((x + 1) / 2) * (high![item]! - low![item]!) + low![item]!;
      return item === 6 ? Math.sign(1 - 2 * denormalised) : denormalised;
    });
    expect(relativeError(readFloat32(action), expected)).toBeLessThan(1e-5);
  });

  it('replays a recording by the params file that is written for it', async () => {
    const bag = join(work, 'recording');
    await record(bag);
    const params = join(work, 'params.yaml');
    await said('params', bag, '--bundle', bundle, '--out', params);
    expect(readFileSync(params, 'utf8')).toMatch(
      /front:\s+topic: \/cam_front[^]*wrist:\s+topic: \/cam_wrist/,
    );
    const report = join(work, 'report');
    const text = await said(
      ...['replay', bag, '--bundle', bundle, '--params', params, '--policy', 'c3ache', '--refresh', '2'],
      ...['--range', '0:2', '--chunks', '3', '--out', report],
    );
    expect(text).toMatch(/c3ache/);
    expect(readFileSync(join(report, 'report.html'), 'utf8')).toContain('c3ache');
  });
});

/** The fixture's observations as a rosbag2 recording: 6 s at 10 Hz. */
async function record(path: string): Promise<void> {
  const file = openSafetensors(join(MICRO, 'episode.safetensors'));
  const states = readFloat32(file.tensors.get('state')!);
  const bag = await BagWriter.create({ folder: path, compression: 'none' });
  for (const name of ['front', 'wrist'])
    await bag.addTopic({ name: `/cam_${name}`, type: 'sensor_msgs/msg/Image' });
  await bag.addTopic({ name: '/state', type: 'std_msgs/msg/Float32MultiArray' });
  await bag.addTopic({ name: '/task', type: 'std_msgs/msg/String' });
  const from = 1_700_000_000;
  await bag.write('/task', BigInt(from) * 1_000_000_000n, { data: TASK });
  for (let i = 0; i < 60; i++) {
    const stamp = { sec: from + Math.floor(i / 10), nanosec: (i % 10) * 100_000_000 };
    const logTime = BigInt(stamp.sec) * 1_000_000_000n + BigInt(stamp.nanosec);
    for (const name of ['front', 'wrist']) {
      const tensor = file.tensors.get(`images.${name}`)!;
      const size = tensor.byteLength / CHUNKS;
      const data = Uint8Array.from(readBytes(tensor, (i % CHUNKS) * size, size));
      // Pictures that repeat are a frozen camera.
      data[0] = i;
      await bag.write(`/cam_${name}`, logTime, {
        header: { stamp, frame_id: name },
        ...{ height: 120, width: 160, encoding: 'rgb8', is_bigendian: 0, step: 480, data },
      });
    }
    const data = states.slice((i % CHUNKS) * 8, (i % CHUNKS) * 8 + 8);
    await bag.write('/state', logTime, { layout: { dim: [], data_offset: 0 }, data });
  }
  await bag.close();
}

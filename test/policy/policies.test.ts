import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bacCalibration } from '../../src/cache/bac';
import { fit } from '../../src/cache/choice';
import type { PolicySettings } from '../../src/cache/choice';
import { readPolicyOptions } from '../../src/cli/policyOptions';
import { FileFormatError, InputError } from '../../src/errors';
import { readFloat32 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { FastWamModel } from '../../src/model/FastWamModel';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { CalibrationFile } from '../../src/policy/CalibrationFile';
import { CalibrationRecorder } from '../../src/policy/CalibrationRecorder';
import { Episode } from '../../src/policy/Episode';
import { RecordedInputs } from '../../src/policy/recordedEpisode';
import { modelFacts } from '../../src/policy/modelFacts';
import type { ActionChunk } from '../../src/policy/types';
import { FIXTURES, goldenCase, relativeError, removeFolders } from '../helpers';
import type { GoldenCase } from '../helpers';

const CASES = ['libero_micro', 'robotwin_micro', 'other_sizes/five_layers', 'other_sizes/short_horizon'];
const SAMPLER = { noise: 'fixed', seed: 42 } as const;

/** Token groups of worldcache_ht lie as near as 1e-5 to a quantile, so another rounding may move a token. */
const TOLERANCE: Readonly<Record<string, number>> = { worldcache_ht: 2e-2 };
const USUAL_TOLERANCE = 1e-4;

/** Settings as somebody types them. */
function settingsOf(policy: string, given: Readonly<Record<string, unknown>>): PolicySettings {
  const set = Object.entries(given).map(([name, value]) => `${name}=${String(value)}`);
  return { ...readPolicyOptions({ policy, set }), ...SAMPLER };
}

async function chunksOf(
  golden: GoldenCase,
  model: FastWamModel,
  settings: PolicySettings,
): Promise<ActionChunk[]> {
  const inputs = new RecordedInputs(golden.inputs, golden.bundle);
  const episode = new Episode(model);
  const chunks: ActionChunk[] = [];
  for (let c = 0; c < inputs.chunks; c++) {
    const observation = inputs.observation(c, golden.task);
    chunks.push(await episode.infer(observation, settings, { noise: inputs.noise(c)! }));
  }
  return chunks;
}

/** Learns the schedule for typed settings from the whole episode, as `fastwam calibrate` does. */
async function calibrate(golden: GoldenCase, model: FastWamModel, settings: PolicySettings): Promise<void> {
  const inputs = new RecordedInputs(golden.inputs, golden.bundle);
  const recorder = new CalibrationRecorder(model, 'bac');
  for (let c = 0; c < inputs.chunks; c++) {
    await recorder.learn(inputs.observation(c, golden.task), SAMPLER, { noise: inputs.noise(c)! });
  }
  const record = bacCalibration.parse(recorder.solve(settings.values), 'the recorder');
  new CalibrationFile(golden.bundle, bacCalibration).add(record);
}

afterAll(removeFolders);

describe.each(CASES)('an episode under every policy, from typed settings: %s', (name) => {
  const results = openSafetensors(join(FIXTURES, name, 'policies.safetensors'));
  const cases = JSON.parse(readFileSync(join(FIXTURES, name, 'policies.json'), 'utf8')) as Record<
    string,
    Record<string, unknown>
  >;
  let golden: GoldenCase;
  let model: FastWamModel;

  beforeAll(async () => {
    golden = goldenCase(name);
    model = await FastWamModel.load(golden.bundle, { ...DEFAULT_EXECUTION, threads: 1 });
  });
  afterAll(() => model.release());

  it.each(Object.keys(cases))('%s gives the decisions and actions computed independently', async (label) => {
    const [policy] = label.split('.') as [string];
    const settings = settingsOf(policy, cases[label]!);
    if (policy === 'bac') await calibrate(golden, model, settings);
    const chunks = await chunksOf(golden, model, settings);
    const decided = policy === 'bac' ? chunks.slice(0, 1) : chunks;
    expect(decided.map(({ report }) => report.computed.join('')).join('')).toBe(
      readFloat32(results.tensors.get(`${label}.computed`)!).join(''),
    );
    const actions = Float32Array.from(chunks.flatMap((chunk) => [...chunk.actions]));
    const error = relativeError(actions, readFloat32(results.tensors.get(`${label}.action`)!));
    expect(error).toBeLessThan(TOLERANCE[policy] ?? USUAL_TOLERANCE);
  });
});

describe('the schedules of bac beside a bundle', () => {
  let golden: GoldenCase;
  let model: FastWamModel;
  const five = settingsOf('bac', { updates: 5, union_blocks: 5 });

  beforeAll(async () => {
    golden = goldenCase('libero_micro');
    model = await FastWamModel.load(golden.bundle, { ...DEFAULT_EXECUTION, threads: 1 });
  });
  afterAll(() => model.release());

  it('are asked for with the command that makes them where there is none', async () => {
    const sentence =
      'no bac schedule for updates=5 union_blocks=5 similarity=cosine (the bundle has none): make it with fastwam calibrate';
    expect(() => fit(five, modelFacts(golden.bundle))).toThrow(InputError);
    await expect(chunksOf(golden, model, five)).rejects.toThrow(sentence);
  });

  it('lie side by side, are in force at once, and calibrating again replaces only its own', async () => {
    await calibrate(golden, model, five);
    const before = new CalibrationFile(golden.bundle, bacCalibration).read();
    expect(before.map(({ updates }) => updates)).toEqual([5]);
    await calibrate(golden, model, settingsOf('bac', { updates: 3, union_blocks: 3 }));
    await calibrate(golden, model, five);
    const after = new CalibrationFile(golden.bundle, bacCalibration).read();
    expect(after.map(({ updates }) => updates).sort()).toEqual([3, 5]);
    expect(after.find(({ updates }) => updates === 5)).toEqual(before[0]);
    expect(fit(five, modelFacts(golden.bundle)).warning).toBeUndefined();
  });

  it('serve the tail of c3ache, with the settings typed for bac', async () => {
    const typed = { refresh_interval: 2, range: '0:3', tail: 'bac', 'bac.updates': 5, 'bac.union_blocks': 5 };
    const chunks = await chunksOf(golden, model, settingsOf('c3ache', typed));
    const plain = await chunksOf(golden, model, settingsOf('c3ache', { refresh_interval: 2, range: '0:3' }));
    expect(chunks.map(({ report }) => report.refreshed)).toEqual(plain.map(({ report }) => report.refreshed));
    expect(chunks[1]!.report.stackEvaluations).toBeLessThan(plain[1]!.report.stackEvaluations);
    const unknown = settingsOf('c3ache', { ...typed, 'bac.updates': 4 });
    await expect(chunksOf(golden, model, unknown)).rejects.toThrow('no bac schedule for updates=4');
  });

  it.each([
    ['not JSON at all', '{', 'is not JSON'],
    ['a list', '[]', 'the document'],
    ['the schedules of other weights', '{"weights":"other","schedules":[]}', 'for other weights'],
  ])('are refused in a sentence that names the file: %s', (_, text, sentence) => {
    const path = join(golden.folder, bacCalibration.file);
    const kept = readFileSync(path);
    writeFileSync(path, text);
    expect(() => fit(five, modelFacts(golden.bundle))).toThrow(FileFormatError);
    expect(() => fit(five, modelFacts(golden.bundle))).toThrow(path);
    expect(() => fit(five, modelFacts(golden.bundle))).toThrow(sentence);
    const other = fit(settingsOf('none', {}), modelFacts(golden.bundle));
    expect(other.warning, 'other policies run').toBeUndefined();
    writeFileSync(path, kept);
  });

  it('are checked flag by flag', () => {
    const path = join(golden.folder, bacCalibration.file);
    const kept = readFileSync(path, 'utf8');
    const hostile = JSON.parse(kept) as { schedules: { computed: unknown[][] }[] };
    hostile.schedules[0]!.computed[0]![0] = [1, 1, 1e9];
    writeFileSync(path, JSON.stringify(hostile));
    expect(() => fit(five, modelFacts(golden.bundle))).toThrow(/schedules\.0.*computed\.0\.0\.2/);
    writeFileSync(path, kept);
  });
});

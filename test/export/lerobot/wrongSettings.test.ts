import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FastWamError } from '../../../src/errors';
import type { ExportOptions } from '../../../src/export/exportBundle';
import type { TensorData } from '../../../src/formats/safetensors';
import { FIXTURES, removeFolders } from '../../helpers';
import { PolicyFolder, readAll } from './policyFolder';

/*
 * Settings that LeRobot's own code lets pass, misreads or stops at later; what it does with each stands beside it. Source:
 * `configuration_fastwam.py`, `modeling_fastwam.py`, `wan/video_dit.py` and `processor/` at 7427f31.
 */

afterAll(removeFolders);

const WEIGHTS = 'model.safetensors';
const ENCODER = 'model.proprio_encoder.weight';
type Json = Record<string, unknown>;
interface Entry extends Json {
  shape: number[];
}

const policy = (): PolicyFolder => new PolicyFolder();
const video = (change: (settings: Json) => void): PolicyFolder =>
  policy().json('config.json', (config) => change(config.video_dit_config as Json));
const inputs = (change: (features: Json) => void): PolicyFolder =>
  policy().json('config.json', (config) => change(config.input_features as Json));
const feature = (name: string, change: Json): PolicyFolder =>
  policy().json('policy_preprocessor.json', (pipeline) => {
    const steps = pipeline.steps as { registry_name: string; config: { features: Json } }[];
    const step = steps.find(({ registry_name }) => registry_name === 'normalizer_processor')!;
    Object.assign(step.config.features[name] as Json, change);
  });
const mode = (pipeline: 'pre' | 'post', map: Json): PolicyFolder =>
  policy().step(pipeline, `${pipeline === 'pre' ? '' : 'un'}normalizer_processor`, { norm_map: map });
/** One tensor of the weights as safetensors' header describes it. */
const described = (change: (entry: Entry) => void): PolicyFolder => {
  const folder = policy();
  const path = join(folder.path, WEIGHTS);
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, Entry>;
  change(header[ENCODER]!);
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([prefix, text, bytes.subarray(8 + length)]));
  return folder;
};
const twice = (values: Float32Array): TensorData => ({
  name: 'mixtures.action.head.bias',
  dtype: 'F32',
  shape: [values.length],
  data: values,
});

describe('a policy with one setting that cannot be right is refused with a sentence that names it:', () => {
  it.each<[string, string, () => PolicyFolder, RegExp, Partial<ExportOptions>?]>([
    [
      'fp8 weights',
      'copies them as numbers, without the scales beside them',
      () => described((entry) => Object.assign(entry, { dtype: 'F8_E4M3', shape: [40, 16] })),
      /tensor "model\.proprio_encoder\.weight" is stored as "F8_E4M3": fp8 .* use the bf16 checkpoint/,
    ],
    [
      'quantised weights',
      'copies them as numbers',
      () => described((entry) => Object.assign(entry, { dtype: 'I16' })),
      /proprio_encoder\.weight has the element type I16, expected a floating-point type; if its weights were quantised/,
    ],
    [
      'a pointer of Git LFS in place of the weights',
      'stops at an invalid header',
      () => {
        const folder = policy();
        const oid = 'ab'.repeat(32);
        writeFileSync(
          join(folder.path, WEIGHTS),
          `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize 12041630374\n`,
        );
        return folder;
      },
      /model\.safetensors: is a pointer of Git LFS in place of the file itself; fetch the file/,
    ],
    [
      'one tensor under two names, with other numbers',
      'keeps the one it knows',
      () => policy().tensors(WEIGHTS, (all) => [...all, twice(new Float32Array(7))]),
      /has mixtures\.action\.head\.bias twice: as "mixtures\.action\.head\.bias" and as "model\.mot\.mixtures\.action\.head\.bias"/,
    ],
    [
      'an index that promises a tensor which its shard lacks',
      'loads the shards that it finds',
      () =>
        policy()
          .shard(2)
          .json('model.safetensors.index.json', (index) => {
            Object.assign(index.weight_map as Json, {
              'model.mot.extra.weight': 'model-00001-of-00002.safetensors',
            });
          }),
      /says that tensor "model\.mot\.extra\.weight" is in model-00001-of-00002\.safetensors, which does not have it/,
    ],
    [
      'timesteps of the first frame left to the default',
      'gives every frame the same timestep',
      () => video((settings) => delete settings.seperated_timestep),
      /video_dit_config\.seperated_timestep is left out, which LeRobot takes for false, expected true/,
    ],
    [
      'an attention mask left to the default',
      'raises at the first chunk',
      () => video((settings) => delete settings.video_attention_mask_mode),
      /video_attention_mask_mode is left out, which LeRobot takes for "bidirectional"/,
    ],
    [
      'a prompt with a field that nobody fills',
      'raises KeyError at the first chunk',
      () => policy().config({ prompt_template: '{robot}: {task}' }),
      /prompt_template has "\{robot\}", which Python would format; expected \{task\} alone/,
    ],
    [
      'a prompt with doubled braces',
      'makes single ones of them',
      () => policy().config({ prompt_template: '{{do}} {task}' }),
      /prompt_template has "\{\{do\}", which Python would format/,
    ],
    [
      'a state of no numbers',
      'makes an encoder without inputs',
      () => policy().config({ proprio_dim: 0 }),
      /proprio_dim: expected a size, or null for a policy without a state/,
    ],
    [
      'no number of actions',
      'takes 7',
      () => policy().json('config.json', (config) => delete config.action_dim),
      /config\.json: lacks action_dim$/,
    ],
    [
      'a picture that does not divide into patches',
      'drops the last row of latents',
      () => policy().config({ image_size: [48, 128] }),
      /height is 48, expected a multiple of 32|48.*multiple of 32/,
    ],
    [
      'a camera outside observation.images',
      'does not find it',
      () =>
        inputs((features) =>
          Object.assign(features, { 'observation.image': { type: 'VISUAL', shape: [3, 64, 64] } }),
        ),
      /input_features has the camera "observation\.image", expected names that begin with observation\.images\./,
    ],
    [
      'another size of actions in the features',
      'fails in the normaliser',
      () =>
        policy().json('config.json', (config) => {
          config.output_features = { action: { type: 'ACTION', shape: [6] } };
        }),
      /output_features\.action has 6 numbers, but action_dim is 7/,
    ],
    [
      'other training timesteps',
      'scales timesteps by them',
      () =>
        policy().json('config.json', (config) => {
          (config.action_scheduler as Json).num_train_timesteps = 500;
        }),
      /action_scheduler\.num_train_timesteps is 500, expected 1000/,
    ],
    ['a negative shift', 'computes with it', () => policy().config({ sigma_shift: -1 }), /sigma_shift: .*>0/],
    [
      'numbers rounded on the way to the device',
      'normalises in bfloat16',
      () => policy().step('pre', 'device_processor', { float_dtype: 'bfloat16' }),
      /policy_preprocessor\.json: steps\.2\.float_dtype is "bfloat16": LeRobot rounds/,
    ],
    [
      'actions rounded on the way back',
      'rounds them',
      () => policy().step('post', 'device_processor', { float_dtype: 'half' }),
      /policy_postprocessor\.json: steps\.2\.float_dtype is "half"/,
    ],
    [
      'a state that is listed as an action',
      'passes it on as it is',
      () => feature('observation.state', { type: 'ACTION' }),
      /features\.observation\.state\.type is "ACTION", so LeRobot would pass it on as it is/,
    ],
    [
      'quantiles that the dataset never had',
      'raises at the first chunk',
      () => {
        const folder = mode('post', { ACTION: 'QUANTILES' });
        return folder.tensors(folder.stateFile('post'), (all) =>
          all.filter(({ name }) => name !== 'action.q99'),
        );
      },
      /lacks "action\.q99", which QUANTILES needs; it has action\./,
    ],
    [
      'a minimum above its maximum',
      'turns the sign of that state',
      () => {
        const folder = mode('pre', { STATE: 'MIN_MAX' });
        return folder.tensors(folder.stateFile('pre'), (all) =>
          all.map((tensor) =>
            tensor.name === 'observation.state.min'
              ? { ...tensor, data: new Float32Array(8).fill(1e6) }
              : tensor,
          ),
        );
      },
      /"observation\.state\.min" \[0\] is 1000000, above max 4\.8/,
    ],
    [
      'an epsilon of nothing',
      'divides a constant by 0',
      () => policy().step('pre', 'normalizer_processor', { eps: 0 }),
      /policy_preprocessor\.json: steps\.3: eps is 0, expected a number above 0/,
    ],
    [
      'a toggle named from both ends',
      'applies it twice, which gives another gripper',
      () => policy().step('post', 'fastwam_action_toggle_processor', { toggle_dimensions: [6, -1] }),
      /toggles action dimension 6 twice/,
    ],
    [
      'a toggle before the values are turned back',
      'toggles numbers of the network',
      () =>
        policy().json('policy_postprocessor.json', (pipeline) => {
          const steps = pipeline.steps as Json[];
          [steps[0], steps[1]] = [steps[1]!, steps[0]!];
        }),
      /has unnormalizer_processor after fastwam_action_toggle_processor/,
    ],
    [
      'a name of no camera',
      'fails in the rename',
      () =>
        policy().step('pre', 'rename_observations_processor', {
          rename_map: { 'observation.images.top': null },
        }),
      /rename_map\.observation\.images\.top is no name/,
    ],
    [
      'statistics in another folder',
      'reads them',
      () =>
        policy().json('policy_preprocessor.json', (pipeline) => {
          Object.assign((pipeline.steps as Json[])[3]!, { state_file: '../other.safetensors' });
        }),
      /state_file "\.\.\/other\.safetensors" leaves the policy's folder/,
    ],
    [
      'actions relative to more numbers than the state has',
      'fails in the addition',
      () => {
        const folder = new PolicyFolder(join(FIXTURES, 'lerobot', 'processors', 'relative_checkpoint'));
        const narrow = (tensors: readonly TensorData[]): TensorData[] =>
          tensors.map((tensor) => {
            const { data, name, dtype } = tensor;
            if (name === ENCODER) {
              const all = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
              return { name, dtype, shape: [40, 4], data: all.filter((_, i) => i % 8 < 4) };
            }
            if (!name.startsWith('observation.state.') || tensor.shape[0] !== 8) return tensor;
            const all = new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + 32));
            return { name, dtype, shape: [4], data: all.slice(0, 4) };
          });
        writeFileSync(
          join(folder.path, WEIGHTS),
          readFileSync(join(FIXTURES, 'lerobot', 'micro', 'bf16', WEIGHTS)),
        );
        folder.tensors(WEIGHTS, narrow).config({ proprio_dim: 4 });
        folder.json('config.json', (config) => {
          Object.assign((config.input_features as Json)['observation.state'] as Json, { shape: [4] });
        });
        return folder.tensors(folder.stateFile('pre'), narrow);
      },
      /action dimension 4 is relative to the state, which has 4 numbers; exclude it by name/,
    ],
  ])('%s (LeRobot %s)', (_, __, make, sentence, options = {}) => {
    const folder = make();
    const run = (): string => folder.export(options);
    expect(run).toThrow(sentence);
    expect(run).toThrow(FastWamError);
    expect(run).not.toThrow(/\n/);
  });

  it('and the policy that all of them were made of is not', () => {
    const folder = policy();
    expect(readAll(join(folder.path, WEIGHTS))).toHaveLength(139);
    expect(() => folder.export()).not.toThrow();
  });
});

import { describe, expect, it } from 'vitest';
import { FileFormatError, UsageError } from '../../src/errors';
import { policyTensors, vaeTensors } from '../../src/bundle/checkpointFiles';
import {
  completeDimensions,
  dimensionsFromWeights,
  expectedTensors,
  rotaryShares,
} from '../../src/bundle/layout';
import type { ModelDimensions } from '../../src/bundle/layout';
import { configuredDimensions, readModelConfig } from '../../src/export/modelConfig';
import { elementCount } from '../../src/formats/StoredTensor';
import type { StoredTensor, TensorFile } from '../../src/formats/StoredTensor';

const CHECKPOINTS = [
  'test/fixtures/libero_micro',
  'test/fixtures/robotwin_micro',
  'test/fixtures/toy/checkpoint',
  'bundles/tabletop/checkpoint',
];
const configOf = (folder: string): Partial<ModelDimensions> => {
  const { config } = readModelConfig(`${folder}/config.json`);
  return configuredDimensions(config, config.context_len ?? 0);
};
const weightsOf = (folder: string): { policy: TensorFile; vae: TensorFile } => ({
  policy: policyTensors(`${folder}/fastwam.pt`),
  vae: vaeTensors(`${folder}/vae_encoder.pth`),
});

const MICRO = CHECKPOINTS[0]!;
const micro = weightsOf(MICRO);
const config = configOf(MICRO);

/** The file with some tensors changed (or, given undefined, taken out). */
function changed(file: TensorFile, changes: Record<string, Partial<StoredTensor> | undefined>): TensorFile {
  const tensors = new Map(file.tensors);
  for (const [name, change] of Object.entries(changes)) {
    const old = tensors.get(name) ?? {
      name,
      dtype: 'F32',
      shape: [],
      file: file.path,
      offset: 0,
      byteLength: 4,
    };
    if (change === undefined) tensors.delete(name);
    else tensors.set(name, { ...old, ...change });
  }
  return { ...file, tensors };
}

describe('the layout of a model', () => {
  it.each(CHECKPOINTS)('has exactly the tensors of the original in %s', (folder) => {
    const { policy, vae } = weightsOf(folder);
    const dims = dimensionsFromWeights({ policy, vae }, configOf(folder));
    const expected = expectedTensors(dims);
    const shapes = (tensors: TensorFile): Record<string, readonly number[]> =>
      Object.fromEntries([...tensors.tensors.values()].map((t) => [t.name, t.shape]));
    expect(
      Object.fromEntries([...expected.mot, ...expected.proprioEncoder, ...expected.unneeded.mot]),
    ).toEqual(shapes(policy));
    expect(Object.fromEntries([...expected.vae, ...expected.unneeded.vae])).toEqual(shapes(vae));
    expect(dims).toEqual(completeDimensions(configOf(folder)));
  });

  it('of the released size has about six billion parameters', () => {
    const dims = completeDimensions({
      height: 224, width: 448, actionDim: 7, proprioDim: 8, horizon: 32, layers: 30, heads: 24, headDim: 128,
      videoDim: 3072, videoFfn: 14336, actionHidden: 1024, actionFfn: 4096, textDim: 4096, freqDim: 256, vaeDim: 160,
      contextLength: 128, steps: 10, shift: 5,
    }); // prettier-ignore
    const count = (prefix: string): number =>
      [...expectedTensors(dims).mot].reduce(
        (n, [name, shape]) => (name.startsWith(prefix) ? n + elementCount(shape) : n),
        0,
      );
    // Wan 2.2 TI2V-5B, and an action expert of about 1 B
    expect(count('mixtures.video.') / 1e9).toBeCloseTo(5.0, 1);
    expect(count('mixtures.action.') / 1e9).toBeCloseTo(1.0, 1);
  });
});

describe('dimensions from weights', () => {
  it('need only what weights do not say', () => {
    const { height, width, horizon, heads, steps, shift, contextLength } = config as ModelDimensions;
    const dims = dimensionsFromWeights(micro, { height, width, horizon, heads, steps, shift, contextLength });
    expect(dims).toMatchObject({
      actionDim: 7,
      proprioDim: 8,
      layers: 3,
      headDim: 24,
      vaeDim: 4,
      freqDim: 16,
      eps: 1e-6,
    });
    const byHeadDim = dimensionsFromWeights(micro, {
      height,
      width,
      horizon,
      headDim: 24,
      steps,
      shift,
      contextLength,
    });
    expect(byHeadDim.heads).toBe(2);
  });

  it('of a checkpoint without a proprio encoder have no proprioception', () => {
    const policy = changed(micro.policy, {
      'proprio_encoder.weight': undefined,
      'proprio_encoder.bias': undefined,
    });
    const rest = { ...config } as Record<string, unknown>;
    delete rest.proprioDim;
    expect(dimensionsFromWeights({ ...micro, policy }, rest).proprioDim).toBe(0);
    expect(() => dimensionsFromWeights({ ...micro, policy }, config)).toThrow(
      /has proprio_dim 0, but the configuration says 8/,
    );
  });

  it('accept checkpoints with or without the parts that actions do not need', () => {
    const policy = changed(micro.policy, {
      'mixtures.video.head.modulation': undefined,
      'mixtures.video.head.head.weight': undefined,
      'mixtures.video.action_embedding.weight': { shape: [5] },
    });
    const vae = changed(micro.vae, {
      'conv2.weight': { shape: [48, 48, 1, 1, 1] },
      'decoder.conv1.weight': { shape: [1] },
      'encoder.downsamples.1.downsamples.2.time_conv.weight': undefined,
    });
    expect(dimensionsFromWeights({ policy, vae }, config).layers).toBe(3);
  });

  const block = 'mixtures.action.blocks.1.';
  it.each<[string, Record<string, Partial<StoredTensor> | undefined>, string]>([
    ['missing', { [`${block}ffn.0.bias`]: undefined }, `lacks tensor ${block}ffn.0.bias [64]`],
    [
      'missing in numbers',
      { [`${block}ffn.0.bias`]: undefined, [`${block}ffn.2.bias`]: undefined },
      `lacks tensor ${block}ffn.0.bias [64] and 1 more`,
    ],
    [
      'extra',
      { 'mixtures.action.blocks.1.lora.weight': { shape: [4, 2] } },
      'has tensor "mixtures.action.blocks.1.lora.weight" [4, 2], which is not part',
    ],
    [
      'of another shape',
      { [`${block}norm3.weight`]: { shape: [33] } },
      `tensor ${block}norm3.weight is [33], expected [32]`,
    ],
    [
      'of whole numbers',
      { [`${block}norm3.weight`]: { dtype: 'I64' } },
      `tensor ${block}norm3.weight has the element type I64`,
    ],
    [
      'of a layer that is not there',
      { 'mixtures.action.blocks.999999.modulation': { shape: [1] } },
      'has tensor "mixtures.action.blocks.999999.modulation" [1], which is not part',
    ],
    [
      'of another rank',
      { 'mixtures.action.action_encoder.weight': { shape: [7] } },
      'mixtures.action.action_encoder.weight is [7], expected 2 dimensions',
    ],
    [
      'of no size',
      { 'mixtures.action.action_encoder.weight': { shape: [0, 7] } },
      'is [0, 7], expected 2 dimensions',
    ],
  ])('name a tensor that is %s', (_, changes, message) => {
    const policy = changed(micro.policy, changes);
    expect(() => dimensionsFromWeights({ ...micro, policy }, config)).toThrow(FileFormatError);
    expect(() => dimensionsFromWeights({ ...micro, policy }, config)).toThrow(message);
  });

  it('name a tensor of the VAE that is missing', () => {
    const vae = changed(micro.vae, { 'conv1.weight': undefined });
    expect(() => dimensionsFromWeights({ ...micro, vae }, config)).toThrow(
      'vae_encoder.pth: lacks tensor conv1.weight [96, 96, 1, 1, 1]',
    );
  });

  it('say when the files were swapped', () => {
    expect(() => dimensionsFromWeights({ policy: micro.vae, vae: micro.policy }, config)).toThrow(
      /vae_encoder.pth: lacks tensor mixtures.video.patch_embedding.weight; is it the right file/,
    );
  });

  it.each<[Partial<ModelDimensions>, string]>([
    [{ layers: 4 }, 'has layers 3, but the configuration says 4'],
    [{ textDim: 41 }, 'has text_dim 40, but the configuration says 41'],
    [{ heads: 5 }, 'has 48 outputs, but the configuration says heads × head_dim = 5 × 24'],
    [{ heads: 3, headDim: 24 }, 'says heads × head_dim = 3 × 24'],
  ])('are checked against a configuration that says %o', (wrong, message) => {
    expect(() => dimensionsFromWeights(micro, { ...config, ...wrong })).toThrow(message);
  });
});

describe('a configuration', () => {
  it.each<[Partial<ModelDimensions>, RegExp]>([
    [{ height: 100 }, /height is 100, expected a multiple of 32/],
    [{ horizon: 0 }, /horizon is 0, expected a whole number from 1/],
    [{ horizon: 1025 }, /horizon is 1025, expected a whole number from 1 to 1024/],
    [{ steps: 1e6 }, /steps is 1000000, expected a whole number from 1 to 1000/],
    [{ steps: 2.5 }, /steps is 2.5/],
    [{ width: 1e9 }, /width is 1000000000/],
    [{ shift: -1 }, /shift is -1, expected a number above 0/],
    [{ eps: NaN }, /eps is null/],
    [{ headDim: 16 }, /head_dim is 16/],
    [{ freqDim: 7 }, /freq_dim is 7, expected an even number/],
  ])('that says %o is refused with its key', (wrong, message) => {
    expect(() => completeDimensions({ ...config, ...wrong })).toThrow(UsageError);
    expect(() => completeDimensions({ ...config, ...wrong })).toThrow(message);
  });

  it('that lacks what weights do not say is refused with the key', () => {
    const without = (...keys: (keyof ModelDimensions)[]): Partial<ModelDimensions> =>
      Object.fromEntries(
        Object.entries(config).filter(([key]) => !keys.includes(key as keyof ModelDimensions)),
      );
    expect(() => dimensionsFromWeights(micro, without('heads', 'headDim'))).toThrow(
      /lacks heads \(or head_dim\)/,
    );
    expect(() => dimensionsFromWeights(micro, without('contextLength'))).toThrow(/lacks context_len/);
  });
});

describe('the shares of 3-D RoPE', () => {
  it('are those of the original for its head dimension of 128: 44 + 42 + 42', () => {
    expect(rotaryShares(128)).toEqual({ frame: 44, row: 42, column: 42 });
  });
});

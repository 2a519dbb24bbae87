import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bundle } from '../../src/bundle/Bundle';
import { exportBundle } from '../../src/export/exportBundle';
import { synthesise } from '../../src/export/synth';
import { DEFAULT_VARIANT, buildGraph } from '../../src/graphs/buildGraph';
import type { ComputeType } from '../../src/graphs/Weights';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { FastWamModel } from '../../src/model/FastWamModel';
import { loadOnnxRuntime } from '../../src/model/runtime';
import { Session } from '../../src/model/Session';
import { StackExpert } from '../../src/model/StackExpert';
import { randn } from '../../src/sampler/noise';
import { relativeError, removeFolders, temporaryFolder } from '../helpers';
import { inFloat32 } from '../onnx/inFloat32';
import { countOps, loopBody, readModel, unfolded } from '../onnx/readModel';
import type { Node } from '../onnx/readModel';

const STEPS = Array.from({ length: 10 }, (_, index) => ({ index }));

/** A model with heads that the attention kernel with rotation takes: 32 wide. */
const SIZES = {
  height: 32,
  width: 64,
  action_dim: 7,
  proprio_dim: 8,
  horizon: 16,
  heads: 2,
  head_dim: 32,
  video_dim: 48,
  video_ffn: 96,
  action_hidden: 32,
  action_ffn: 64,
  text_dim: 40,
  freq_dim: 16,
  vae_dim: 4,
  context_len: 12,
  steps: 10,
  shift: 5,
};

function madeBundle(layers: number, dtype: 'F32' | 'BF16'): Bundle {
  const folder = temporaryFolder();
  const made = synthesise({ ...SIZES, layers }, join(folder, 'checkpoint'), { seed: 3, dtype });
  const out = join(folder, 'bundle');
  const { checkpoint, vae, textEmbeds, config } = made;
  exportBundle({ checkpoint, vae, textEmbeds, config, out });
  return Bundle.open(out);
}

function deviceGraph(bundle: Bundle, compute: ComputeType): Uint8Array {
  const variant = { ...DEFAULT_VARIANT, format: { compute, linears: 'float' }, fused: true } as const;
  return buildGraph('expert', bundle, variant).model('device');
}

/** What a node is: a view of its input moves no bytes, so it launches nothing. */
const VIEWS = ['Reshape', 'Squeeze', 'Unsqueeze', 'Identity'];
const kernels = (nodes: readonly Node[]): Node[] => nodes.filter(({ op }) => !VIEWS.includes(op));

describe('the graph for a GPU', () => {
  afterAll(removeFolders);

  /** operators of one block: what a model with one block more has more, in the Loop's body */
  function blockOps(compute: ComputeType, dtype: 'F32' | 'BF16'): Record<string, number> {
    const [few, more] = [2, 3].map((layers) => {
      const model = readModel(deviceGraph(madeBundle(layers, dtype), compute));
      return countOps(unfolded(loopBody(model), model.initializers));
    });
    const ops = Object.entries(more!).map(([op, count]) => [op, count - (few![op] ?? 0)] as const);
    return Object.fromEntries(ops.filter(([, count]) => count > 0));
  }

  it.each([
    { compute: 'bfloat16', dtype: 'BF16' },
    { compute: 'bfloat16', dtype: 'F32' },
    { compute: 'float16', dtype: 'BF16' },
  ] as const)(
    'in $compute is 18 kernels a block, and nothing that reshapes, moves or converts (weights in $dtype)',
    ({ compute, dtype }) => {
      const ops = blockOps(compute, dtype);
      expect(ops).toEqual({
        FusedMatMul: 6,
        SkipLayerNormalization: 3,
        SkipSimplifiedLayerNormalization: 3,
        Split: 1,
        GroupQueryAttention: 1,
        MultiHeadAttention: 1,
        FastGelu: 1,
        Mul: 2,
      });
      expect(Object.values(ops).reduce((sum, count) => sum + count)).toBe(18);
    },
  );

  it('in float32, which has no attention with rotation, is two more', () => {
    const { GroupQueryAttention, RotaryEmbedding, MultiHeadAttention, ...rest } = blockOps('float32', 'F32');
    expect([GroupQueryAttention, RotaryEmbedding, MultiHeadAttention]).toEqual([undefined, 2, 2]);
    expect(Object.values(rest).reduce((sum, count) => sum + count)).toBe(16);
  });

  it('converts three values in a step whatever its blocks are: what enters, the velocity, the residual', () => {
    const model = readModel(deviceGraph(madeBundle(3, 'BF16'), 'bfloat16'));
    const body = unfolded(loopBody(model), model.initializers);
    expect(countOps(body).Cast).toBe(3);
    const outside = kernels(body).length - 3 * 18;
    // affine map, modulation, ends, Euler step (three coefficients of its own for each row, so that it can be guided),
    // outputs, and the first norm, which has nothing to add yet
    expect(outside).toBe(22);
  });

  describe('on the CPU', () => {
    let bundle: Bundle;
    let model: FastWamModel;
    let reference: Float32Array;
    const noise = randn(5, SIZES.horizon * SIZES.action_dim);
    const proprio = randn(6, SIZES.proprio_dim);
    let latents: Float32Array;

    beforeAll(async () => {
      bundle = madeBundle(3, 'BF16');
      model = await FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, threads: 1 });
      latents = randn(
        7,
        model.latentShape.reduce((product, size) => product * size, 1),
      );
      const text = bundle.context(bundle.anyTask());
      const expert = model.expert(await model.prefill(latents, proprio, text));
      reference = (await expert.fullSteps(noise, STEPS)).x;
    });
    afterAll(() => model.release());

    const run = async (graph: Uint8Array): Promise<Float32Array> => {
      const folder = dirname(bundle.policyWeights.path);
      const options = { device: 0, threads: 1 };
      const session = await Session.create(loadOnnxRuntime(), graph, folder, 'cpu', options);
      const tokens = model.contextTokens(proprio, bundle.context(bundle.anyTask()));
      const feeds = {
        latents: session.tensor('float32', latents, model.latentShape),
        tokens: session.tensor('float32', tokens, [tokens.length / SIZES.text_dim, SIZES.text_dim]),
      };
      const { x } = await new StackExpert(model.facts, session, feeds).fullSteps(noise, STEPS);
      await session.release();
      return x;
    };

    it('gives in float32 what the graphs of the CPU give', async () => {
      expect(relativeError(await run(deviceGraph(bundle, 'float32')), reference)).toBeLessThan(1e-6);
    });

    it('is loaded with its constants folded: no joined weights, no conversion is left to its steps', async () => {
      const file = join(temporaryFolder(), 'optimized.onnx');
      const session = await loadOnnxRuntime().InferenceSession.create(deviceGraph(bundle, 'float32'), {
        graphOptimizationLevel: 'all',
        optimizedModelFilePath: file,
        logSeverityLevel: 3,
        extra: {
          session: { model_external_initializers_file_folder_path: dirname(bundle.policyWeights.path) },
        },
      });
      await session.release();
      const ops = countOps(loopBody(readModel(readFileSync(file))).nodes);
      expect([ops.Concat, ops.Cast, ops.FusedMatMul]).toEqual([undefined, undefined, 3 * 6]);
    });

    it('is exact in what it takes out of its kernels: the 16-bit form, computed in float32', async () => {
      const exact = inFloat32(deviceGraph(bundle, 'bfloat16'), 'none');
      expect(countOps(loopBody(readModel(exact)).nodes).GroupQueryAttention).toBe(3);
      expect(relativeError(await run(exact), reference)).toBeLessThan(1e-6);
    });

    it('is off by no more than the number format allows: bfloat16 by rounding what each operator gives', async () => {
      const error = relativeError(
        await run(inFloat32(deviceGraph(bundle, 'bfloat16'), 'bfloat16')),
        reference,
      );
      // 8 bits of mantissa: 2^-9 a rounding, some twenty roundings a block
      expect(error).toBeGreaterThan(1e-4);
      expect(error).toBeLessThan(2e-2);
    });

    it('and float16 by the kernels of the CPU', async () => {
      const error = relativeError(await run(deviceGraph(bundle, 'float16')), reference);
      expect(error).toBeGreaterThan(1e-6);
      expect(error).toBeLessThan(3e-3);
    });
  });
});

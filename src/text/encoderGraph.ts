import { parse } from 'node:path';
import { joinHeads, softmax, splitHeads } from '../graphs/attention';
import { geluTanh, rmsNorm } from '../graphs/layers';
import { Weights } from '../graphs/Weights';
import { GraphBuilder, float, int, ints } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import type { BlockTensor, EncoderTensors } from './encoderLayout';

/** The folder that a block's graph refers to its weights from: shards may lie anywhere. */
export function encoderWeightsFolder({ embedding }: EncoderTensors): string {
  return parse(embedding.file).root;
}

/**
 * One block of a UMT5 encoder: `hidden` [n, dim] and `buckets` int64 [n, n] -> `hidden_out` [n, dim], float32, weights by
 * reference. Every token attends to every other; scores are not scaled, and each block has position biases of its
 * own. The last block is followed by the final norm. Source: `wan_video_text_encoder.py` of the original, which is
 * `UMT5EncoderModel` of transformers.
 */
export function encoderBlockGraph(encoder: EncoderTensors, layer: number): GraphBuilder {
  const { dimensions: dims, finalNorm } = encoder;
  const block = encoder.blocks[layer];
  if (!block) throw new RangeError(`an encoder of ${dims.layers} layers has no layer ${layer}`);
  const last = layer === dims.layers - 1;
  const stored = [...Object.values(block), ...(last ? [finalNorm] : [])];
  const weights = new Weights(
    new Map(stored.map((tensor) => [tensor.name, tensor])),
    encoderWeightsFolder(encoder),
    'float32',
  );
  const g = GraphBuilder.create(`text_encoder_${layer}`);
  const weight = (name: BlockTensor): Value => weights.use(g, block[name].name);
  const linear = (x: Value, name: BlockTensor): Value =>
    g.op('Gemm', [x, weight(name)], { attributes: { transB: int(1) }, name });
  const hidden = g.input('hidden', 'float32', ['n', dims.dim]);
  const buckets = g.input('buckets', 'int64', ['n', 'n']);

  const normed = rmsNorm(g, hidden, weight('norm1'), dims.eps);
  const heads = (name: 'q' | 'k' | 'v'): Value => splitHeads(g, linear(normed, name), dims);
  const scores = g.op('FusedMatMul', [heads('q'), heads('k')], {
    domain: 'com.microsoft',
    attributes: { transB: int(1), alpha: float(1) },
  });
  const byToken = g.op('Gather', [weight('bias'), buckets], { attributes: { axis: int(0) } });
  const bias = g.op('Transpose', [byToken], { attributes: { perm: ints([2, 0, 1]) } });
  const mixed = g.op('MatMul', [softmax(g, g.op('Add', [scores, bias])), heads('v')]);
  const attended = g.op('Add', [hidden, linear(joinHeads(g, mixed), 'o')]);

  const inner = rmsNorm(g, attended, weight('norm2'), dims.eps);
  const gated = g.op('Mul', [geluTanh(g, linear(inner, 'gate')), linear(inner, 'linear')]);
  const out = g.op('Add', [attended, linear(gated, 'out')]);
  g.output(last ? rmsNorm(g, out, weights.use(g, finalNorm.name), dims.eps) : out, 'hidden_out', [
    'n',
    dims.dim,
  ]);
  return g;
}

/**
 * Bucket of a distance (key - query) between tokens. Half of the buckets are for keys that come later; of each half,
 * half are for one distance each, the others for distances that grow logarithmically up to `maxDistance`. The
 * logarithms are taken in float32, as the original does. Source: `T5Attention._relative_position_bucket`.
 */
export function positionBucket(distance: number, buckets: number, maxDistance: number): number {
  const half = Math.floor(buckets / 2);
  const exact = Math.floor(half / 2);
  const base = distance > 0 ? half : 0;
  const length = Math.abs(distance);
  if (length < exact) return base + length;
  const { fround } = Math;
  const share = fround(fround(Math.log(fround(length / exact))) / fround(Math.log(maxDistance / exact)));
  return base + Math.min(half - 1, exact + Math.trunc(fround(share * (half - exact))));
}

/** Buckets of all pairs of n tokens, [query, key]. */
export function positionBuckets(n: number, buckets: number, maxDistance: number): BigInt64Array {
  const byDistance = Array.from({ length: 2 * n - 1 }, (_, i) =>
    BigInt(positionBucket(i - n + 1, buckets, maxDistance)),
  );
  const all = new BigInt64Array(n * n);
  for (let query = 0; query < n; query++) {
    for (let key = 0; key < n; key++) all[query * n + key] = byDistance[key - query + n - 1] ?? 0n;
  }
  return all;
}

import type { GraphBuilder } from '../onnx/GraphBuilder';
import { int } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import type { AttentionShape } from './attention';

/** Cosines and sines of rotary position embedding, each float32 [positions, headDim / 2]. */
export interface RotaryTables {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
  readonly positions: number;
}

/** theta^(-2i/dim) for i < dim/2. Source: `precompute_freqs_cis` of `wan_video_dit.py`. */
function frequencies(dim: number): number[] {
  return Array.from({ length: Math.floor(dim / 2) }, (_, i) => 1 / 10000 ** ((2 * i) / dim));
}

function tables(angles: readonly (readonly number[])[]): RotaryTables {
  const flat = angles.flat();
  return {
    cos: Float32Array.from(flat, Math.cos),
    sin: Float32Array.from(flat, Math.sin),
    positions: angles.length,
  };
}

/** One-dimensional tables of the action tokens. */
export function actionRotary(horizon: number, headDim: number): RotaryTables {
  const f = frequencies(headDim);
  return tables(Array.from({ length: horizon }, (_, p) => f.map((w) => p * w)));
}

/**
 * Tables of the first frame's video tokens in (row, column) order: the head dimension is split for frame, row and
 * column, and the frame index is 0. Source: `precompute_freqs_cis_3d` and `pre_dit` of `wan_video_dit.py`.
 */
export function videoRotary(rows: number, columns: number, headDim: number): RotaryTables {
  const third = Math.floor(headDim / 3);
  const frame = frequencies(headDim - 2 * third).map(() => 0);
  const spatial = frequencies(third);
  const angles: number[][] = [];
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      angles.push([...frame, ...spatial.map((w) => r * w), ...spatial.map((w) => c * w)]);
    }
  }
  return tables(angles);
}

/** Rotary tables as initializers of one graph, shared by its layers. */
export interface RotaryValues {
  readonly cos: Value;
  readonly sin: Value;
}

export function rotaryValues(
  g: GraphBuilder,
  name: string,
  rotary: RotaryTables,
  halfHead: number,
): RotaryValues {
  const shape = [rotary.positions, halfHead];
  return {
    cos: g.initializer(`${name}.cos`, 'float32', shape, rotary.cos),
    sin: g.initializer(`${name}.sin`, 'float32', shape, rotary.sin),
  };
}

/** Rotates interleaved pairs of x [1, S, heads * headDim]; positions count from 0. */
export function rotate(g: GraphBuilder, x: Value, rotary: RotaryValues, shape: AttentionShape): Value {
  return g.op('RotaryEmbedding', [x, g.int64([0]), rotary.cos, rotary.sin], {
    domain: 'com.microsoft',
    attributes: { interleaved: int(1), num_heads: int(shape.heads) },
  });
}

import { dirname, parse } from 'node:path';
import type { ModelDimensions } from '../bundle/layout';
import type { TensorFile } from '../formats/StoredTensor';
import type { GraphBuilder } from '../onnx/GraphBuilder';
import type { Schedule } from '../sampler/types';
import { contextGraph } from './context';
import { expertGraph } from './expert';
import { gatedExpertGraph } from './gatedExpert';
import { FloatLinears, Int8Linears } from './Linears';
import { prefillGraph } from './prefill';
import type { ScratchWeights } from './ScratchWeights';
import { vaeEncoderGraph } from './vaeEncoder';
import { Weights } from './Weights';

export const GRAPH_NAMES = ['vae_encoder', 'context', 'prefill', 'expert'] as const;
export type GraphName = (typeof GRAPH_NAMES)[number];

/** Moves on with every change of what is emitted, so that an older bundle's files are not mistaken for today's. */
export const GRAPH_REVISION = 3;

/** Which of the graphs of one name. The bundle's files hold `DEFAULT_VARIANT`. */
export interface GraphVariant {
  readonly precision: 'fp32' | 'fp16' | 'bf16' | 'int8';
  /** prefill and expert in one graph, for devices that K/V should not leave */
  readonly fused: boolean;
  /** `block`: every block and sub-block can be left out */
  readonly grain: 'stack' | 'block';
}

export const DEFAULT_VARIANT: GraphVariant = { precision: 'fp32', fused: false, grain: 'stack' };

/** Stands in the ONNX file for people who open it. */
export const graphDescription = (name: GraphName): string => `Fast-WAM ${name}`;

/** What graphs are made of. */
export interface GraphSource {
  readonly dimensions: ModelDimensions;
  readonly schedule: Schedule;
  readonly policyWeights: TensorFile;
  readonly vaeWeights: TensorFile;
}

const COMPUTE_TYPE = { fp32: 'float32', int8: 'float32', fp16: 'float16', bf16: 'bfloat16' } as const;

/** The folder that a graph's external data is relative to: the checkpoint's, or one that holds what was put aside too. */
export function weightsFolder(checkpoint: string, scratch?: ScratchWeights): string {
  return scratch ? parse(checkpoint).root : dirname(checkpoint);
}

/**
 * Emits one graph of a Fast-WAM. int8 applies to the blocks of the action expert, which is where the time goes.
 * @param scratch where an int8 graph puts its weights; needed until it is loaded
 */
export function buildGraph(
  name: GraphName,
  source: GraphSource,
  variant: GraphVariant,
  scratch?: ScratchWeights,
): GraphBuilder {
  const { dimensions: dims, schedule } = source;
  const file = name === 'vae_encoder' ? source.vaeWeights : source.policyWeights;
  // bf16 has no convolution at opset 20, and half precision is enough for the encoder.
  const precision = name === 'vae_encoder' && variant.precision === 'bf16' ? 'fp16' : variant.precision;
  const folder = weightsFolder(file.path, scratch);
  const weights = new Weights(file.tensors, folder, COMPUTE_TYPE[precision]);
  switch (name) {
    case 'vae_encoder':
      return vaeEncoderGraph(dims, weights);
    case 'context':
      return contextGraph(dims, weights);
    case 'prefill':
      return prefillGraph(dims, weights);
    case 'expert': {
      const linears = precision === 'int8' ? int8Linears(weights, scratch) : new FloatLinears(weights);
      const reads = variant.fused ? 'observation' : 'key_values';
      const options = { dims, weights, linears, schedule, reads } as const;
      return variant.grain === 'block' ? gatedExpertGraph(options) : expertGraph(options);
    }
  }
}

function int8Linears(weights: Weights, scratch: ScratchWeights | undefined): Int8Linears {
  if (!scratch) throw new Error('int8 weights need a place');
  return new Int8Linears(weights, scratch);
}

import { dirname, parse, relative, resolve } from 'node:path';
import type { ModelDimensions } from '../bundle/layout';
import type { TensorFile } from '../formats/StoredTensor';
import type { GraphBuilder } from '../onnx/GraphBuilder';
import type { Schedule } from '../sampler/types';
import { contextGraph } from './context';
import { deviceExpertGraph } from './deviceExpert';
import { expertGraph } from './expert';
import { gatedExpertGraph } from './gatedExpert';
import { FloatLinears, Int8Linears } from './Linears';
import type { Linears } from './Linears';
import { prefillGraph } from './prefill';
import type { ScratchWeights } from './ScratchWeights';
import { vaeEncoderGraph } from './vaeEncoder';
import type { ImageInput } from './vaeEncoder';
import { Weights } from './Weights';
import type { ComputeType } from './Weights';

export const GRAPH_NAMES = ['vae_encoder', 'context', 'prefill', 'expert'] as const;
export type GraphName = (typeof GRAPH_NAMES)[number];

/** Moves on with every change of what is emitted, so that an older bundle's files are not mistaken for today's. */
export const GRAPH_REVISION = 6;

/** What a graph computes in. */
export interface NumberFormat {
  /** type of activations, and of weights where they are not int8 */
  readonly compute: ComputeType;
  /** what the linear layers of the blocks multiply with */
  readonly linears: 'float' | 'int8';
}

/** Which of the graphs of one name. The bundle's files hold `DEFAULT_VARIANT`. */
export interface GraphVariant {
  readonly format: NumberFormat;
  /** prefill and expert in one graph, for devices that K/V should not leave */
  readonly fused: boolean;
  /** `block`: every block and sub-block can be left out */
  readonly grain: 'stack' | 'block';
}

export const DEFAULT_VARIANT: GraphVariant = {
  format: { compute: 'float32', linears: 'float' },
  fused: false,
  grain: 'stack',
};

/** The bundle's own ONNX files hold the default variant; the others are made when they are needed. */
export function isDefault({ format, fused, grain }: GraphVariant): boolean {
  const usual = DEFAULT_VARIANT;
  return (
    format.compute === usual.format.compute &&
    format.linears === usual.format.linears &&
    fused === usual.fused &&
    grain === usual.grain
  );
}

/** Stands in the ONNX file for people who open it. */
export const graphDescription = (name: GraphName): string => `Fast-WAM ${name}`;

/** What graphs are made of. */
export interface GraphSource {
  readonly dimensions: ModelDimensions;
  readonly schedule: Schedule;
  readonly policyWeights: TensorFile;
  readonly vaeWeights: TensorFile;
  /** what the VAE is given; by default uint8, composed pixels */
  readonly imageInput?: ImageInput;
  /** see `Weights.detached` */
  readonly detached?: boolean;
}

/**
 * The folder that a graph's external data is relative to: the innermost that holds all files of the checkpoint, or one that holds
 * what was put aside too.
 */
export function weightsFolder(weights: TensorFile, scratch?: ScratchWeights): string {
  const folders = [...new Set([...weights.tensors.values()].map(({ file }) => dirname(resolve(file))))];
  const [first = dirname(resolve(weights.path)), ...others] = folders;
  if (scratch) return parse(first).root;
  let folder = first;
  while (others.some((other) => relative(folder, other).startsWith('..'))) folder = dirname(folder);
  return folder;
}

/**
 * Emits one graph of a Fast-WAM. int8 applies to the linear layers of the blocks, which is where the time goes.
 * @param scratch where int8 weights are put; needed until the graph is loaded
 */
export function buildGraph(
  name: GraphName,
  source: GraphSource,
  variant: GraphVariant,
  scratch?: ScratchWeights,
): GraphBuilder {
  const { dimensions: dims, schedule } = source;
  const file = name === 'vae_encoder' ? source.vaeWeights : source.policyWeights;
  const { compute, linears: kind } = variant.format;
  const weights = new Weights(file.tensors, weightsFolder(file, scratch), compute, source.detached);
  const linears = (): Linears =>
    kind === 'int8' ? int8Linears(weights, scratch) : new FloatLinears(weights);
  switch (name) {
    case 'vae_encoder':
      return vaeEncoderGraph(dims, weights, source.imageInput);
    case 'context':
      return contextGraph(dims, weights);
    case 'prefill':
      return prefillGraph(dims, weights, linears());
    case 'expert': {
      const options = { dims, weights, linears: linears(), schedule };
      if (variant.grain === 'block') return gatedExpertGraph(options, variant.fused);
      return variant.fused ? deviceExpertGraph(options) : expertGraph(options);
    }
  }
}

function int8Linears(weights: Weights, scratch: ScratchWeights | undefined): Int8Linears {
  if (!scratch) throw new Error('int8 weights need a place');
  return new Int8Linears(weights, scratch);
}

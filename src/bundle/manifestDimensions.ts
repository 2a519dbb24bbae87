import type { ModelDimensions } from './layout';
import type { BundleManifest } from './schema';

/** What every Fast-WAM shares: Wan 2.2's latents and the video expert's patches. */
export const FIXED_DIMENSIONS = { patchSize: [1, 2, 2], latentChannels: 48, vaeSpatialFactor: 16 } as const;

/** The dimensions that `bundle.json` states, in the names used in code. */
export function dimensionsFromManifest(manifest: BundleManifest): ModelDimensions {
  const d = manifest.dimensions;
  return {
    height: d.height,
    width: d.width,
    actionDim: d.action_dim,
    proprioDim: d.proprio_dim,
    horizon: d.horizon,
    layers: d.layers,
    heads: d.heads,
    headDim: d.head_dim,
    videoDim: d.video_dim,
    videoFfn: d.video_ffn,
    actionHidden: d.action_hidden,
    actionFfn: d.action_ffn,
    textDim: d.text_dim,
    freqDim: d.freq_dim,
    vaeDim: d.vae_dim,
    contextLength: d.context_length,
    steps: manifest.sampler.steps,
    shift: manifest.sampler.shift,
    eps: d.eps,
    ...FIXED_DIMENSIONS,
  };
}

/** The reverse of `dimensionsFromManifest`. */
export function manifestDimensions(d: ModelDimensions): BundleManifest['dimensions'] {
  return {
    height: d.height,
    width: d.width,
    action_dim: d.actionDim,
    proprio_dim: d.proprioDim,
    horizon: d.horizon,
    layers: d.layers,
    heads: d.heads,
    head_dim: d.headDim,
    video_dim: d.videoDim,
    video_ffn: d.videoFfn,
    action_hidden: d.actionHidden,
    action_ffn: d.actionFfn,
    text_dim: d.textDim,
    freq_dim: d.freqDim,
    vae_dim: d.vaeDim,
    context_length: d.contextLength,
    eps: d.eps,
  };
}

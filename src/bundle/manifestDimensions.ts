import { CONFIG_KEYS, completeDimensions } from './layout';
import type { ModelDimensions } from './layout';
import type { BundleManifest } from './schema';

type ManifestDimensions = BundleManifest['dimensions'];

/** The dimensions that `bundle.json` states, in the names used in code. */
export function dimensionsFromManifest(manifest: BundleManifest): ModelDimensions {
  const { steps, shift } = manifest.sampler;
  const stated: Readonly<Record<string, number>> = { ...manifest.dimensions, steps, shift };
  const pairs = Object.entries(CONFIG_KEYS).map(([name, key]) => [name, stated[key]] as const);
  return completeDimensions(Object.fromEntries(pairs.filter(([, value]) => value !== undefined)));
}

/** The reverse of `dimensionsFromManifest`; steps and shift stand under `sampler`. */
export function manifestDimensions(dims: ModelDimensions): ManifestDimensions {
  return {
    height: dims.height,
    width: dims.width,
    action_dim: dims.actionDim,
    proprio_dim: dims.proprioDim,
    horizon: dims.horizon,
    layers: dims.layers,
    heads: dims.heads,
    head_dim: dims.headDim,
    video_dim: dims.videoDim,
    video_ffn: dims.videoFfn,
    action_hidden: dims.actionHidden,
    action_ffn: dims.actionFfn,
    text_dim: dims.textDim,
    freq_dim: dims.freqDim,
    vae_dim: dims.vaeDim,
    context_len: dims.contextLength,
    eps: dims.eps,
  };
}

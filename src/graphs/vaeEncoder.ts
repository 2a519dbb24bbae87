import type { ModelDimensions } from '../bundle/layout';
import { GraphBuilder, int, ints } from '../onnx/GraphBuilder';
import type { Value } from '../onnx/types';
import { attention } from './attention';
import { concat } from './layers';
import { cast } from './Weights';
import type { Weights } from './Weights';

/** Per-channel statistics of Wan 2.2's latents. Source: `WanVideoVAE38` in `wan_video_vae.py`. */
export const LATENT_MEAN = [
  -0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557, -0.1382, 0.0542, 0.2813, 0.0891, 0.157,
  -0.0098, 0.0375, -0.1825, -0.2246, -0.1207, -0.0698, 0.5109, 0.2665, -0.2108, -0.2158, 0.2502, -0.2055,
  -0.0322, 0.1109, 0.1567, -0.0729, 0.0899, -0.2799, -0.123, -0.0313, -0.1649, 0.0117, 0.0723, -0.2839,
  -0.2083, -0.052, 0.3748, 0.0152, 0.1957, 0.1433, -0.2944, 0.3573, -0.0548, -0.1681, -0.0667,
];
export const LATENT_STD = [
  0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.499, 0.4818, 0.5013, 0.8158, 1.0344, 0.5894, 1.0901, 0.6885,
  0.6165, 0.8454, 0.4978, 0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146, 0.8986, 0.5659, 0.7069, 0.5338,
  0.4889, 0.4917, 0.4069, 0.4999, 0.6866, 0.4093, 0.5709, 0.6065, 0.6415, 0.4944, 0.5726, 1.2042, 0.5458,
  1.6887, 0.3971, 1.06, 0.3943, 0.5537, 0.5444, 0.4089, 0.7468, 0.7744,
];

/** Channel multipliers of the four stages, and whether a stage halves time as well as space. */
const STAGES = [
  { width: 1, halvesTime: false },
  { width: 2, halvesTime: true },
  { width: 4, halvesTime: true },
  { width: 4, halvesTime: false },
] as const;
const RESIDUAL_BLOCKS = 2;

/** Guards the norm of an all-zero position, as `F.normalize` does. */
const NORM_FLOOR = 1e-12;

/** What the graph takes: pixels, which it maps to [-1, 1], or numbers of [-1, 1] that were rounded on the way there. */
export type ImageInput = 'uint8' | 'float32';

/**
 * Wan 2.2's VAE encoder for one frame: `image` [H, W, 3] -> `latents` float32 [48, H/16, W/16], normalised.
 * A causal temporal kernel sees only zeros before a single frame, so every 3-D convolution is the 2-D convolution
 * with its last temporal slice. Source: `Encoder3d_38` and `VideoVAE38_.encode` in `wan_video_vae.py`.
 */
export function vaeEncoderGraph(
  dims: ModelDimensions,
  weights: Weights,
  input: ImageInput = 'uint8',
): GraphBuilder {
  const g = GraphBuilder.create('vae_encoder');
  const image = g.input('image', input, [dims.height, dims.width, 3]);
  const latents = new VaeEncoder(g, weights, dims).encode(image);
  const factor = dims.vaeSpatialFactor;
  const shape = [dims.latentChannels, dims.height / factor, dims.width / factor];
  g.output(latents, 'latents', shape);
  return g;
}

/** Emits the encoder's layers on [1, C, H, W] feature maps. */
export class VaeEncoder {
  constructor(
    private readonly g: GraphBuilder,
    private readonly weights: Weights,
    private readonly dims: ModelDimensions,
  ) {}

  /** [H, W, 3], uint8 or float32 in [-1, 1] -> float32 [48, H/16, W/16] */
  encode(image: Value): Value {
    const { dims } = this;
    let x = this.firstConvolution(this.patchify(image));
    let channels = dims.vaeDim;
    let { height, width } = { height: dims.height / 2, width: dims.width / 2 };
    STAGES.forEach((stage, s) => {
      const shrinks = s < STAGES.length - 1;
      const shortcut = shrinks ? this.averageDown(x, channels, stage.halvesTime, { height, width }) : x;
      for (let r = 0; r < RESIDUAL_BLOCKS; r++) {
        x = this.residualBlock(x, `encoder.downsamples.${s}.downsamples.${r}`);
      }
      if (shrinks) {
        x = this.conv(
          x,
          `encoder.downsamples.${s}.downsamples.${RESIDUAL_BLOCKS}.resample.1`,
          [0, 0, 1, 1],
          2,
        );
        height /= 2;
        width /= 2;
      }
      x = this.g.op('Add', [x, shortcut]);
      channels = dims.vaeDim * stage.width;
    });
    x = this.residualBlock(x, 'encoder.middle.0');
    x = this.spatialAttention(x, 'encoder.middle.1', channels);
    x = this.residualBlock(x, 'encoder.middle.2');
    x = this.conv(this.normSilu(x, 'encoder.head.0.gamma', channels), 'encoder.head.2', 1);
    return this.normaliseLatents(this.conv(x, 'conv1', 0));
  }

  /** [H, W, 3] -> [1, 12, H/2, W/2] in [-1, 1]; channel order (row, column, colour) within the 2 x 2 patch. */
  private patchify(image: Value): Value {
    const { g } = this;
    const unit = image.type === 'uint8' ? this.unit(image) : image;
    const planes = g.op('Transpose', [unit], { attributes: { perm: ints([2, 0, 1]) } });
    const batch = g.op('Unsqueeze', [planes, g.int64([0])]);
    const patches = g.op('SpaceToDepth', [batch], { attributes: { blocksize: int(2) } });
    return cast(g, patches, this.weights.compute);
  }

  /** uint8 -> [-1, 1] */
  private unit(image: Value): Value {
    const { g } = this;
    const scaled = g.op('Mul', [cast(g, image, 'float32'), g.float32(2)]);
    return g.op('Sub', [g.op('Div', [scaled, g.float32(255)]), g.float32(1)]);
  }

  /** The first convolution's kernel, whose input channels are stored in the order (colour, column, row). */
  private firstConvolution(patches: Value): Value {
    const order = [];
    for (const row of [0, 1]) {
      for (const column of [0, 1]) for (const colour of [0, 1, 2]) order.push(4 * colour + 2 * column + row);
    }
    return this.conv(patches, 'encoder.conv1', 1, 1, order);
  }

  /** Convolution by the last temporal slice of a 3-D kernel, or by a 2-D one; `inputOrder` permutes its input channels. */
  private conv(
    x: Value,
    name: string,
    pad: number | readonly number[],
    stride = 1,
    inputOrder?: readonly number[],
  ): Value {
    const { g, weights } = this;
    const pads = typeof pad === 'number' ? [pad, pad, pad, pad] : pad;
    let weight = weights.use(g, `${name}.weight`);
    const { shape } = weights.stored(`${name}.weight`);
    if (shape.length === 5) {
      weight = g.op('Gather', [weight, g.int64((shape[2] ?? 1) - 1)], { attributes: { axis: int(2) } });
    }
    if (inputOrder) {
      weight = g.op('Gather', [weight, g.int64(inputOrder)], { attributes: { axis: int(1) } });
    }
    return g.op('Conv', [x, weight, weights.use(g, `${name}.bias`)], {
      attributes: { pads: ints(pads), strides: ints([stride, stride]) },
      name,
    });
  }

  /** x / |x|_2 over channels * sqrt(C) * gamma. Source: `RMS_norm`. */
  private rmsNorm(x: Value, gamma: string, channels: number): Value {
    const { g, weights } = this;
    const norm = g.op('ReduceL2', [x, g.int64([1])], { attributes: { keepdims: int(1) } });
    const floor = cast(g, g.float32(NORM_FLOOR), weights.compute);
    const unit = g.op('Div', [x, g.op('Max', [norm, floor])]);
    const root = cast(g, g.float32(Math.sqrt(channels)), weights.compute);
    const scale = g.op('Mul', [weights.use(g, gamma, [1, channels, 1, 1]), root]);
    return g.op('Mul', [unit, scale]);
  }

  private normSilu(x: Value, gamma: string, channels: number): Value {
    const normed = this.rmsNorm(x, gamma, channels);
    return this.g.op('Mul', [normed, this.g.op('Sigmoid', [normed])]);
  }

  private residualBlock(x: Value, name: string): Value {
    const [outChannels = 0, inChannels = 0] = this.weights.stored(`${name}.residual.2.weight`).shape;
    const identity = inChannels === outChannels ? x : this.conv(x, `${name}.shortcut`, 0);
    const inner = this.conv(
      this.normSilu(x, `${name}.residual.0.gamma`, inChannels),
      `${name}.residual.2`,
      1,
    );
    const y = this.conv(
      this.normSilu(inner, `${name}.residual.3.gamma`, outChannels),
      `${name}.residual.6`,
      1,
    );
    return this.g.op('Add', [y, identity]);
  }

  /** Single-head attention over all positions of a frame. Source: `AttentionBlock`. */
  private spatialAttention(x: Value, name: string, channels: number): Value {
    const { g } = this;
    const qkv = this.conv(this.rmsNorm(x, `${name}.norm.gamma`, channels), `${name}.to_qkv`, 0);
    const flat = g.op('Reshape', [qkv, g.int64([1, 3 * channels, -1])]);
    const tokens = g.op('Transpose', [flat], { attributes: { perm: ints([0, 2, 1]) } });
    const [q, k, v] = g.ops('Split', [tokens], [x.type, x.type, x.type], {
      attributes: { axis: int(-1), num_outputs: int(3) },
    });
    if (!q || !k || !v) throw new Error('Split has three outputs');
    const mixed = attention(g, q, k, v, { heads: 1, headDim: channels });
    const back = g.op('Transpose', [mixed], { attributes: { perm: ints([0, 2, 1]) } });
    const map = g.op('Reshape', [back, g.op('Shape', [x], {}, 'int64')]);
    return g.op('Add', [this.conv(map, `${name}.proj`, 0), x]);
  }

  /**
   * Averages 2 x 2 patches. A stage that halves time pads a zero frame in front of the single one, so every second
   * channel is zero: `AvgDown3D` averages groups of (channel, time, row, column), and with these stages a group is
   * always one patch of one frame. Source: `AvgDown3D`.
   */
  private averageDown(
    x: Value,
    channels: number,
    halvesTime: boolean,
    size: { readonly height: number; readonly width: number },
  ): Value {
    const { g } = this;
    const pooled = g.op('AveragePool', [x], {
      attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 2]) },
    });
    if (!halvesTime) return pooled;
    const frames = g.op('Unsqueeze', [pooled, g.int64([2])]);
    const padded = concat(g, [g.op('Sub', [frames, frames]), frames], 2);
    return g.op('Reshape', [padded, g.int64([1, 2 * channels, size.height / 2, size.width / 2])]);
  }

  /** [1, 96, h, w] mean and log-variance -> mean half, (z - mean) / std, float32 [48, h, w]. */
  private normaliseLatents(moments: Value): Value {
    const { g, dims } = this;
    const channels = dims.latentChannels;
    const mean = g.op('Slice', [moments, g.int64([0]), g.int64([channels]), g.int64([1])]);
    const z = g.op('Squeeze', [cast(g, mean, 'float32'), g.int64([0])]);
    const perChannel = [channels, 1, 1];
    const centre = g.initializer('latent_mean', 'float32', perChannel, Float32Array.from(LATENT_MEAN));
    const inverse = Float32Array.from(LATENT_STD, (s) => 1 / Math.fround(s));
    const scale = g.initializer('latent_scale', 'float32', perChannel, inverse);
    return g.op('Mul', [g.op('Sub', [z, centre]), scale]);
  }
}

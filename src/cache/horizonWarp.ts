import { at } from './matrix';
import type { Numbers } from './matrix';

const WINDOW = 7;
const EPSILON = 1e-6;

/**
 * Displacement of each token along the horizon from one hidden state to the next, in tokens: Lucas-Kanade in one
 * dimension on the channel means, u_i = -sum_w(I_x I_t) / (sum_w I_x^2 + 1e-6) over a window of 7 tokens. Inputs
 * [tokens, channels]. The action-time analogue of the 2-D flow of arXiv 2603.22286; this project's.
 */
export function horizonFlow(before: Numbers, now: Numbers, channels: number): Float64Array {
  const from = channelMeans(before, channels);
  const to = channelMeans(now, channels);
  const slope = from.map((_, i) => (reflected(from, i + 1) - reflected(from, i - 1)) / 2);
  const change = to.map((value, i) => value - at(from, i));
  const reach = (WINDOW - 1) / 2;
  return from.map((_, i) => {
    let cross = 0;
    let square = 0;
    for (let w = Math.max(0, i - reach); w <= Math.min(from.length - 1, i + reach); w++) {
      cross += at(slope, w) * at(change, w);
      square += at(slope, w) ** 2;
    }
    return -cross / (square + EPSILON);
  });
}

/** Moves tokens by their displacement: token i is read at i - u_i, linearly between tokens, reflected at the ends. */
export function warpTokens(values: Numbers, flow: Numbers, channels: number): Float64Array {
  const tokens = values.length / channels;
  const result = new Float64Array(values.length);
  for (let i = 0; i < tokens; i++) {
    const position = reflectedIndex(i - at(flow, i), tokens);
    const below = Math.min(Math.floor(position), tokens - 1);
    const above = Math.min(below + 1, tokens - 1);
    const share = position - below;
    for (let c = 0; c < channels; c++) {
      result[i * channels + c] =
        (1 - share) * at(values, below * channels + c) + share * at(values, above * channels + c);
    }
  }
  return result;
}

function channelMeans(hidden: Numbers, channels: number): Float64Array {
  return Float64Array.from({ length: hidden.length / channels }, (_, token) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += at(hidden, token * channels + c);
    return sum / channels;
  });
}

function reflected(values: Float64Array, index: number): number {
  return at(values, reflectedIndex(index, values.length));
}

/** Folds a position into [0, length - 1] by reflection at both ends. */
function reflectedIndex(position: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const folded = ((position % period) + period) % period;
  return folded <= length - 1 ? folded : period - folded;
}

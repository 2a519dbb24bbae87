import { describe, expect, it } from 'vitest';
import { MersenneTwister } from '../../src/sampler/MersenneTwister';
import { chunkNoise, randn } from '../../src/sampler/noise';
import type { NoiseMode } from '../../src/sampler/types';
import { createSchedule } from '../../src/sampler/schedule';
import { openSafetensors } from '../../src/formats/safetensors';
import { readFloat32 } from '../../src/formats/readTensor';
import { FIXTURES, relativeError } from '../helpers';

/** `torch.randn(n, generator=torch.Generator().manual_seed(42))`, PyTorch 2.9 on the CPU. */
const TORCH_18 = [
  1.9269152879714966, 1.4872840642929077, -0.4973975419998169, 0.439589262008667, -0.7581311464309692,
  1.078317642211914, 0.8008005619049072, 1.680620551109314, 0.3558599054813385, -0.6866229772567749,
  0.610466480255127, 1.334737777709961, -0.2316243201494217, 0.041759490966796875, -0.2515752911567688,
  0.859858512878418, -0.3097267746925354, -0.3957104980945587,
];
const TORCH_3 = [0.33669036626815796, 0.12880940735340118, 0.23446236550807953];

const golden = (name: string) =>
  readFloat32(openSafetensors(`${FIXTURES}/${name}/episode.safetensors`).tensors.get('noise')!);

describe('noise', () => {
  it('steps mt19937 as the published reference does', () => {
    // First outputs of the reference implementation for seed 5489 (its default).
    const random = new MersenneTwister(5489);
    expect([random.next32(), random.next32(), random.next32()]).toEqual([3499211612, 581869302, 3890346734]);
  });

  it("reproduces PyTorch's randn for seed 42, block by block", () => {
    // robotwin_micro: seed 42 in every chunk, 32 x 14 values
    expect(relativeError(randn(42, 448), golden('robotwin_micro').subarray(0, 448))).toBeLessThan(1e-6);
  });

  it('moves the seed with the chunk where it is fresh, and repeats it where it is fixed', () => {
    // libero_micro: seed 42 + chunk, 32 x 7 values
    const noise = golden('libero_micro');
    for (let chunk = 0; chunk < 6; chunk++) {
      const expected = noise.subarray(chunk * 224, (chunk + 1) * 224);
      expect(
        relativeError(chunkNoise({ noise: 'fresh', seed: 42 }, { chunk, episode: 5 }, 224), expected),
      ).toBeLessThan(1e-6);
    }
    const at = (noise: NoiseMode, chunk: number, episode: number) =>
      chunkNoise({ noise, seed: 42 }, { chunk, episode }, 224);
    expect(at('fixed', 3, 1)).toEqual(at('fixed', 0, 0));
    expect(at('episode', 3, 0)).toEqual(at('fixed', 0, 0));
    // the same within an episode, another in each
    expect(at('episode', 0, 2)).toEqual(at('episode', 7, 2));
    expect(at('episode', 0, 2)).toEqual(randn(44, 224));
  });

  it('draws the last block again where the count is no multiple of 16, and one by one below 16', () => {
    const eighteen = randn(42, 18);
    const three = randn(42, 3);
    expect(relativeError(eighteen, TORCH_18)).toBeLessThan(1e-6);
    expect(relativeError(three, TORCH_3)).toBeLessThan(1e-6);
  });
});

describe('schedule', () => {
  it('has the published step sizes for shift 5 and 10 steps', () => {
    const { sigma, delta } = createSchedule(10, 5);
    const published = [1, 0.97826, 0.95238, 0.92105, 0.88235, 0.83333, 0.76923, 0.68182, 0.55556, 0.35714];
    published.forEach((s, k) => expect(sigma[k]).toBeCloseTo(s, 5));
    expect(delta[9]).toBeCloseTo(-0.35714, 5);
  });

  it('has equal steps for shift 1', () => {
    for (const d of createSchedule(10, 1).delta) expect(d).toBeCloseTo(-0.1, 6);
  });

  it.each([
    [0, 5, 'sampler steps: expected a whole number of at least 1, got 0'],
    [2.5, 5, 'sampler steps: expected a whole number of at least 1, got 2.5'],
    [10, 0, 'sampler shift: expected a number above 0, got 0'],
  ])('refuses %s steps with shift %s', (steps, shift, message) => {
    expect(() => createSchedule(steps, shift)).toThrow(message);
  });
});

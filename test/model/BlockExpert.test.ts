import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fingerprints } from '../../src/cache/Fingerprints';
import { cosineSimilarity, largestDeviation } from '../../src/cache/blockGate';
import type { FullRun, GatedRun } from '../../src/cache/types';
import { timeModulations, MODULATIONS } from '../../src/graphs/timeModulation';
import { Weights } from '../../src/graphs/Weights';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { FastWamModel } from '../../src/model/FastWamModel';
import { BlockExpert } from '../../src/model/BlockExpert';
import { RecordedInputs } from '../../src/policy/recordedEpisode';
import { goldenCase, relativeError, removeFolders } from '../helpers';
import type { GoldenCase } from '../helpers';

const SUB_BLOCKS = 3;

describe('the expert with gates between its blocks', () => {
  let golden: GoldenCase;
  let model: FastWamModel;
  let experts: BlockExpert[];
  let noise: Float32Array;

  beforeAll(async () => {
    golden = goldenCase('robotwin_micro');
    model = await FastWamModel.load(golden.bundle, { ...DEFAULT_EXECUTION, threads: 1 });
    await model.ensureGrain('block');
    const inputs = new RecordedInputs(golden.inputs, golden.bundle);
    const text = golden.bundle.context(golden.task);
    experts = [];
    for (const chunk of [0, 1]) {
      const { image, proprio } = inputs.observation(chunk, golden.task);
      const latents = await model.encode(image!);
      const expert = model.expert(await model.prefill(latents, Float32Array.from(proprio), text));
      if (expert instanceof BlockExpert) experts.push(expert);
    }
    noise = inputs.noise(0)!;
  });
  afterAll(async () => {
    await model.release();
    removeFolders();
  });

  describe('holding a sub-block over a step', () => {
    /** everything computed in step 0, everything held in step 1 */
    const held = async (hold: 'gated' | 'ungated'): Promise<FullRun> => {
      const perStep = model.shape.layers * SUB_BLOCKS;
      const computed = new Uint8Array(2 * perStep).fill(1, 0, perStep);
      return experts[0]!.scheduledSteps(noise, computed, [{ index: 0 }, { index: 1 }], hold);
    };

    it('adds the gated term once more where the gated term is held', async () => {
      const { residuals } = await held('gated');
      const size = model.shape.horizon * model.shape.hidden;
      const [first, second] = [residuals!.subarray(0, size), residuals!.subarray(size)];
      expect(relativeError(second, first)).toBeLessThan(1e-6);
    });

    it('applies the gate of the step where the term before its gate is held', async () => {
      const { residuals } = await held('ungated');
      const { steps, layers, horizon, hidden } = model.shape;
      const full = await experts[0]!.fullSteps(noise, [{ index: 0 }], { parts: true });
      const { policyWeights, dimensions, schedule } = golden.bundle;
      const weights = new Weights(policyWeights.tensors, dirname(policyWeights.path), 'float32');
      const table = timeModulations(
        weights,
        'mixtures.action',
        [...schedule.timesteps],
        layers,
        dimensions.freqDim,
      );
      expect(table.length).toBe(steps * layers * MODULATIONS * hidden);
      // gates are the pieces 2 (self-attention) and 5 (FFN) of a layer's modulation; cross-attention has none
      const gate = (step: number, layer: number, part: number, j: number): number =>
        part === 1 ? 1 : table[((step * layers + layer) * MODULATIONS + (part === 0 ? 2 : 5)) * hidden + j]!;
      const size = horizon * hidden;
      const expected = new Float64Array(size);
      for (let slot = 0; slot < layers * SUB_BLOCKS; slot++) {
        const [layer, part] = [Math.floor(slot / SUB_BLOCKS), slot % SUB_BLOCKS];
        for (let i = 0; i < size; i++) {
          const ratio = gate(1, layer, part, i % hidden) / gate(0, layer, part, i % hidden);
          expected[i]! += full.parts![slot * size + i]! * ratio;
        }
      }
      const second = residuals!.subarray(size);
      expect(relativeError(second, expected)).toBeLessThan(1e-5);
      expect(relativeError(second, residuals!.subarray(0, size))).toBeGreaterThan(1e-4);
    });
  });

  it.each([[[0, 3, 7]], [undefined]])(
    'compares block inputs on the tokens %j, and their means over all tokens',
    async (tokens) => {
      const { steps, layers, horizon, hidden } = model.shape;
      const cells = steps * layers;
      const size = horizon * hidden;
      const fingerprints = new Fingerprints(model.shape);
      if (tokens) fingerprints.compareAt(tokens);
      const gate = {
        fingerprints,
        residuals: new Float32Array(cells * size),
        // so high that nothing is skipped: the gates only measure
        tauCos: new Float32Array(cells).fill(2),
        conditionCosine: new Float32Array(cells).fill(1),
        allowed: new Uint8Array(cells),
        tauDev: 1e9,
        epsilon: 1e-6,
      };
      const before = await experts[0]!.gatedSteps(noise, gate);
      const state = (run: GatedRun, cell: number): Float32Array => {
        const row = Math.floor(cell / layers) * (layers + 1) + (cell % layers);
        return run.hidden.subarray(row * size, (row + 1) * size);
      };
      for (let cell = 0; cell < cells; cell++) fingerprints.store(cell, state(before, cell));
      const after = await experts[1]!.gatedSteps(noise, { ...gate, allowed: gate.allowed.fill(1) });
      const compared = tokens ?? Array.from({ length: horizon }, (_, i) => i);
      const chosen = (h: Float32Array): number[] =>
        compared.flatMap((token) => [...h.subarray(token * hidden, (token + 1) * hidden)]);
      const mean = (h: Float32Array): number[] =>
        Array.from({ length: hidden }, (_, j) => {
          let sum = 0;
          for (let token = 0; token < horizon; token++) sum += h[token * hidden + j]!;
          return sum / horizon;
        });
      for (let cell = 0; cell < cells; cell++) {
        const [now, then] = [state(after, cell), state(before, cell)];
        const similarity = Math.min(
          1,
          cosineSimilarity(chosen(now), chosen(then)),
          cosineSimilarity(mean(now), mean(then)),
        );
        expect(after.similarity[cell]).toBeCloseTo(similarity, 5);
        const deviation = largestDeviation(chosen(now), chosen(then), 1e-6);
        expect(Math.abs(after.deviation[cell]! - deviation)).toBeLessThan(1e-4 * (1 + deviation));
      }
    },
  );
});

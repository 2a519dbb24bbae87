import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { policyTensors } from '../../src/bundle/checkpointFiles';
import { looksUntrained, rowNormExcess } from '../../src/evaluation/untrainedWeights';
import { FIXTURES } from '../helpers';
import { uniforms } from './fakeEvaluation';

const BUNDLED = join(__dirname, '..', '..', 'bundles', 'tabletop', 'checkpoint', 'fastwam.pt');

describe('weights that nobody trained', () => {
  it.each(['libero_micro', 'robotwin_micro'])('are recognised in the golden model %s', (name) => {
    expect(looksUntrained(policyTensors(join(FIXTURES, name, 'fastwam.pt')))).toBe(true);
  });

  it('are not seen in the trained model', () => {
    expect(looksUntrained(policyTensors(BUNDLED))).toBe(false);
  });

  it('are not claimed where there is nothing to judge by', () => {
    expect(looksUntrained({ tensors: new Map() })).toBe(false);
  });

  it('have row norms that differ as much as chance makes them, whatever the distribution', () => {
    const random = uniforms(3);
    const [rows, columns] = [400, 50];
    const uniform = Float32Array.from({ length: rows * columns }, () => random() - 0.5);
    // the spread of 400 norms is known to 1/sqrt(800) = 3.5 %
    expect(rowNormExcess(uniform, rows, columns)).toBeCloseTo(1, 0);
    expect(Math.abs(rowNormExcess(uniform, rows, columns) - 1)).toBeLessThan(0.15);
    const scaled = uniform.map((value, i) => value * (1 + (Math.floor(i / columns) % 2)));
    expect(rowNormExcess(scaled, rows, columns)).toBeGreaterThan(2);
    expect(rowNormExcess(new Float32Array(6), 2, 3)).toBe(0);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seams } from '../../src/evaluation/seams';
import { chunkOf, factsOf, simpleLayout } from './fakeEvaluation';

// horizon 3, of which 2 are executed, at 10 Hz
const layout = simpleLayout({ names: ['a', 'b'], horizon: 3, replanSteps: 2 });
const one = simpleLayout({ names: ['a'], horizon: 2, replanSteps: 2 });

describe('seams', () => {
  it('are measured from the last executed action, not from the last one', () => {
    const run = [chunkOf([0, 0, 1, 1, 100, 100]), chunkOf([4, 5, 4, 6, 0, 0])];
    const [joints] = seams([factsOf(0, 0), factsOf(0, 1)], run, layout);
    // (1,1) → (4,5): sqrt(9 + 16) = 5; inside: (0,0) → (1,1): sqrt 2, (4,5) → (4,6): 1
    expect(joints!.jump).toMatchObject({ count: 1, max: 5 });
    expect(joints!.step).toMatchObject({ count: 2, min: 1, max: Math.SQRT2 });
  });

  it('are not seen between episodes or across a missing chunk', () => {
    const run = [chunkOf([0, 1]), chunkOf([9, 9]), chunkOf([50, 50])];
    const [episodes] = seams([factsOf(0, 0), factsOf(1, 0), factsOf(1, 2)], run, one);
    expect(episodes!.jump.count).toBe(0);
    expect(episodes!.seamJerk).toBeNaN();
  });

  it('have the jerk of the third difference of absolute positions', () => {
    // sequence 0, 1, 2, 4: third difference 4 − 3·2 + 3·1 − 0 = 1, across the seam; × 10³
    const [joints] = seams([factsOf(0, 0), factsOf(0, 1)], [chunkOf([0, 1]), chunkOf([2, 4])], one);
    expect(joints!.seamJerk).toBeCloseTo(1000, 9);
    expect(joints!.insideJerk).toBeNaN();
  });

  it('have the jerk of the second difference of displacements', () => {
    const delta = { ...one, groups: [{ name: 'd', unit: 'm', indices: [0], kind: 'delta' as const }] };
    // 0, 1 | 2, 4: second differences 0 and 1, both across the seam: rms sqrt(1/2) · 1000
    const [group] = seams([factsOf(0, 0), factsOf(0, 1)], [chunkOf([0, 1]), chunkOf([2, 4])], delta);
    expect(group!.seamJerk).toBeCloseTo(1000 * Math.SQRT1_2, 9);
  });

  it('separate jerk inside chunks from jerk across them', () => {
    const long = simpleLayout({ names: ['a'], horizon: 4, replanSteps: 4 });
    // inside each chunk 0, 0, 0, 1 → third difference 1; across 0 0 1|2, 0 1|2 2 … is not zero
    const run = [chunkOf([0, 0, 0, 1]), chunkOf([2, 2, 2, 3])];
    const [joints] = seams([factsOf(0, 0), factsOf(0, 1)], run, long);
    expect(joints!.insideJerk).toBeCloseTo(1000, 9);
    // windows (0,0,1|2): 2−3+0−0 = −1; (0,1|2,2): 2−6+3−0 = −1; (1|2,2,2): 2−6+6−1 = 1
    expect(joints!.seamJerk).toBeCloseTo(1000, 9);
  });

  it('vanish for a robot that stands still', () => {
    fc.assert(
      fc.property(
        fc.float({ noNaN: true, min: -3, max: 3 }),
        fc.integer({ min: 2, max: 9 }),
        (value, chunks) => {
          const run = Array.from({ length: chunks }, () => chunkOf([value, value]));
          const [joints] = seams(
            run.map((_, i) => factsOf(0, i)),
            run,
            one,
          );
          expect(joints!.jump).toMatchObject({ count: chunks - 1, max: 0 });
          expect(joints!.seamJerk).toBe(0);
        },
      ),
    );
  });
});

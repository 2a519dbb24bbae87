import { describe, expect, it } from 'vitest';
import { MomentPictures, MOMENTS } from '../../src/evaluation/MomentPictures';
import { worstMoments } from '../../src/evaluation/worstMoments';
import { chunkOf, simpleLayout, uniforms } from './fakeEvaluation';

// four actions of two columns, of which two are executed
const layout = simpleLayout({ names: ['a', 'b'] });
const zero = chunkOf([0, 0, 0, 0, 0, 0, 0, 0]);

describe('the worst moments', () => {
  it('are where the executed part lies farthest, the worst first, and never where nothing differs', () => {
    const run = [zero, chunkOf([0, 0, 0, -3, 9, 9, 9, 9]), chunkOf([5, 1, 0, 0, 0, 0, 0, 0])];
    expect(worstMoments([zero, zero, zero], run, layout, 10)).toEqual([
      { observation: 2, step: 0, column: 0, difference: 5 },
      { observation: 1, step: 1, column: 1, difference: 3 },
    ]);
  });

  it('keep pictures of exactly those, however long the recording is', async () => {
    const next = uniforms(7);
    const run = Array.from({ length: 60 }, () => chunkOf([next(), 0, 0, 0, 0, 0, 0, 0]));
    const frame = {
      kind: 'raw' as const,
      width: 4,
      height: 2,
      step: 12,
      encoding: 'rgb8',
      is_bigendian: 0,
      data: new Uint8Array(24),
    };
    const observation = { cameras: new Map([['front', frame]]), proprio: [], stamp: 0, instruction: '' };
    const moments = new MomentPictures(layout);
    for (const [i, chunk] of run.entries()) await moments.see(i, observation, [zero, chunk]);
    const reference = run.map(() => zero);
    const worst = worstMoments(reference, run, layout, MOMENTS).map((one) => one.observation);
    expect([...moments.pictures.keys()].sort()).toEqual([...worst].sort());
    expect(moments.pictures.get(worst[0]!)).toMatchObject([{ camera: 'front', width: 4, height: 2 }]);
  });
});

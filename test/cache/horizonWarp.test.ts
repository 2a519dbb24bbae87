import { describe, expect, it } from 'vitest';
import { horizonFlow, warpTokens } from '../../src/cache/horizonWarp';

const TOKENS = 32;
/** A bump along the horizon in two channels, moved by `shift` tokens. */
const bump = (shift: number) =>
  Array.from({ length: TOKENS }, (_, i) => {
    const value = 3 * Math.exp(-(((i - 15 - shift) / 5) ** 2));
    return [value, 0.5 * value];
  }).flat();

describe('the horizon warp', () => {
  it('estimates a small shift along the horizon where there is something to see', () => {
    const flow = horizonFlow(bump(0), bump(0.5), 2);
    for (let i = 10; i <= 20; i++) expect(flow[i]).toBeCloseTo(0.5, 1);
  });

  it('is zero between equal states, and leaves the tokens where they are', () => {
    const flow = horizonFlow(bump(0), bump(0), 2);
    expect([...flow].map(Math.abs)).toEqual(new Array(TOKENS).fill(0));
    expect([...warpTokens(bump(0), flow, 2)]).toEqual(bump(0));
  });

  it('moves tokens by whole and half positions, reflecting at the ends', () => {
    const ramp = [0, 1, 2, 3];
    expect([...warpTokens(ramp, [1, 1, 1, 1], 1)]).toEqual([1, 0, 1, 2]);
    expect([...warpTokens(ramp, [-0.5, -0.5, -0.5, -0.5], 1)]).toEqual([0.5, 1.5, 2.5, 2.5]);
    expect([...warpTokens([7], [3], 1)]).toEqual([7]);
  });

  it('carries the earlier state to the later one', () => {
    const flow = horizonFlow(bump(0), bump(0.5), 2);
    const moved = warpTokens(bump(0), flow, 2);
    const error = (values: ArrayLike<number>) =>
      bump(0.5).reduce((sum, value, i) => sum + Math.abs(value - values[i]!), 0);
    expect(error(moved)).toBeLessThan(0.25 * error(bump(0)));
  });
});

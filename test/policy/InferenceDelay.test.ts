import { describe, expect, it } from 'vitest';
import { InferenceDelay } from '../../src/policy/InferenceDelay';

describe('the measured delay of inference', () => {
  it('is not known before the second chunk: the first after loading does not count', () => {
    const delay = new InferenceDelay();
    expect(delay.steps(0.1)).toBeUndefined();
    delay.add(9);
    expect(delay.steps(0.1)).toBeUndefined();
    delay.add(0.21);
    // 2.1 periods, rounded up
    expect(delay.steps(0.1)).toBe(3);
    delay.restart();
    delay.add(9);
    expect(delay.steps(0.1)).toBeUndefined();
  });

  it('is the 95th percentile of the last 20: one slow chunk among them does not move it, two do', () => {
    const delay = new InferenceDelay();
    delay.add(0);
    for (let i = 0; i < 19; i++) delay.add(0.1);
    delay.add(0.9);
    expect(delay.seconds).toBe(0.1);
    delay.add(0.8);
    expect(delay.seconds).toBe(0.8);
    for (let i = 0; i < 18; i++) delay.add(0.1);
    expect(delay.seconds).toBe(0.8);
    delay.add(0.1);
    expect(delay.seconds).toBe(0.1);
  });
});

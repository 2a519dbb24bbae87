import { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { KeptFeeds } from '../../src/model/KeptFeeds';

const feeds = (floats: number) => ({ text: new Tensor('float32', new Float32Array(floats), [floats]) });

describe('kept feeds', () => {
  it('forget the oldest above their limit, and never the newest', () => {
    const kept = new KeptFeeds(40);
    kept.set('a', feeds(4));
    kept.set('b', feeds(4));
    expect(['a', 'b'].map((key) => kept.get(key) !== undefined)).toEqual([true, true]);
    kept.set('c', feeds(4));
    expect(['a', 'b', 'c'].map((key) => kept.get(key) !== undefined)).toEqual([false, true, true]);
    kept.set('large', feeds(100));
    expect(['b', 'c', 'large'].map((key) => kept.get(key) !== undefined)).toEqual([false, false, true]);
  });

  it('count what replaces or leaves them', () => {
    const kept = new KeptFeeds(40);
    kept.set('a', feeds(8));
    kept.set('a', feeds(2));
    kept.set('b', feeds(8));
    expect(kept.get('a')).toBeDefined();
    kept.delete('a');
    kept.delete('unknown');
    kept.set('c', feeds(2));
    expect(kept.get('b')).toBeDefined();
    kept.clear();
    expect(kept.get('b')).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { listParameters } from '../../src/ros/node/listParameters';

const ALL = ['use_sim_time', 'cache.range', 'cache.c3ache.mode', 'cache.c3ache.tail', 'cached', 'bundle'];

describe('list_parameters', () => {
  it('names all, in order, with what stands before their last words, where nothing is asked for', () => {
    expect(listParameters(ALL, { prefixes: [], depth: 0n })).toEqual({
      names: ['bundle', 'cache.c3ache.mode', 'cache.c3ache.tail', 'cache.range', 'cached', 'use_sim_time'],
      prefixes: ['cache.c3ache', 'cache'],
    });
  });

  // The depth counts words from the prefix on, as in rclcpp: below cache, cache.range is one word deep.
  it.each([
    [[], 1, ['bundle', 'cached', 'use_sim_time']],
    [[], 2, ['bundle', 'cache.range', 'cached', 'use_sim_time']],
    [['cache'], 1, ['cache.range']],
    [['cache'], 2, ['cache.c3ache.mode', 'cache.c3ache.tail', 'cache.range']],
    [['cache'], 0, ['cache.c3ache.mode', 'cache.c3ache.tail', 'cache.range']],
    [['cache.c3ache'], 1, ['cache.c3ache.mode', 'cache.c3ache.tail']],
    [['bundle', 'cached'], 1, ['bundle', 'cached']],
    [['cac'], 0, []],
    [['nothing'], 0, []],
  ])('below %j, to the depth %i', (prefixes, depth, names) => {
    expect(listParameters(ALL, { prefixes, depth }).names).toEqual(names);
  });
});

import { describe, expect, it } from 'vitest';
import { c3ache } from '../../src/cache/c3ache';
import { settingsTable } from '../../src/cache/settingsTable';
import { createSchedule } from '../../src/sampler/schedule';

const context = {
  shape: { steps: 10, horizon: 32, actionDim: 7, hidden: 1024, layers: 30 },
  schedule: createSchedule(10, 5),
};

describe('the table of settings', () => {
  it('has a row for each field, with the parameter it is reached by', () => {
    const rows = settingsTable(c3ache, context).split('\n');
    expect(rows).toHaveLength(2 + Object.keys(c3ache.fields).length);
    expect(rows[2]).toMatch(
      /^\| `refresh_interval` \| `cache.refresh_interval` \| whole number, 0 to 1000000 \(chunks\) \| 4 \| R: /,
    );
    expect(rows[3]).toMatch(/^\| `range` \| `cache.range` \| start:end \(steps\) \| \[0, 6\] \|/);
    expect(rows[5]).toMatch(/^\| `mode` \| `cache.c3ache.mode` \| affine, residual \| affine \|/);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileFormatError } from '../../src/errors';
import { concatenateFields, openDatasetStats } from '../../src/formats/datasetStats';

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'stats-'));
  path = join(folder, 'dataset_stats.json');
});
afterAll(() => rmSync(folder, { recursive: true }));

const write = (value: unknown): void =>
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
const field = { global_min: [0, 1], global_max: [2, 3] };

describe('dataset statistics', () => {
  it('of the table-top model are read as float32', () => {
    const stats = openDatasetStats('test/fixtures/toy/checkpoint/dataset_stats.json');
    const state = stats.state.get('default')!;
    expect(state.dim).toBe(3);
    expect(state.values.mean![0]).toBe(Math.fround(0.4981078803539276));
    expect(Object.keys(stats.action.get('default')!.values)).toEqual(['mean', 'std']);
  });

  it('as the original writes them: stepwise statistics and counts are passed over', () => {
    const full = {
      ...field,
      stepwise_min: [
        [0, 1],
        [0, 1],
      ],
      global_q01: [0.5, 1.5],
    };
    write({ state: { default: full }, action: { default: full }, num_episodes: 3, num_transition: 99 });
    expect(Object.keys(openDatasetStats(path).action.get('default')!.values)).toEqual(['min', 'max', 'q01']);
  });

  it('may stand without "global_"', () => {
    write({ state: { s: { mean: [1], std: [2] } }, action: { a: field } });
    expect(openDatasetStats(path).state.get('s')!.values.std).toEqual(Float32Array.of(2));
  });

  it('may have no fields of the state, for a model without proprioception', () => {
    write({ state: {}, action: { a: field } });
    expect(concatenateFields(openDatasetStats(path).state).dim).toBe(0);
  });

  it('of several fields are joined in the order asked for, as far as all fields have them', () => {
    write({
      state: { arm: { ...field, global_mean: [1, 2] }, hand: { global_min: [7], global_max: [8] } },
      action: { a: field },
    });
    const { state } = openDatasetStats(path);
    const joined = concatenateFields(state, ['hand', 'arm']);
    expect(joined.dim).toBe(3);
    expect(joined.values.min).toEqual(Float32Array.of(7, 0, 1));
    expect(joined.values.mean).toBeUndefined();
    expect(concatenateFields(state).values.max).toEqual(Float32Array.of(2, 3, 8));
    expect(() => concatenateFields(state, ['leg'])).toThrow(/no key "leg"; they have "arm", "hand"/);
  });

  it('of LeRobot’s episodes (v2.1) are those of all their frames together', () => {
    const frames = [
      [1, 2, 6],
      [3, 5, 7, 9, 11],
    ];
    const of = (values: readonly number[]): Record<string, number[]> => {
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
      const [min, max] = [Math.min(...values), Math.max(...values)];
      return { min: [min], max: [max], mean: [mean], std: [Math.sqrt(variance)], count: [values.length] };
    };
    const lines = frames.map((values, episode_index) =>
      JSON.stringify({
        episode_index,
        stats: { 'observation.state': of(values), action: of(values.map((x) => -x)) },
      }),
    );
    const file = join(folder, 'episodes_stats.jsonl');
    writeFileSync(file, `${lines.join('\n')}\n\n`);
    const all = of(frames.flat());
    const { state, action } = openDatasetStats(file);
    const found = concatenateFields(state).values;
    for (const name of ['min', 'max', 'mean', 'std'] as const) {
      expect(found[name]![0], name).toBeCloseTo(all[name]![0]!, 6);
    }
    expect(concatenateFields(action).values.max).toEqual(Float32Array.of(-1));
    writeFileSync(file, `${lines[0]}\n{"stats": `);
    expect(() => openDatasetStats(file)).toThrow(/line 2 is not JSON/);
    writeFileSync(file, lines[0]!.replaceAll('"count":[3]', '"count":[0]'));
    expect(() => openDatasetStats(file)).toThrow(/"action\.count" of line 1 is no number of frames/);
  });

  it('of more values than any dataset has are refused before they are looked at', () => {
    write(
      JSON.stringify({ state: {}, action: {}, list: '#' }).replace('"#"', `[${'[],'.repeat(5_000_001)}[]]`),
    );
    expect(() => openDatasetStats(path)).toThrow(FileFormatError);
  });

  it.each([
    ['not JSON', '{"state": NaN}', /is not JSON/],
    ['a list', [1], /the file is not an object/],
    ['without actions', { state: { s: field } }, /lacks the key "action"/],
    ['with an unknown key', { state: { s: field }, action: { a: field }, extra: 1 }, /unknown key "extra"/],
    [
      'with text for numbers',
      { state: { s: { mean: ['1'] } }, action: { a: field } },
      /"state.s.mean" is not a list of finite numbers/,
    ],
    [
      'with numbers beyond float32',
      { state: { s: { mean: [1e39] } }, action: { a: field } },
      /not a list of finite numbers/,
    ],
    [
      'of different lengths',
      { state: { s: { mean: [1], std: [1, 2] } }, action: { a: field } },
      /has 2 numbers, expected 1/,
    ],
    ['with an empty field', { state: { s: { other: [1] } }, action: { a: field } }, /has none of global_min/],
  ])('that are %s are refused with the key', (_, value, message) => {
    write(value);
    expect(() => openDatasetStats(path)).toThrow(FileFormatError);
    expect(() => openDatasetStats(path)).toThrow(message);
  });

  it('of any JSON shape are read or refused by name', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (json) => {
        write(json);
        try {
          openDatasetStats(path);
        } catch (error) {
          expect(error).toBeInstanceOf(FileFormatError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

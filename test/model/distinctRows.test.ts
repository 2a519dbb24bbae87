import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { distinctRows } from '../../src/model/distinctRows';

describe('distinct rows', () => {
  const tables = fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1 }))
    .map(([width, kinds]) => ({
      width,
      kinds,
      table: Float32Array.from(
        kinds.flatMap((kind) => Array.from({ length: width }, (_, i) => kind + i / 8)),
      ),
    }));

  it('are each there once, in order, and their counts add up to all rows', () => {
    fc.assert(
      fc.property(tables, ({ width, kinds, table }) => {
        const { rows, counts } = distinctRows(table, width);
        const order = [...new Set(kinds)];
        expect([...rows].filter((_, i) => i % width === 0)).toEqual(order);
        expect([...counts]).toEqual(order.map((kind) => kinds.filter((k) => k === kind).length));
        expect(rows).toHaveLength(counts.length * width);
      }),
    );
  });

  it('differ where one bit does, and are read from a view too', () => {
    const table = Float32Array.of(9, 1, 2, 1, 2, 1, 2 + 2 ** -22, 9).subarray(1, 7);
    const { rows, counts } = distinctRows(table, 2);
    expect([...rows]).toEqual([1, 2, 1, 2 + 2 ** -22]);
    expect([...counts]).toEqual([2, 1]);
  });
});

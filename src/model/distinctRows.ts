/** The distinct rows of a table, in the order of their first appearance, and how often each occurs. */
export interface DistinctRows {
  readonly rows: Float32Array;
  readonly counts: Float32Array;
}

/** The distinct rows, bit for bit, of `table` [n, width]. */
export function distinctRows(table: Float32Array, width: number): DistinctRows {
  const bytes = Buffer.from(table.buffer, table.byteOffset, table.byteLength);
  const rowBytes = width * table.BYTES_PER_ELEMENT;
  const seen = new Map<string, { readonly at: number; count: number }>();
  for (let at = 0; at < bytes.length; at += rowBytes) {
    const content = bytes.toString('latin1', at, at + rowBytes);
    const known = seen.get(content);
    if (known) known.count += 1;
    else seen.set(content, { at: at / table.BYTES_PER_ELEMENT, count: 1 });
  }
  const distinct = [...seen.values()];
  const rows = new Float32Array(distinct.length * width);
  distinct.forEach(({ at }, i) => {
    rows.set(table.subarray(at, at + width), i * width);
  });
  return { rows, counts: Float32Array.from(distinct, ({ count }) => count) };
}

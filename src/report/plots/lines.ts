/** `M x y L …` of points in pixels with one decimal; a point that is not a number breaks the line. */
export function linePath(xs: ArrayLike<number>, ys: ArrayLike<number>): string {
  let path = '';
  let drawing = false;
  for (let i = 0; i < xs.length; i += 1) {
    const x = xs[i] ?? NaN;
    const y = ys[i] ?? NaN;
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      drawing = false;
      continue;
    }
    path += `${drawing ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    drawing = true;
  }
  return path;
}

/**
 * Thins a series to about two points for each of `buckets` equal parts: the smallest and the largest value of the
 * part, in the order in which they come, so that no peak is lost. Returns the indices that stay.
 */
export function peaksKept(values: ArrayLike<number>, buckets: number): readonly number[] {
  if (values.length <= 2 * buckets) return Array.from({ length: values.length }, (_, i) => i);
  const kept: number[] = [];
  for (let bucket = 0; bucket < buckets; bucket += 1) {
    const from = Math.floor((bucket * values.length) / buckets);
    const to = Math.floor(((bucket + 1) * values.length) / buckets);
    let low = from;
    let high = from;
    let gap = -1;
    for (let i = from; i < to; i += 1) {
      const value = values[i] ?? NaN;
      if (Number.isNaN(value)) {
        gap = i;
        continue;
      }
      if (!(value >= (values[low] ?? NaN))) low = i;
      if (!(value <= (values[high] ?? NaN))) high = i;
    }
    kept.push(...[...new Set(gap >= 0 ? [low, high, gap] : [low, high])].sort((a, b) => a - b));
  }
  return kept;
}

/** What stands where there is no figure. */
export const NO_FIGURE = '–';

/** A value with so many significant digits, without exponent between 1e-5 and 1e7: 0.00412, 12.3, 1200. */
export function significant(value: number, digits = 3): string {
  if (Number.isNaN(value)) return NO_FIGURE;
  if (value === 0) return '0';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  if (size < 1e-5 || size >= 1e7) return value.toExponential(digits - 1).replace('-', '−');
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return minus(value.toFixed(decimals));
}

/** With a fixed number of decimals. */
export function fixed(value: number, decimals: number): string {
  return Number.isFinite(value) ? minus(value.toFixed(decimals)) : significant(value);
}

/** 1.69×  */
export function times(ratio: number): string {
  return Number.isNaN(ratio) ? NO_FIGURE : `${fixed(ratio, 2)}×`;
}

export function percent(share: number): string {
  return Number.isNaN(share) ? NO_FIGURE : `${fixed(share * 100, share < 0.1 && share > 0 ? 1 : 0)} %`;
}

/** Seconds as milliseconds: one decimal below 100. */
export function milliseconds(seconds: number): string {
  const value = seconds * 1000;
  return fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0);
}

export function byteSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length, Math.floor(Math.log2(bytes) / 10));
  return `${significant(bytes / 1024 ** power)} ${units[power - 1] ?? ''}`;
}

/** 0.012 rad; the bare number where there is no unit. */
export function withUnit(value: number, unit: string, digits = 3): string {
  return unit === '' ? significant(value, digits) : `${significant(value, digits)} ${unit}`;
}

/** A true minus sign, and no minus before zero. */
function minus(text: string): string {
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text.replace('-', '−');
}

/** `1 chunk`, `2 chunks`, `3 refreshes`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

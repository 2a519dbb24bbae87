import { FileFormatError } from '../errors';
import { quoted } from '../words/quoted';

/** Pairs of statistics of which the first may not be above the second. */
const ORDERED = [
  ['min', 'max'],
  ['q01', 'q99'],
  ['q10', 'q90'],
] as const;

/**
 * Refuses statistics that cannot be: numbers that are not finite, a standard deviation below 0, a minimum above its maximum.
 * @param keyOf the key of a statistic in the file, for messages
 * @throws FileFormatError naming the key and the index
 */
export function checkStatistic(
  path: string,
  keyOf: (statistic: string) => string,
  values: Readonly<Partial<Record<string, ArrayLike<number>>>>,
): void {
  const fail = (name: string, i: number, problem: string): never => {
    throw new FileFormatError(path, `${quoted(keyOf(name))} [${i}] is ${problem}`);
  };
  for (const [name, list] of Object.entries(values)) {
    Array.from(list ?? []).forEach((value, i) => {
      if (!Number.isFinite(value)) fail(name, i, `${value}, expected a finite number`);
      if (name === 'std' && value < 0) fail(name, i, `${value}, expected a standard deviation of at least 0`);
    });
  }
  for (const [low, high] of ORDERED) {
    const [lows, highs] = [values[low], values[high]];
    if (!lows || !highs) continue;
    for (let i = 0; i < lows.length; i++) {
      const [a = 0, b = 0] = [lows[i], highs[i]];
      if (a > b) fail(low, i, `${a}, above ${high} ${b}; are the two the wrong way round?`);
    }
  }
}

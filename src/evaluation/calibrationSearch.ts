/** What one value of a threshold leads to. */
export interface Trial {
  /** the larger, the more is reused */
  readonly looseness: number;
  /** how far the actions move away from the uncached ones */
  readonly deviation: number;
  /** what is computed; falls as looseness grows */
  readonly cost: number;
}

export interface SearchOptions {
  /** where to begin, above 0 */
  readonly start: number;
  readonly tolerance: number;
  /** cost where nothing is reused */
  readonly fullCost: number;
  /** most values to try */
  readonly trials: number;
  readonly evaluate: (looseness: number) => Promise<Omit<Trial, 'looseness'>>;
}

/** Brackets by factors of this, then halves the bracket on a logarithmic scale. */
const FACTOR = 4;
/** A bracket narrower than this is not worth another trial. */
const CLOSE_ENOUGH = 1.05;

/**
 * Looks for the loosest threshold that keeps the deviation within the tolerance: from `start` by factors of four to a
 * bracket, then by bisection. It stops early where a looser value computes no less, or a stricter one computes
 * everything. Deviations need not be monotone: of all values tried, the cheapest that keeps the tolerance wins.
 * @returns the winner (undefined if none keeps the tolerance and still saves anything), and every trial in order
 */
export async function loosestWithin(
  options: SearchOptions,
): Promise<{ readonly best: Trial | undefined; readonly trials: readonly Trial[] }> {
  const { tolerance, fullCost } = options;
  const trials: Trial[] = [];
  const attempt = async (looseness: number): Promise<Trial> => {
    const trial = { looseness, ...(await options.evaluate(looseness)) };
    trials.push(trial);
    return trial;
  };
  const keeps = (trial: Trial): boolean => trial.deviation <= tolerance;

  let inside: Trial | undefined;
  let outside: Trial | undefined;
  let next: number | undefined = options.start;
  while (next !== undefined && trials.length < options.trials) {
    const trial = await attempt(next);
    const saturated = keeps(trial)
      ? inside !== undefined && trial.cost >= inside.cost
      : trial.cost >= fullCost;
    // Where looser values first save something, an equal cost only means that the threshold is still too strict.
    const idle = keeps(trial) && trial.cost >= fullCost;
    if (keeps(trial)) inside = trial;
    else outside = trial;
    next = saturated && !idle ? undefined : nextLooseness(inside, outside);
  }
  const good = trials.filter((trial) => keeps(trial) && trial.cost < fullCost);
  const best = good.sort((a, b) => a.cost - b.cost || a.deviation - b.deviation)[0];
  return { best, trials };
}

/**
 * What a further test says of the loosest trial that is stricter than the winner, keeps the tolerance, still saves
 * something and passes.
 * @param test undefined for a trial that does not pass
 */
export async function loosestThatAlso<T>(
  trials: readonly Trial[],
  best: Trial,
  { tolerance, fullCost }: Pick<SearchOptions, 'tolerance' | 'fullCost'>,
  test: (trial: Trial) => Promise<T | undefined>,
): Promise<T | undefined> {
  const stricter = trials
    .filter(({ looseness, deviation, cost }) => {
      return looseness < best.looseness && deviation <= tolerance && cost < fullCost;
    })
    .sort((a, b) => b.looseness - a.looseness);
  for (const trial of stricter) {
    const passed = await test(trial);
    if (passed !== undefined) return passed;
  }
  return undefined;
}

function nextLooseness(inside: Trial | undefined, outside: Trial | undefined): number | undefined {
  if (inside && outside) {
    const [low, high] = [inside.looseness, outside.looseness];
    return high / low < CLOSE_ENOUGH ? undefined : Math.sqrt(low * high);
  }
  if (inside) return inside.looseness * FACTOR;
  return outside && outside.looseness / FACTOR;
}

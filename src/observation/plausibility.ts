/** How far a number of the proprioception lies from the data that the model was trained on. */
export interface Deviation {
  /** standard deviations from the mean; of a bundle that scales by ranges, half ranges from their middle */
  readonly spreads: number;
  /** one line for a person: which number it is, and how far off */
  readonly message: string;
}

/**
 * The number of a part of the proprioception that lies furthest off; undefined where nobody can tell.
 * @param values physical units
 * @param offset place of the first of them in the whole proprioception
 */
export type Plausibility = (values: ArrayLike<number>, offset?: number) => Deviation | undefined;

/** From here on a number is hardly meant: no robot goes so far from what was recorded of it. */
const DOUBTFUL = 6;

/** What is doubtful in a proprioception, one line each. */
export function doubtsAbout(
  values: ArrayLike<number>,
  plausibility: Plausibility | undefined,
): readonly string[] {
  const deviation = plausibility?.(values);
  return deviation !== undefined && deviation.spreads > DOUBTFUL ? [deviation.message] : [];
}

import { UsageError } from '../errors';

/** Gathers the values of an option that may be given several times. */
export const collect = (value: string, previous: readonly string[]): readonly string[] => [
  ...previous,
  value,
];

/** A word that is one of the known ones. @throws UsageError that lists them */
export function oneOf<T extends string>(flag: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found === undefined) throw new UsageError(`${flag} ${value}: expected ${known.join(', ')}`);
  return found;
}

/** A whole number of at least `least`. @throws UsageError for anything else */
export function wholeNumber(flag: string, value: string, least = 0): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= least && value.trim() !== '') return number;
  throw new UsageError(`${flag} ${value}: expected a whole number of at least ${least}`);
}

const LARGEST_PORT = 65_535;

/** The number of a TCP port; 0 asks for a free one. @throws UsageError for anything else */
export function portNumber(flag: string, value: string): number {
  const port = wholeNumber(flag, value);
  if (port > LARGEST_PORT) throw new UsageError(`${flag} ${port}: expected 0 to ${LARGEST_PORT}`);
  return port;
}

/** @throws UsageError for what is not a number above 0 */
export function positive(flag: string, value: string): number {
  const number = Number(value);
  if (value.trim() !== '' && Number.isFinite(number) && number > 0) return number;
  throw new UsageError(`${flag} ${value}: expected a number above 0`);
}

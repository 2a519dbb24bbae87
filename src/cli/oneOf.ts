import { UsageError } from '../errors';

/** A word that is one of the known ones. @throws UsageError that lists them */
export function oneOf<T extends string>(flag: string, value: string, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found === undefined) throw new UsageError(`${flag} ${value}: expected ${known.join(', ')}`);
  return found;
}

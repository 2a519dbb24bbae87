import { UsageError } from '../errors';
import { didYouMean } from '../words/nearestName';
import type { ActionLayout, Tolerance } from './types';

const FLIPS = 'flips';
const NORMALISED = 'normalised';

/**
 * Reads a tolerance as it is written on a command line: `GROUP=LIMIT` in the unit of the group, `flips=COUNT`, and a
 * bare number (or `normalised=LIMIT`) for all actions as the network sees them. Undefined where nothing is stated.
 *
 * @throws UsageError for an unknown group (with the known ones) and for what is not a limit
 */
export function readTolerance(
  texts: readonly string[],
  measure: Tolerance['measure'],
  layout: Pick<ActionLayout, 'groups'>,
): Tolerance | undefined {
  if (texts.length === 0) return undefined;
  const groups: Record<string, number> = {};
  let normalised: number | undefined;
  let flips = 0;
  for (const text of texts) {
    const equals = text.lastIndexOf('=');
    const name = equals < 0 ? NORMALISED : text.slice(0, equals).trim();
    const limit = limitOf(text, text.slice(equals + 1).trim());
    if (name === FLIPS) flips = limit;
    else if (name === NORMALISED) normalised = limit;
    else groups[knownGroup(name, layout)] = limit;
  }
  return { measure, groups, flips, ...(normalised !== undefined && { normalised }) };
}

function limitOf(text: string, value: string): number {
  const limit = value === '' ? NaN : Number(value);
  if (Number.isFinite(limit) && limit >= 0) return limit;
  throw new UsageError(
    `--tolerance ${text}: expected a number of at least 0, for instance joints=0.01 or 0.02`,
  );
}

function knownGroup(name: string, { groups }: Pick<ActionLayout, 'groups'>): string {
  const known = [...groups.map((group) => group.name), FLIPS, NORMALISED];
  if (known.includes(name)) return name;
  throw new UsageError(
    `--tolerance ${name}: the bundle has no such group of actions${didYouMean(name, known)}; known: ${known.join(', ')}`,
  );
}

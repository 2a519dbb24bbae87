import { nearestName } from '../words/nearestName';
import { quoted } from '../words/quoted';

/** Names that a list is shown with; more would only hide the point. */
const MOST_NAMES = 12;

/** A joint that is wanted and not there, with the one of those there that was most likely meant. */
export function withNearest(joint: string, there: readonly string[]): string {
  const near = nearestName(
    joint,
    there.filter((name) => name !== joint),
  );
  return near === undefined ? quoted(joint) : `${quoted(joint)} (did you mean ${quoted(near)}?)`;
}

/** The names that are there, the first of them where they are many. */
export function someOf(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map((name) => quoted(name));
  if (names.length > MOST_NAMES) shown.push(`${names.length - MOST_NAMES} more`);
  return shown.join(', ') || 'no joints';
}

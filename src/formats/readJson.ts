import { FileFormatError } from '../errors';
import { Budget } from './Budget';
import { readText } from './readText';

export interface JsonLimits {
  /** of the file */
  readonly bytes: number;
  /** values in it, those inside others included */
  readonly elements: number;
}

/**
 * The value of a JSON file that somebody else made.
 * @throws FileFormatError with line and column of what is not JSON; the text itself is not quoted
 */
export function readJson(path: string, limits: JsonLimits): unknown {
  const text = readText(path, limits.bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FileFormatError(path, `is not JSON${placeOf(error, text)}`, { cause: error });
  }
  try {
    countValues(value, new Budget({ elements: limits.elements }));
  } catch (error) {
    throw new FileFormatError(path, (error as Error).message, { cause: error });
  }
  return value;
}

/** V8 says the position of most faults, beside a piece of the source. */
function placeOf(error: unknown, text: string): string {
  const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
  if (text.trim() === '') return ': it is empty';
  if (position === undefined) return ': it ends too early, or something stands where no value can';
  const before = text.slice(0, Number(position)).split('\n');
  return `: line ${before.length}, column ${(before.at(-1) ?? '').length + 1} holds what cannot stand there`;
}

/**
 * Takes every value of a document from a budget; without recursion, since values nest as deep as the file likes.
 * @throws what the budget throws
 */
export function countValues(root: unknown, budget: Budget): void {
  const waiting: unknown[] = [root];
  for (let value = waiting.pop(); waiting.length > 0 || value !== undefined; value = waiting.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    const inside = Array.isArray(value) ? value : Object.values(value);
    budget.take('elements', inside.length);
    for (const one of inside) if (typeof one === 'object' && one !== null) waiting.push(one);
  }
}

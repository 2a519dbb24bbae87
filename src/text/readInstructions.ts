import { existsSync } from 'node:fs';
import { UsageError } from '../errors';
import { readText } from '../formats/readText';

/** Bytes; ten thousand long instructions. */
const LARGEST_FILE = 2 ** 20;

/**
 * The task texts of a file, one a line; empty lines are left out, each text once.
 * @throws UsageError where it is not there; FileFormatError where it is no text
 */
export function readInstructions(file: string): string[] {
  if (!existsSync(file)) throw new UsageError(`${file}: no such file; it should have one instruction a line`);
  const lines = readText(file, LARGEST_FILE).split('\n');
  return [...new Set(lines.map((line) => line.trim()).filter((line) => line.length > 0))];
}

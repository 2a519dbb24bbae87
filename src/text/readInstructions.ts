import { existsSync, readFileSync } from 'node:fs';
import { UsageError, messageOf } from '../errors';

/**
 * The task texts of a file, one a line; empty lines are left out, each text once.
 * @throws UsageError where it cannot be read
 */
export function readInstructions(file: string): string[] {
  if (!existsSync(file)) throw new UsageError(`${file}: no such file; it should have one instruction a line`);
  try {
    const lines = readFileSync(file, 'utf8')
      .replace(/^\uFEFF/, '')
      .split('\n');
    return [...new Set(lines.map((line) => line.trim()).filter((line) => line.length > 0))];
  } catch (error) {
    throw new UsageError(`${file}: cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

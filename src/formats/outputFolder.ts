import { accessSync, constants, mkdirSync } from 'node:fs';
import { UsageError, messageOf } from '../errors';

/**
 * Makes a folder that results will be written into, if it is not there. Called before the work begins, so that a
 * place that cannot be written is not found out at the end of it.
 * @throws UsageError that names the folder and why nothing can be written there
 */
export function makeOutputFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UsageError(
      `${folder}: no folder to write into: ${messageOf(error)}; name one in a place that you may write to`,
      { cause: error },
    );
  }
}

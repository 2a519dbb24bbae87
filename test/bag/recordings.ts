import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Recordings of others, kept beside the checkout and not in it. */
const FOLDER = join(__dirname, '..', '..', '..', 'shared', 'bags');

export const haveRecordings = existsSync(FOLDER);

if (!haveRecordings) console.warn(`skipped: tests on real recordings, since there is no folder ${FOLDER}`);

/** Path of a recording in that folder. */
export function recording(...parts: string[]): string {
  return join(FOLDER, ...parts);
}

import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const FILE = 'instructions.txt';

/**
 * The file of task texts that lies beside a checkpoint, in its folder, or with its text contexts; undefined where there is
 * none.
 */
export function instructionsBeside(places: readonly (string | undefined)[]): string | undefined {
  return places
    .flatMap((place) => (place === undefined || !existsSync(place) ? [] : [place, dirname(place)]))
    .filter((place) => statSync(place).isDirectory())
    .map((folder) => join(folder, FILE))
    .find((file) => existsSync(file));
}

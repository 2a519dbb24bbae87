import { statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { FileFormatError } from '../errors';

interface Watched {
  readonly path: string;
  readonly before: Stats;
}

/**
 * Notices that the files of a loaded model were replaced, cut or written into. What a session holds of them may lie in
 * the file still, so that its numbers change with it.
 */
export class WeightWatch {
  readonly #files: readonly Watched[];

  /** Looks at the files as they are now, which should be before they are read. @throws FileFormatError for one that is gone */
  constructor(paths: readonly string[]) {
    this.#files = paths.map((path) => {
      const before = statSync(path, { throwIfNoEntry: false });
      if (!before) throw new FileFormatError(path, 'does not exist');
      return { path, before };
    });
  }

  /** @throws FileFormatError naming the first file that is not what it was */
  check(): void {
    for (const { path, before } of this.#files) {
      const change = changeOf(before, statSync(path, { throwIfNoEntry: false }));
      if (change === undefined) continue;
      throw new FileFormatError(
        path,
        `${change} while the model was loaded from it, so no chunk is computed with it; load the bundle again (and export it again if the weights are others). To exchange weights, write a new file and rename it into place`,
      );
    }
  }
}

function changeOf(before: Stats, now: Stats | undefined): string | undefined {
  if (!now) return 'was removed';
  if (now.dev !== before.dev || now.ino !== before.ino) return 'was replaced by another file';
  if (now.size < before.size) return `was cut from ${before.size} to ${now.size} bytes`;
  if (now.size !== before.size || now.mtimeMs !== before.mtimeMs) return 'was written to';
  return undefined;
}

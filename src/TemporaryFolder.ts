import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FastWamError, messageOf } from './errors';
import { beforeExit } from './signals';

/** A folder of its own under the system's temporary folder; gone when removed, or when the process ends or is told to. */
export class TemporaryFolder {
  readonly path: string;
  readonly #forget: () => void;

  constructor(purpose: string) {
    try {
      this.path = mkdtempSync(join(tmpdir(), `fastwam-${purpose}-`));
    } catch (error) {
      throw new FastWamError(
        `${tmpdir()}: no temporary folder can be made there (${messageOf(error)}); set TMPDIR to a folder that you may write to`,
        { cause: error },
      );
    }
    this.#forget = beforeExit(() => rmSync(this.path, { recursive: true, force: true }));
  }

  join(name: string): string {
    return join(this.path, name);
  }

  remove(): void {
    this.#forget();
    rmSync(this.path, { recursive: true, force: true });
  }
}

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of its own under the system's temporary folder; gone when removed or when the process exits. */
export class TemporaryFolder {
  readonly path: string;
  readonly #removeAtExit = (): void => rmSync(this.path, { recursive: true, force: true });

  constructor(purpose: string) {
    this.path = mkdtempSync(join(tmpdir(), `fastwam-${purpose}-`));
    process.once('exit', this.#removeAtExit);
  }

  join(name: string): string {
    return join(this.path, name);
  }

  remove(): void {
    process.removeListener('exit', this.#removeAtExit);
    this.#removeAtExit();
  }
}

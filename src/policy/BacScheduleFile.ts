import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Bundle } from '../bundle/Bundle';
import { budgetText } from '../cache/bac';
import { parseBacSchedule } from '../cache/bacSchedule';
import type { BacSchedule } from '../cache/bacSchedule';
import { FileFormatError, messageOf } from '../errors';
import { writeAtomically } from '../formats/writeAtomically';

export const BAC_SCHEDULES_FILE = 'bac_schedules.json';

/** A schedule of 10,000 sub-blocks and 1,000 steps takes 40 MB; nothing beyond that was made by calibrating. */
const LARGEST_FILE = 64 * 2 ** 20;

const schema = z.strictObject({
  /** fingerprint of the weights that the schedules were calibrated on */
  weights: z.string(),
  schedules: z.array(z.unknown()),
});

/**
 * The schedules of `bac` beside a bundle, told apart by the settings they were made with. Looked up again when the
 * file has changed, so that a calibration is in force without loading anything anew.
 */
export class BacScheduleFile {
  readonly path: string;
  readonly #weights: string;
  #known: { readonly stamp: string; readonly schedules: readonly BacSchedule[] } | undefined;

  constructor(bundle: Pick<Bundle, 'folder' | 'manifest'>) {
    this.path = join(bundle.folder, BAC_SCHEDULES_FILE);
    this.#weights = bundle.manifest.weights.policy.fingerprint;
  }

  /**
   * The schedules; none where nothing was calibrated.
   * @throws FileFormatError for a file that is not what `fastwam calibrate` writes, or was made for other weights
   */
  read(): readonly BacSchedule[] {
    const stat = statSync(this.path, { throwIfNoEntry: false });
    if (!stat) return [];
    const stamp = `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
    if (this.#known?.stamp !== stamp) {
      if (stat.size > LARGEST_FILE)
        throw this.#problem(`${stat.size} bytes are more than any schedule takes`);
      this.#known = { stamp, schedules: this.#parse(this.#text()) };
    }
    return this.#known.schedules;
  }

  /** Adds schedules; those of the same settings are replaced, the others stay. */
  add(schedules: readonly BacSchedule[]): void {
    const made = new Set(schedules.map(budgetText));
    const all = [...this.#others().filter((old) => !made.has(budgetText(old))), ...schedules];
    const text = `${JSON.stringify({ weights: this.#weights, schedules: all })}\n`;
    writeAtomically(this.path, (sink) => sink.write(Buffer.from(text)));
  }

  /** What is there already and of use; a calibration replaces what is not. */
  #others(): readonly BacSchedule[] {
    try {
      return this.read();
    } catch (error) {
      if (error instanceof FileFormatError) return [];
      throw error;
    }
  }

  #text(): string {
    try {
      return readFileSync(this.path, 'utf8');
    } catch (error) {
      throw this.#problem(`cannot be read: ${messageOf(error)}`, error);
    }
  }

  #parse(text: string): readonly BacSchedule[] {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw this.#problem(`is not JSON: ${messageOf(error)}`, error);
    }
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const place = issue?.path.join('.') ?? '';
      throw this.#problem(`${place === '' ? 'the document' : place}: ${issue?.message ?? 'unreadable'}`);
    }
    if (parsed.data.weights !== this.#weights) {
      throw this.#problem('was calibrated for other weights than those of this bundle');
    }
    return parsed.data.schedules.map((one, i) => parseBacSchedule(one, `${this.path} (schedules.${i})`));
  }

  #problem(problem: string, cause?: unknown): FileFormatError {
    return new FileFormatError(this.path, `${problem}; calibrate bac again, or delete the file`, { cause });
  }
}
